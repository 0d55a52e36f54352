"""Layers and optimisers over the tape of numpy: an adapter with all levels, and faults that only a level can have."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from backends.base import HYPERPARAMETERS, Deviation, Program, Setting
from backends.numpy import Numpy
from backends.tape import Tensor
from cases.network import objective


class Layered(Numpy):
    """No fault at all: every level is the same loop over dense layers."""

    lacks: ClassVar = {}
    settings = (
        Setting("sum of entropies", "binary cross-entropy", "sum", lambda z, y: Layered().objective(BINARY, "sum")(z, y)),
    )

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


BINARY = "binary cross-entropy"


class MeanObjective(Layered):
    """The loss is the mean, whatever is asked for."""

    def objective(self, name: str, reduction: str) -> Any:
        return super().objective(name, "mean")


class MeanSetting(Layered):
    """A setting that promises the sum is the mean."""

    settings = (Setting("sum of entropies", BINARY, "sum", lambda z, y: MeanObjective().objective(BINARY, "sum")(z, y)),)


class StaleSetting(Layered):
    """Declares of a setting what is not so."""

    deviations = (Deviation("sum of entropies", ("float64",), reason="none", size="none", link="none", instead="mean"),)


class ShortBatchAsFull(Layered):
    """A batch of three weighs as much as one of four."""

    def reduced(self, program: Program, z: Tensor, y: Tensor) -> Tensor:
        value = super().reduced(program, z, y)
        return value * (4 / z.shape[0]) if z.shape[0] == 3 else value


class FrozenBias(Layered):
    """The last bias does not train."""

    def fit(self, program: Program) -> Any:
        bias = program.layers[-1].bias
        for value, gradient, weights in super().fit(program):
            yield value, gradient, [*weights[:-1], Tensor(bias, self)]


class WrongStart(Layered):
    """The model starts from kernels that are transposed where they can be."""

    def forward(self, layers: Any, leaves: list[Tensor], x: Tensor) -> Tensor:
        first, *rest = leaves
        if len(set(first.shape)) == 1:
            first = Tensor(first.value.T, self, ((first, lambda g: g.T),))
        return super().forward(layers, [first, *rest], x)


class MissingLayer(Layered):
    """Gives back the parameters of all layers but the last."""

    def fit(self, program: Program) -> Any:
        for value, gradient, weights in super().fit(program):
            yield value, gradient, weights[:-2]


class Uncorrected(Layered):
    """Adam without bias correction."""

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        return rule.rate * m / (np.sqrt(v) + rule.epsilon)


class EpsilonHat(Layered):
    """Adam with epsilon added before the correction, declared to be added after it."""

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        rate = rule.rate * np.sqrt(1 - rule.beta2**step) / (1 - rule.beta1**step)
        return rate * m / (np.sqrt(v) + rule.epsilon)


class EpsilonInside(Layered):
    """Adam with epsilon under the square root."""

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        corrected = np.sqrt(v / (1 - rule.beta2**step) + rule.epsilon)
        return rule.rate * (m / (1 - rule.beta1**step)) / corrected


class SwappedBetas(Layered):
    """Adam with its betas swapped."""

    def moments(self, rule: Any, m: Any, v: Any, g: Any) -> Any:
        return rule.beta2 * m + (1 - rule.beta2) * g, rule.beta1 * v + (1 - rule.beta1) * g * g


class RateInFloat32(Layered):
    """The learning rate passes through float32, undeclared."""

    def fit(self, program: Program) -> Any:
        rule = program.optimizer
        narrow = type(rule)(rule.name, float(np.float32(rule.rate)), rule.beta1, rule.beta2, rule.epsilon)
        return super().fit(Program(**{**vars(program), "optimizer": narrow}))


class StaleOptimizer(Layered):
    """Declares that hyperparameters lose digits, which they do not."""

    deviations = (
        Deviation(
            HYPERPARAMETERS,
            ("float64",),
            reason="none",
            size="none",
            link="none",
            through="float32",
            what=("rate",),
            of=("sgd",),
        ),
    )


class LooseOptimizer(RateInFloat32):
    """Declares that the learning rate passes through float16, where float32 would do."""

    deviations = (
        Deviation(
            HYPERPARAMETERS,
            ("float64",),
            reason="none",
            size="none",
            link="none",
            through="float16",
            what=("rate",),
            of=("sgd", "adam"),
        ),
    )


class IgnoresBetas(Layered):
    """Adam with the usual betas, whatever it is given."""

    def moments(self, rule: Any, m: Any, v: Any, g: Any) -> Any:
        return 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g * g


class FalselyLacking(Layered):
    """Declares that it lacks a level, and has it."""

    lacks: ClassVar = {"class": "no such thing"}
