"""Faults that only layers, losses of a framework and optimisers can have, over numpy with layers."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from arithmetic.tape import Taped
from backends.training import Training
from tests.meta.fleet.arithmetic import through, with_slope
from tests.meta.layered import Layered, Step

SOUND = "tests.meta.layered:Layered"
BINARY = "binary cross-entropy"


# Losses.


class MeanObjective(Layered):
    """The loss is the mean, whatever is asked for."""

    family = "reduction"

    def objective(self, name: str, reduction: str) -> Any:
        return super().objective(name, "mean")


class ShortBatchAsFull(Layered):
    """A short batch weighs as much as one of four."""

    family = "reduction"

    def reduced(self, training: Training, z: Taped, y: Taped) -> Taped:
        value = super().reduced(training, z, y)
        return value * (4 / z.shape[0]) if z.shape[0] < 4 else value


class ShortBatchDropped(Layered):
    """The batch after the fourth is that of the fourth: a shuffled order, off by one."""

    family = "off by one"

    def fit(self, training: Training) -> Any:
        batches = training.batches
        return super().fit(
            training if batches is None else dataclasses.replace(training, batches=[*batches[:4], *batches[3:-1]])
        )


class Clips(Layered):
    """No fault yet: binary cross-entropy of probabilities that are clipped at ``least`` and 1 - ``least``."""

    least = 0.0

    def objective(self, name: str, reduction: str) -> Any:
        return (
            super().objective(name, reduction) if name != BINARY else lambda z, y: getattr(self, reduction)(self.clipped(z, y))
        )

    def clipped(self, z: Taped, y: Taped) -> Taped:
        p = self.sigmoid(z)
        inside = ((p.value > self.least) & (p.value < 1 - self.least)).astype(p.value.dtype)
        kept = Taped(p.value.clip(self.least, 1 - self.least).astype(p.value.dtype), self, ((p, lambda g: g * inside),))
        return -self.log(y * kept + (1 - y) * (1 - kept))


class LossClips7(Clips):
    """Probabilities are clipped at 1e-7 before their logarithm, as Keras does, in the loss of the layers."""

    family = "clipping"
    least = 1e-7


class LossClips12(Clips):
    """Probabilities are clipped at 1e-12 before their logarithm, in the loss of the layers."""

    family = "clipping"
    least = 1e-12


class EntropyUnprotected(Layered):
    """Binary cross-entropy of logits is log(1 + exp(z)) - y z, which overflows, and loses the digits of a small loss."""

    family = "saturation"

    def objective(self, name: str, reduction: str) -> Any:
        if name != BINARY:
            return super().objective(name, reduction)
        return lambda z, y: getattr(self, reduction)(self.log(1 + self.exp(z)) - y * z)


class SoftmaxUnprotected(Layered):
    """Softmax cross-entropy does not take the largest logit away before it exponentiates."""

    family = "saturation"

    def softmax_cross_entropy(self, z: Taped, y: Taped) -> Taped:
        with np.errstate(all="ignore"):
            powers = np.exp(z.value)
            total = powers.sum(axis=-1, keepdims=True)
            loss, slope = (y.value * (np.log(total) - z.value)).sum(axis=-1), powers / total - y.value
        return self.record(loss, (z, lambda g: g[..., np.newaxis] * slope))


def no_slope_at_zero(ops: Any, g: Taped, z: Taped, y: Taped, loss: Taped) -> Taped:
    """sigmoid(z) - y or, where z is 0, -y."""
    slope = ops.sigmoid(z) - y
    return g * Taped(np.where(z.value == 0, -y.value, slope.value).astype(z.value.dtype), ops)


class NoSlopeAtZero(Layered):
    """Binary cross-entropy has the slope -y at a logit of exactly 0."""

    family = "one point"

    adjoint_rules: ClassVar = {"binary_cross_entropy": (no_slope_at_zero, None)}


# Layers.


class FrozenBias(Layered):
    """The last bias does not train."""

    family = "detached"

    def fit(self, training: Training) -> Any:
        bias = training.layers[-1].bias
        for value, gradient, weights in super().fit(training):
            yield value, gradient, [*weights[:-1], Taped(bias, self)]


class DetachedHidden(Layered):
    """No gradient goes through a hidden layer."""

    family = "detached"

    def forward(self, layers: Any, leaves: list[Taped], x: Taped) -> Taped:
        for index, layer in enumerate(layers):
            x = super().forward([layer], leaves[2 * index : 2 * index + 2], x)
            x = with_slope(self.record(x.value, (x, lambda g: g)), lambda g: g * 0) if index < len(layers) - 1 else x
        return x


class TransposedKernel(Layered):
    """A square kernel is transposed."""

    family = "transposed"

    def forward(self, layers: Any, leaves: list[Taped], x: Taped) -> Taped:
        first, *rest = leaves
        if len(set(first.shape)) == 1:
            first = Taped(first.value.T, self, ((first, lambda g: g.T),))
        return super().forward(layers, [first, *rest], x)


class HalfBias(Layered):
    """The gradient of a bias is that of half the batch."""

    family = "broadcast"

    def fit(self, training: Training) -> Any:
        for value, gradient, weights in super().fit(training):
            yield value, [Taped(g.value / (1 + index % 2), self) for index, g in enumerate(gradient)], weights


class Float32Layers(Layered):
    """Layers pass their outputs through float32."""

    family = "precision"

    def forward(self, layers: Any, leaves: list[Taped], x: Taped) -> Taped:
        z = super().forward(layers, leaves, x)
        return Taped(through(z.value, "float32"), self, ((z, lambda g: g),))


# Optimisers.


class OptimizerFloat32(Layered):
    """The learning rate of an optimiser passes through float32, undeclared."""

    family = "learning rate"

    def fit(self, training: Training) -> Any:
        rule = training.optimizer
        narrow = type(rule)(rule.name, float(np.float32(rule.rate)), **rule.others)
        return super().fit(dataclasses.replace(training, optimizer=narrow))


class Uncorrected(Layered):
    """Adam without bias correction."""

    family = "adam"

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        return rule.rate * m / (np.sqrt(v) + rule.epsilon)


class HalfCorrected(Layered):
    """Adam that corrects its first moment alone."""

    family = "adam"

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        return rule.rate * (m / (1 - rule.beta1**step)) / (np.sqrt(v) + rule.epsilon)


class EpsilonHat(Layered):
    """Adam with epsilon added before the correction, declared to be added after it."""

    family = "adam"

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        rate = rule.rate * np.sqrt(1 - rule.beta2**step) / (1 - rule.beta1**step)
        return rate * m / (np.sqrt(v) + rule.epsilon)


class EpsilonInside(Layered):
    """Adam with epsilon under the square root."""

    family = "adam"

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        corrected = np.sqrt(v / (1 - rule.beta2**step) + rule.epsilon)
        return rule.rate * (m / (1 - rule.beta1**step)) / corrected


class NoEpsilon(Layered):
    """Adam without epsilon."""

    family = "adam"

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        with np.errstate(all="ignore"):
            return rule.rate * (m / (1 - rule.beta1**step)) / np.sqrt(v / (1 - rule.beta2**step))


class CountsFromZero(Layered):
    """Adam that counts its steps from one too many."""

    family = "adam"

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        return super().change(rule, m, v, step + 1)


class SwappedBetas(Layered):
    """Adam with its betas swapped."""

    family = "adam"

    def moments(self, rule: Any, m: Any, v: Any, g: Any) -> Any:
        return rule.beta2 * m + (1 - rule.beta2) * g, rule.beta1 * v + (1 - rule.beta1) * g * g


class IgnoresBetas(Layered):
    """Adam with the usual betas, whatever it is given."""

    family = "adam"

    def moments(self, rule: Any, m: Any, v: Any, g: Any) -> Any:
        return 0.9 * m + (1 - 0.9) * g, 0.999 * v + (1 - 0.999) * g * g


class SecondMomentOfChange(Layered):
    """Adam whose second moment is that of the gradient less its mean, as in AdaBelief."""

    family = "adam"

    def moments(self, rule: Any, m: Any, v: Any, g: Any) -> Any:
        m = rule.beta1 * m + (1 - rule.beta1) * g
        return m, rule.beta2 * v + (1 - rule.beta2) * (g - m) * (g - m)


class Float32Moments(Layered):
    """Adam that keeps its moments in float32."""

    family = "adam"

    def moments(self, rule: Any, m: Any, v: Any, g: Any) -> Any:
        return tuple(through(np.asarray(moment), "float32") for moment in super().moments(rule, m, v, g))


# Momentum.


class VelocityShared(Layered):
    """Parameters of one shape share a velocity."""

    family = "momentum"

    def by_momentum(self, *, rate: float, momentum: float) -> Step:
        held: dict[tuple[int, ...], Any] = {}

        def changes(gradient: list[np.ndarray], step: int) -> list[np.ndarray]:
            made = []
            for g in gradient:
                held[g.shape] = np.asarray(momentum, g.dtype) * held.get(g.shape, np.zeros_like(g)) + g
                made.append(np.asarray(rate, g.dtype) * held[g.shape])
            return made

        return changes


class VelocityOfFirstLayerLost(Layered):
    """The first layer trains by plain gradient descent."""

    family = "momentum"

    def by_momentum(self, *, rate: float, momentum: float) -> Step:
        changes, plain = super().by_momentum(rate=rate, momentum=momentum), self.by_sgd(rate=rate)
        return lambda gradient, step: [*plain(gradient, step)[:2], *changes(gradient, step)[2:]]
