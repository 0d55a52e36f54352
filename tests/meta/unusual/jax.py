"""JAX through its other doors: forward mode, linear transposition, scans, vmap, custom rules, callbacks, Optax in pieces."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from backends.jax import Jax
from backends.jax.layers import linears
from backends.jax.optimizers import OPTIMIZERS
from backends.training import Training
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import Words

Differentiated = Callable[[Tensors, Tensors], tuple[Tensor, Tensors]]
# The rules without their rate, which a chain multiplies by at its end.
SCALES = Words(
    "rule",
    {
        "sgd": lambda *, rate: optax.identity(),
        "momentum": lambda *, rate, momentum: optax.trace(momentum),
        "adam": lambda *, rate, beta1, beta2, epsilon: optax.scale_by_adam(beta1, beta2, epsilon),
    },
)
# The rules with hyperparameters that are part of their state.
INJECTED = Words(
    "rule",
    {
        "sgd": lambda *, rate: optax.inject_hyperparams(optax.sgd)(rate),
        "momentum": lambda *, rate, momentum: optax.inject_hyperparams(optax.sgd)(rate, momentum),
        "adam": lambda *, rate, beta1, beta2, epsilon: optax.inject_hyperparams(optax.adam)(
            rate, b1=beta1, b2=beta2, eps=epsilon
        ),
    },
)


class _Differentiated(Jax):
    """Both value_and_grad and train call what ``differentiated`` makes of a loss, compiled unless said otherwise."""

    def differentiated(self, loss: Formula) -> Differentiated:
        raise NotImplementedError

    @lru_cache(maxsize=16)  # noqa: B019, the adapter lives as long as its process
    def prepared(self, loss: Formula) -> Differentiated:
        return self.compiled(self.differentiated(loss))

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        return self.prepared(loss)(params, data)

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        step = self.prepared(loss)
        for data in batches:
            value, gradient = step(params, data)
            params = {name: w - rate * gradient[name] for name, w in params.items()}
            yield value, gradient, params

    def compiled(self, function: Any) -> Any:
        return jax.jit(function)


class JvpOfEach(_Differentiated):
    """Forward mode by jvp along every entry, some hundred at a time: the same factors, multiplied from the other end."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            vector, restored = ravel_pytree(params)

            def along(entry: Tensor) -> tuple[Tensor, Tensor]:
                direction = jnp.zeros_like(vector).at[entry].set(1)
                return jax.jvp(lambda flat: loss(self, restored(flat), data), (vector,), (direction,))

            values, slopes = jax.lax.map(along, jnp.arange(len(vector)), batch_size=256)
            return values[0], restored(slopes)

        return both


class Pullback(_Differentiated):
    """jax.vjp by hand, uncompiled, pulling back a one of the loss's own dtype: what grad does."""

    modes: ClassVar = {"gradient": "eager", "training": "eager"}

    def compiled(self, function: Any) -> Any:
        return function

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            value, pullback = jax.vjp(lambda leaves: loss(self, leaves, data), params)
            return value, pullback(jnp.ones_like(value))[0]

        return both


class Transposed(_Differentiated):
    """linearize, and the transpose of the linear function that it returns: the two halves of reverse mode, by themselves."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            value, tangent = jax.linearize(lambda leaves: loss(self, leaves, data), params)
            return value, jax.linear_transpose(tangent, params)(jnp.ones_like(value))[0]

        return both


class Rematerialized(_Differentiated):
    """The loss is computed a second time on the way back (jax.checkpoint): the same operations twice."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            return jax.value_and_grad(jax.checkpoint(lambda leaves: loss(self, leaves, data)))(params)

        return both


class Raveled(_Differentiated):
    """All parameters are one flat vector, compiled ahead of time by lower and compile."""

    def compiled(self, function: Any) -> Any:
        found: dict[Any, Any] = {}

        def run(params: Tensors, data: Tensors) -> Any:
            shapes = jax.tree_util.tree_map(lambda x: (x.shape, x.dtype), (params, data))
            key = str(shapes)
            if key not in found:
                found[key] = jax.jit(function).lower(params, data).compile()
            return found[key](params, data)

        return run

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            vector, restored = ravel_pytree(params)
            value, slopes = jax.value_and_grad(lambda flat: loss(self, restored(flat), data))(vector)
            return value, restored(slopes)

        return both


class Vmapped(_Differentiated):
    """The gradient by vmap over a batch of three equal points, of which the last is given back."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            many = jax.tree_util.tree_map(lambda w: jnp.stack([w] * 3), params)
            found = jax.vmap(jax.value_and_grad(lambda leaves: loss(self, leaves, data)))(many)
            return jax.tree_util.tree_map(lambda x: x[-1], found)

        return both


class Scanned(Jax):
    """Training is one lax.scan over its steps, those whose batches have the same shape: the loop is inside the program."""

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        def step(params: Tensors, data: Tensors) -> tuple[Tensors, Any]:
            value, gradient = jax.value_and_grad(lambda leaves: loss(self, leaves, data))(params)
            after = jax.tree_util.tree_map(lambda w, g: w - rate * g, params, gradient)
            return after, (value, gradient, after)

        scan = jax.jit(partial(jax.lax.scan, step), donate_argnums=0)  # the memory of the weights goes on
        params = jax.tree_util.tree_map(jnp.copy, params)
        for _, alike in itertools.groupby(batches, lambda data: str(jax.tree_util.tree_map(jnp.shape, data))):
            stacked = jax.tree_util.tree_map(lambda *parts: jnp.stack(parts), *alike)
            params, path = scan(params, stacked)
            for k in range(len(path[0])):
                yield jax.tree_util.tree_map(lambda x, k=k: x[k], path)


@jax.custom_vjp
def _logistic(x: Tensor) -> Tensor:
    power = jnp.exp(-jnp.abs(x))
    return jnp.where(x < 0, power, 1) / (1 + power)


_logistic.defvjp(lambda x: (_logistic(x), x), lambda x, g: (g * (_logistic(x) * _logistic(-x)),))


@jax.custom_vjp
def _log(x: Tensor) -> Tensor:
    return jnp.log(x)


_log.defvjp(lambda x: (jnp.log(x), x), lambda x, g: (g * (1 / x),))


@jax.custom_jvp
def _tanh(x: Tensor) -> Tensor:
    power = jnp.expm1(-2 * jnp.abs(x))
    return jnp.copysign(power / (power + 2), x)


@_tanh.defjvp
def _tanh_jvp(primals: Any, tangents: Any) -> Any:
    y = _tanh(primals[0])
    return y, (1 - y) * (1 + y) * tangents[0]


class CustomRules(Jax):
    """sigmoid and log have a custom_vjp, tanh a custom_jvp, each of few operations that round once and do not cancel.

    sigmoid is exp(x) / (1 + exp(x)) left of 0, with the slope y sigmoid(-x); log has g times a rounded 1 / x; tanh is made of
    expm1, with the slope (1 - y)(1 + y).
    """

    sigmoid = staticmethod(_logistic)
    log = staticmethod(_log)
    tanh = staticmethod(_tanh)


class OtherSums(Jax):
    """Sums by an associative scan, as trees are; a mean of terms that are divided first; relu by where."""

    def sum(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return jax.lax.associative_scan(jnp.add, x.ravel())[-1]

    def mean(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return jnp.sum(x / x.size)

    def relu(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return jnp.where(x <= 0, jnp.zeros_like(x), x)


class WideSums(Jax):
    """Sums in float64, rounded once, as jnp.sum(x, dtype) has them; back again each term gets the rounded adjoint."""

    def sum(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return jnp.sum(x, dtype=jnp.float64).astype(x.dtype)


class CallsBack(Jax):
    """tanh is numpy's, called from inside the compiled program, with a rule of the user's own."""

    @property
    def tanh(self) -> Any:  # type: ignore[override]
        @jax.custom_jvp
        def called(x: Tensor) -> Tensor:
            return jax.pure_callback(np.tanh, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="expand_dims")

        @called.defjvp
        def rule(primals: Any, tangents: Any) -> Any:
            y = called(primals[0])
            return y, (1 - jnp.square(y)) * tangents[0]

        return called


class Buffers(Jax):
    """Tensors come in through DLPack, of memory of their own, and go back through the protocol of buffers."""

    def tensor(self, array: np.ndarray) -> Tensor:
        return jnp.from_dlpack(np.array(array), copy=True)

    def array(self, tensor: Tensor) -> np.ndarray:
        return np.asarray(memoryview(tensor)) if tensor.ndim else np.asarray(tensor)


# The levels: other ways to write the same training run.


class _Fitted(Jax):
    """A loop in which ``optimizer`` makes the optimiser, and ``differentiated`` the value and gradient of a batch."""

    def optimizer(self, training: Training) -> Any:
        return training.optimizer.passed_to(OPTIMIZERS)

    def differentiated(self, model: Any, training: Training, x: Tensor, y: Tensor) -> tuple[Tensor, Any]:
        objective = self.objective(training.objective, training.reduction)
        return eqx.filter_value_and_grad(lambda model: objective(jax.vmap(model)(x), y))(model)

    def fit(self, training: Training) -> Iterator[Any]:
        model = self.module(training.level, training.layers)
        optimizer = optax.scale(-training.optimizer.rate) if training.level == "modules" else self.optimizer(training)
        state = optimizer.init(eqx.filter(model, eqx.is_array))

        @eqx.filter_jit
        def step(model: Any, state: Any, x: Tensor, y: Tensor) -> Any:
            value, gradient = self.differentiated(model, training, x, y)
            updates, state = optimizer.update(gradient, state, eqx.filter(model, eqx.is_array))
            return value, gradient, eqx.apply_updates(model, updates), state

        for x, y in training.examples(self.tensor):
            value, gradient, model, state = step(model, state, x, y)
            yield value, linears(gradient), linears(model)


class Chained(_Fitted):
    """Optimisers are chains of their parts, with a clip that clips nothing: products with 1 and sums with 0 are exact."""

    def optimizer(self, training: Training) -> Any:
        rule = training.optimizer
        clip, decay = optax.clip_by_global_norm(1e30), optax.add_decayed_weights(0.0)
        return optax.chain(clip, rule.passed_to(SCALES), decay, optax.scale(-rule.rate))


class FlatOptimizer(_Fitted):
    """optax.flatten gives the optimiser one flat vector, and its hyperparameters are injected as state."""

    def optimizer(self, training: Training) -> Any:
        return optax.flatten(training.optimizer.passed_to(INJECTED))


class EachExample(_Fitted):
    """Gradients of single examples, mapped over the batch, are reduced afterwards: the terms of the same sum."""

    def differentiated(self, model: Any, training: Training, x: Tensor, y: Tensor) -> tuple[Tensor, Any]:
        objective = self.objective(training.objective, "sum")
        one = eqx.filter_value_and_grad(lambda model, x, y: objective(model(x)[None], y[None]))
        found = eqx.filter_vmap(one, in_axes=(None, 0, 0))(model, x, y)
        reduced = {"sum": jnp.sum, "mean": jnp.mean}[training.reduction]
        return jax.tree_util.tree_map(lambda terms: reduced(terms, axis=0), found)
