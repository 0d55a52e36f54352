"""autograd through its other doors: forward mode, Jacobians, flat vectors, recomputation, primitives of the user's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from backends.autograd import Autograd
from backends.autograd.framework import anp, autograd
from backends.base import unsupported_levels
from backends.legacy import removed_names
from backends.training import Training
from vocabulary.tensors import Formula, Tensor, Tensors

with removed_names():
    from autograd.differential_operators import checkpoint, elementwise_grad, make_jvp, make_vjp
    from autograd.extend import defjvp, defvjp, primitive
    from autograd.misc.flatten import flatten

Differentiated = Callable[[Tensors, Tensors], tuple[Tensor, Tensors]]


@primitive
def _logistic(x: np.ndarray) -> np.ndarray:
    power = np.exp(-np.abs(x))
    one = power.dtype.type(1)
    return np.where(x < 0, power, one) / (one + power)


@primitive
def _relu(x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, x.dtype.type(0), x)


defvjp(_logistic, lambda y, x: lambda g: g * (y * _logistic(-x)))
defjvp(_logistic, lambda g, y, x: g * (y * _logistic(-x)))
defvjp(_relu, lambda y, x: lambda g: np.where(x > 0, g, np.zeros_like(g)))


class _Differentiated(Autograd):
    """Both value_and_grad and train call what ``differentiated`` makes of a loss."""

    def differentiated(self, loss: Formula) -> Differentiated:
        raise NotImplementedError

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        return self.differentiated(loss)(params, data)

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        step = self.differentiated(loss)
        for data in batches:
            value, gradient = step(params, data)
            params = {name: w - w.dtype.type(rate) * gradient[name] for name, w in params.items()}
            yield value, gradient, params


class MakeJvp(_Differentiated):
    """Forward mode by make_jvp, one pass an entry: the same factors, multiplied from the other end.

    autograd's own sigmoid has no rule for it.
    """

    deviations = tuple(deviation for deviation in Autograd.deviations if deviation.subject != "sigmoid")
    sigmoid = staticmethod(_logistic)

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            value, gradient = loss(self, params, data), {}
            for name, w in params.items():
                forward = make_jvp(lambda x, name=name: loss(self, params | {name: x}, data))(w)
                gradient[name] = np.empty_like(w)
                for index in np.ndindex(w.shape):
                    direction = np.zeros_like(w)
                    direction[index] = 1
                    gradient[name][index] = forward(direction)[1]
            return value, gradient

        return both


class MakeVjp(_Differentiated):
    """make_vjp by hand, pulling back a one of the loss's own dtype: what grad does."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            pullback, value = make_vjp(lambda leaves: loss(self, leaves, data))(params)
            return value, pullback(np.ones_like(value))

        return both


class Elementwise(_Differentiated):
    """elementwise_grad of a scalar, by one parameter after the other: the same passes, one for each of them."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            slopes = {
                # Of a parameter by itself the gradient has the dtype of the loss, which numpy before 2 widens.
                name: elementwise_grad(lambda x, name=name: loss(self, params | {name: x}, data))(w).astype(w.dtype)
                for name, w in params.items()
            }
            return loss(self, params, data), slopes

        return both


class Flat(_Differentiated):
    """All parameters are one flat vector, which autograd.misc.flatten makes and takes apart again: no number changes."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            vector, restored = flatten(params)
            value, slopes = autograd.value_and_grad(lambda vector: loss(self, restored(vector), data))(vector)
            return value, restored(slopes)

        return both


class Recomputed(_Differentiated):
    """autograd.checkpoint computes the loss a second time on the way back: the same numbers twice."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            return autograd.value_and_grad(checkpoint(lambda leaves: loss(self, leaves, data)))(params)

        return both


class Primitives(Autograd):
    """sigmoid and relu are primitives of the user's own, each of few operations that round once.

    sigmoid is exp(x) / (1 + exp(x)) left of 0, with a slope that does not cancel; relu is a choice, and its slope too.
    """

    slope_at_kink = 0.0
    deviations = tuple(deviation for deviation in Autograd.deviations if deviation.subject != "sigmoid")
    sigmoid = staticmethod(_logistic)

    def relu(self, x: Tensor) -> Tensor:
        return _relu(x)


class OtherSums(Autograd):
    """Sums by einsum and by products with ones, whose gradients autograd derives in turn: the same terms in other orders."""

    def sum(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return anp.einsum("i->", anp.ravel(x))

    def mean(self, x: Tensor) -> Tensor:  # type: ignore[override]
        flat = anp.ravel(x)
        return anp.dot(np.ones(len(flat), flat.dtype), flat) / flat.dtype.type(len(flat))


class FlatOptimizer(Autograd):
    """The optimisers see one flat vector of all parameters: they treat each entry by itself."""

    def fit(self, training: Training) -> Iterator[Any]:
        if training.level in unsupported_levels(self):
            yield from super().fit(training)
            return
        vector, restored = flatten(training.start(self.tensor))

        def loss(ops: Any, leaves: Tensors, data: Tensors) -> Tensor:
            return training.loss(ops, restored(leaves["vector"]), data)

        for value, gradient, after in self._optimize(dataclasses.replace(training, loss=loss, params={"vector": vector})):
            yield value, restored(gradient["vector"]), restored(after["vector"])
