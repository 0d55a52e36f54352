"""Chainer through its other doors: chainer.grad, functions that forget, closures, functions of the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from backends.base import Backend
from backends.chainer import Chainer
from backends.chainer.framework import F, L, chainer
from backends.chainer.optimizers import OPTIMIZERS
from backends.training import Training
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import LEVELS

# Chainer's own sigmoid has an absolute error, which is a declared deviation; what does not use it declares none.


def _leaves(params: Tensors) -> Tensors:
    return {name: chainer.Variable(tensor.array.copy()) for name, tensor in params.items()}


class _Differentiated(Chainer):
    """Training calls value_and_grad too."""

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        for data in batches:
            value, gradient = self.value_and_grad(loss, params, data)
            params = {name: chainer.Variable(w.array - w.dtype.type(rate) * gradient[name].array) for name, w in params.items()}
            yield value, gradient, params


class Grad(_Differentiated):
    """chainer.grad with double backpropagation enabled, whose graph is never used again."""

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        leaves = _leaves(params)
        value = loss(self, leaves, data)
        slopes = chainer.grad([value], list(leaves.values()), enable_double_backprop=True)
        return value, dict(zip(leaves, slopes, strict=True))


class Forgets(_Differentiated):
    """The loss is computed a second time on the way back (functions.forget): the same numbers twice."""

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        leaves = _leaves(params)
        value = F.forget(lambda *seen: loss(self, dict(zip(leaves, seen, strict=True)), data), *leaves.values())
        value.backward()
        return value, {name: leaf.grad_var for name, leaf in leaves.items()}


class Unchained(Chainer):
    """Weights go on as variables that were computed, and unchain_backward cuts the graph behind every step."""

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        weights = _leaves(params)
        for data in batches:
            value = loss(self, weights, data)
            value.backward()
            gradient = {name: w.grad_var for name, w in weights.items()}
            weights = {name: w - rate * gradient[name] for name, w in weights.items()}
            for w in weights.values():
                w.unchain_backward()
            yield value, gradient, weights


class Closures(Chainer):
    """optimizer.update is given the loss as a function, and weight decay of 0 as a hook: a sum with 0 is exact."""

    def fit(self, training: Training) -> Iterator[Any]:
        model = self.model(training.level, training.layers)
        links = [link for link in model if isinstance(link, L.Linear)]
        params = [p for link in links for p in (link.W, link.b)]
        objective, rule = self.objective(training.objective, training.reduction), training.optimizer
        optimizer = rule.passed_to(OPTIMIZERS) if training.native else chainer.optimizers.SGD(lr=rule.rate)
        optimizer.setup(model)
        optimizer.add_hook(chainer.optimizer_hooks.WeightDecay(0.0))
        for x, y in training.examples(self.tensor):
            values: list[Tensor] = []
            optimizer.update(lambda x=x, y=y, values=values: values.append(objective(model(x), y)) or values[0])
            yield values[0], [F.transpose(p.grad_var) for p in params], [F.transpose(p) for p in params]


class HalfBatches(Chainer):
    """The gradient is gathered over two halves of the batch, a mean weighted by their share of the examples.

    A sum in two parts is a sum in another order; a mean of a half times its share of the examples is one rounding more than the
    mean has, for at least one addition less.
    """

    def objective(self, name: str, reduction: str) -> Any:
        whole = super().objective(name, reduction)

        def halves(z: Tensor, y: Tensor) -> Tensor:
            half, total = len(z) // 2, 0
            for start, end in ((0, half), (half, len(z))):
                if start < end:
                    total = total + whole(z[start:end], y[start:end]) * ((end - start) / len(z) if reduction == "mean" else 1)
            return total

        return halves


class _Logistic(chainer.FunctionNode):
    """1 / (1 + exp(-x)), and its slope without cancellation."""

    def forward(self, inputs: Any) -> Any:
        self.retain_inputs((0,))
        (x,) = inputs
        power = np.exp(-np.abs(x))
        one = power.dtype.type(1)
        return (np.asarray(np.where(x < 0, power, one) / (one + power)),)

    def backward(self, indexes: Any, grads: Any) -> Any:
        (x,) = self.get_retained_inputs()
        return (grads[0] * (_logistic(x) * _logistic(-x)),)


def _logistic(x: Tensor) -> Tensor:
    return _Logistic().apply((x,))[0]


class FunctionNodes(Chainer):
    """sigmoid is a FunctionNode of the user's own, exp(x) / (1 + exp(x)) left of 0, with the slope y sigmoid(-x).

    Its error shrinks with the value, so that nothing is declared; it has no layers, whose sigmoid is Chainer's.
    """

    unsupported_levels: ClassVar = dict.fromkeys(LEVELS[1:], "the layers have Chainer's own sigmoid")
    deviations = ()
    native_losses = ()
    sigmoid = staticmethod(_logistic)
    fit = Backend.fit

    def sum(self, x: Tensor) -> Tensor:  # type: ignore[override]
        flat = F.reshape(x, (1, -1))
        return F.reshape(F.matmul(flat, flat.xp.ones_like(flat.array), transb=True), ())

    def mean(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return self.sum(x) / x.size

    def relu(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return F.where(x.array <= 0, x.xp.zeros_like(x.array), x)  # what is not a number stays so
