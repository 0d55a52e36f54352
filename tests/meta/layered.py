"""Layers, losses and optimisers over the tape of numpy: a sound adapter with all levels, from which faulty ones are made."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np

from backends.base import OBJECTIVES, REDUCTIONS, Program, Setting
from backends.numpy import Numpy
from backends.tape import Tensor
from cases.network import objective


class Layered(Numpy):
    """No fault at all: every level is the same loop over dense layers."""

    lacks: ClassVar = {}

    def __init_subclass__(cls) -> None:
        cls.settings = settings(cls)

    def objective(self, name: str, reduction: str) -> Any:
        return lambda z, y: objective(self, name, reduction, z, y)

    def forward(self, layers: Any, leaves: list[Tensor], x: Tensor) -> Tensor:
        for layer, kernel, bias in zip(layers, leaves[::2], leaves[1::2], strict=True):
            x = x @ kernel + bias
            x = getattr(self, layer.activation)(x) if layer.activation else x
        return x

    def model(self, level: str, layers: Any) -> Any:
        return lambda x: self.forward(layers, [self.tensor(part) for layer in layers for part in (layer.kernel, layer.bias)], x)

    def fit(self, program: Program) -> Any:
        weights = [part for layer in program.layers for part in (layer.kernel, layer.bias)]
        moments: list[Any] = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
        for step, (x, y) in enumerate(program.batches, start=1):
            leaves = [Tensor(np.asarray(w), self, leaf=True) for w in weights]
            value = self.reduced(program, self.forward(program.layers, leaves, x), y)
            adjoints = self.adjoints(value)
            gradient = [adjoints[id(leaf)] for leaf in leaves]
            if program.optimizer.name == "adam":
                moments = [self.moments(program.optimizer, *mv, g) for mv, g in zip(moments, gradient, strict=True)]
                changes = [self.change(program.optimizer, m, v, step) for m, v in moments]
            else:
                changes = [np.asarray(program.optimizer.rate, g.dtype) * g for g in gradient]
            weights = [(w - change).astype(w.dtype) for w, change in zip(weights, changes, strict=True)]
            yield value, [Tensor(g, self) for g in gradient], [Tensor(w, self) for w in weights]

    def reduced(self, program: Program, z: Tensor, y: Tensor) -> Tensor:
        return self.objective(program.objective, program.reduction)(z, y)

    def moments(self, rule: Any, m: Any, v: Any, g: Any) -> Any:
        return rule.beta1 * m + (1 - rule.beta1) * g, rule.beta2 * v + (1 - rule.beta2) * g * g

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        corrected = np.sqrt(v / (1 - rule.beta2**step))
        return rule.rate * (m / (1 - rule.beta1**step)) / (corrected + rule.epsilon)


def settings(adapter: type[Layered]) -> tuple[Setting, ...]:
    """Return the losses of an adapter as its settings, so that a fault in them is one of both."""
    return tuple(
        Setting(f"{reduction} of {name}", name, reduction, partial(computed, adapter, name, reduction))
        for name in OBJECTIVES
        for reduction in REDUCTIONS
    )


def computed(adapter: type[Layered], name: str, reduction: str, z: Tensor, y: Tensor) -> Tensor:
    value: Tensor = adapter().objective(name, reduction)(z, y)
    return value


Layered.settings = settings(Layered)
