"""Training with Equinox and Optax under jit."""

from __future__ import annotations

from collections.abc import Iterator

import equinox as eqx
import jax
import optax

from backends.base import Backend
from backends.jax.layers import MODELS, linears
from backends.training import Training
from vocabulary.tensors import Tensor
from vocabulary.words import Words

OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *, rate: optax.sgd(rate),
        "momentum": lambda *, rate, momentum: optax.sgd(rate, momentum),
        "adam": lambda *, rate, beta1, beta2, epsilon: optax.adam(rate, beta1, beta2, epsilon),
    },
)


class Optimizers(Backend):
    """The framework's own optimisers."""

    rules = tuple(OPTIMIZERS)

    def fit(self, training: Training) -> Iterator[tuple[Tensor, list[Tensor], list[Tensor]]]:
        model = MODELS[training.level](training.layers)
        objective = self.objective(training.objective, training.reduction)
        optimizer = training.optimizer.passed_to(OPTIMIZERS)
        state = optimizer.init(eqx.filter(model, eqx.is_array))

        @eqx.filter_jit
        def step(model: eqx.Module, state: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, eqx.Module, eqx.Module, Tensor]:
            value, gradient = eqx.filter_value_and_grad(lambda model: objective(jax.vmap(model)(x), y))(model)
            if training.native:
                updates, state = optimizer.update(gradient, state)
            else:
                updates = jax.tree_util.tree_map(lambda g: -training.optimizer.rate * g, gradient)
            return value, gradient, eqx.apply_updates(model, updates), state

        for x, y in training.examples(self.tensor):
            value, gradient, model, state = step(model, state, x, y)
            yield value, linears(gradient), linears(model)
