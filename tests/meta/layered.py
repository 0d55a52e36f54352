"""Layers, losses and optimisers over the tape of numpy: a sound adapter with all levels, from which faulty ones are made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np

from arithmetic.tape import Taped
from backends.base import NativeLoss
from backends.numpy import Numpy
from backends.training import Training
from vocabulary.losses import OBJECTIVES, REDUCTIONS, objective
from vocabulary.rules import Optimizer, builtin
from vocabulary.words import LEVELS, Words

LAYERS = Words("layer", {"dense": lambda x, kernel, bias: x @ kernel + bias})
# Makes the changes of all parameters from their gradients and the number of the step.
Step = Callable[[list[np.ndarray], int], list[np.ndarray]]


class Layered(Numpy):
    """No fault at all: every level is the same loop over dense layers."""

    rules = tuple(builtin())

    unsupported_levels: ClassVar = {}

    def __init_subclass__(cls) -> None:
        cls.native_losses = native_losses(cls)

    def objective(self, name: str, reduction: str) -> Any:
        return lambda z, y: objective(self, name, reduction, z, y)

    def forward(self, layers: Any, leaves: list[Taped], x: Taped) -> Taped:
        for layer, kernel, bias in zip(layers, leaves[::2], leaves[1::2], strict=True):
            x = layer.activated(self, LAYERS[layer.word](x, kernel, bias))
        return x

    def written(self, level: str) -> Any:
        """The layers as ``level`` writes them, which is everywhere the same."""
        return Words("level", dict.fromkeys(LEVELS[1:], self.forward))[level]

    def model(self, level: str, layers: Any) -> Any:
        forward = self.written(level)
        return lambda x: forward(layers, [self.tensor(part) for layer in layers for part in layer.arrays], x)

    def fit(self, training: Training) -> Any:
        forward, by_hand = self.written(training.level), self.by_sgd(rate=training.optimizer.rate)
        makers = Words("rule", {"sgd": self.by_sgd, "momentum": self.by_momentum, "adam": self.by_adam})
        optimizer = training.optimizer.passed_to(makers)
        changes = optimizer if training.native else by_hand
        weights = [part for layer in training.layers for part in layer.arrays]
        for step, (x, y) in enumerate(training.examples(self.tensor), start=1):
            leaves = [Taped(np.asarray(w), self, leaf=True) for w in weights]
            value = self.reduced(training, forward(training.layers, leaves, x), y)
            adjoints = self.adjoints(value)
            gradient = [adjoints[id(leaf)] for leaf in leaves]
            weights = [(w - change).astype(w.dtype) for w, change in zip(weights, changes(gradient, step), strict=True)]
            yield value, [Taped(g, self) for g in gradient], [Taped(w, self) for w in weights]

    def reduced(self, training: Training, z: Taped, y: Taped) -> Taped:
        return self.objective(training.objective, training.reduction)(z, y)

    def by_sgd(self, *, rate: float) -> Step:
        return lambda gradient, step: [np.asarray(rate, g.dtype) * g for g in gradient]

    def by_momentum(self, *, rate: float, momentum: float) -> Step:
        held: dict[int, Any] = {}

        def changes(gradient: list[np.ndarray], step: int) -> list[np.ndarray]:
            for index, g in enumerate(gradient):
                held[index] = np.asarray(momentum, g.dtype) * held.get(index, np.zeros_like(g)) + g
            return [np.asarray(rate, g.dtype) * held[index] for index, g in enumerate(gradient)]

        return changes

    def by_adam(self, *, rate: float, beta1: float, beta2: float, epsilon: float) -> Step:
        rule = Optimizer("adam", rate, beta1=beta1, beta2=beta2, epsilon=epsilon)
        held: dict[int, Any] = {}

        def changes(gradient: list[np.ndarray], step: int) -> list[np.ndarray]:
            for index, g in enumerate(gradient):
                held[index] = self.moments(rule, *held.get(index, (np.zeros_like(g), np.zeros_like(g))), g)
            return [self.change(rule, *held[index], step) for index in range(len(gradient))]

        return changes

    def moments(self, rule: Any, m: Any, v: Any, g: Any) -> Any:
        return rule.beta1 * m + (1 - rule.beta1) * g, rule.beta2 * v + (1 - rule.beta2) * g * g

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        corrected = np.sqrt(v / (1 - rule.beta2**step))
        return rule.rate * (m / (1 - rule.beta1**step)) / (corrected + rule.epsilon)


def native_losses(adapter: type[Layered]) -> tuple[NativeLoss, ...]:
    """Return the losses that an adapter trains with as its native losses, so that a fault in them is one of both."""
    return tuple(
        NativeLoss(f"{reduction} of {name}", name, reduction, partial(computed, adapter, name, reduction))
        for name in OBJECTIVES
        for reduction in REDUCTIONS
    )


def computed(adapter: type[Layered], name: str, reduction: str, z: Taped, y: Taped) -> Taped:
    value: Taped = adapter().objective(name, reduction)(z, y)
    return value


Layered.native_losses = native_losses(Layered)
