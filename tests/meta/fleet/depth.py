"""Faults of nets of three layers or more, of layers and parameters that are alike, and of losses and models by themselves."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np

from arithmetic.tape import Taped
from backends.training import Training
from tests.meta.fleet.arithmetic import with_slope
from tests.meta.layered import Layered, native_losses

SOUND = "tests.meta.layered:Layered"


def first_of_each(keys: list[Any]) -> list[int]:
    """Return for each key the index of the first that is equal to it."""
    return [keys.index(key) for key in keys]


# Gradients.


class DetachedBelowTheSecond(Layered):
    """The gradient goes through the last two layers and no further."""

    family = "detached"

    def forward(self, layers: Any, leaves: list[Taped], x: Taped) -> Taped:
        for index, layer in enumerate(layers):
            x = super().forward([layer], leaves[2 * index : 2 * index + 2], x)
            if index < len(layers) - 2:
                x = with_slope(self.record(x.value, (x, lambda g: g)), lambda g: g * 0)
        return x


class FrozenInTheMiddle(Layered):
    """Layers that are neither first nor last do not train."""

    family = "detached"

    def fit(self, training: Training) -> Any:
        start = [part for layer in training.layers for part in layer.arrays]
        for value, gradient, weights in super().fit(training):
            kept = [
                Taped(w, self) if 2 <= index < len(start) - 2 else after
                for index, (w, after) in enumerate(zip(start, weights, strict=True))
            ]
            yield value, gradient, kept


class Rearranged(Layered):
    """No fault yet: gradients are given out in another order of the layers."""

    def order(self, training: Training, weights: list[np.ndarray]) -> list[int]:
        """Return for each parameter the index of the one whose gradient it is given."""
        return list(range(len(weights)))

    def fit(self, training: Training) -> Any:
        weights = [part for layer in training.layers for part in layer.arrays]
        for value, gradient, after in super().fit(training):
            order = self.order(training, weights)
            weights = [w.value for w in after]
            yield value, [gradient[index] for index in order], after


class GradientsByShape(Rearranged):
    """Gradients are found by the shape of their parameter: the first of a shape serves all."""

    family = "alike"

    def order(self, training: Training, weights: list[np.ndarray]) -> list[int]:
        return first_of_each([w.shape for w in weights])


class GradientsByValue(Rearranged):
    """Gradients are found by the value of their parameter: parameters that are equal get the same."""

    family = "alike"

    def order(self, training: Training, weights: list[np.ndarray]) -> list[int]:
        return first_of_each([w.tobytes() for w in weights])


class LayersInAnotherOrder(Rearranged):
    """The layers between the first and the last come in the reverse order."""

    family = "permuted"

    def order(self, training: Training, weights: list[np.ndarray]) -> list[int]:
        layers = len(training.layers)
        order = [0, *range(layers - 2, 0, -1), layers - 1] if layers > 1 else [0]
        fits = all(weights[2 * here].shape == weights[2 * there].shape for here, there in enumerate(order))
        return [2 * index + part for index in (order if fits else range(layers)) for part in (0, 1)]


class TiedLayers(Layered):
    """Layers that start with the same kernel share it: what one learns, the other has."""

    family = "alike"

    def fit(self, training: Training) -> Any:
        first = first_of_each([layer.kernel.tobytes() for layer in training.layers])
        for value, gradient, weights in super().fit(training):
            yield value, gradient, [weights[2 * first[index // 2] + index % 2] for index in range(len(weights))]


# Activations.


class LeakyReluOfLayers(Layered):
    """A layer's relu lets a thousandth of what is negative through."""

    family = "activation"

    def forward(self, layers: Any, leaves: list[Taped], x: Taped) -> Taped:
        for index, layer in enumerate(layers):
            plain = dataclasses.replace(layer, activation="") if layer.activation == "relu" else layer
            x = super().forward([plain], leaves[2 * index : 2 * index + 2], x)
            x = self.relu(x) - self.relu(-x) * x.value.dtype.type(1e-3) if plain is not layer else x
        return x


class NoMiddleActivation(Layered):
    """The third layer and those after it have no activation."""

    family = "activation"

    def forward(self, layers: Any, leaves: list[Taped], x: Taped) -> Taped:
        plain = [dataclasses.replace(layer, activation="") if index > 1 else layer for index, layer in enumerate(layers)]
        return super().forward(plain, leaves, x)


class TanhLayerSlope(Layered):
    """The derivative of a layer's tanh is 1 - |y| in place of 1 - y^2."""

    family = "activation"

    def forward(self, layers: Any, leaves: list[Taped], x: Taped) -> Taped:
        for index, layer in enumerate(layers):
            x = super().forward([dataclasses.replace(layer, activation="")], leaves[2 * index : 2 * index + 2], x)
            if layer.activation == "tanh":
                y = np.tanh(x.value)
                x = self.record(y, (x, lambda g, y=y: g * (1 - np.abs(y))))
            elif layer.activation:
                x = getattr(self, layer.activation)(x)
        return x


# What Adam remembers.


class Remembering(Layered):
    """No fault yet: the moments and steps of Adam are kept under keys."""

    def key(self, index: int, weights: list[np.ndarray]) -> Any:
        return index

    def fit(self, training: Training) -> Any:
        rule = training.optimizer
        if rule.name != "adam":
            yield from super().fit(training)
            return
        weights = [part for layer in training.layers for part in layer.arrays]
        kept: dict[Any, Any] = {}
        for step, (x, y) in enumerate(training.examples(self.tensor), start=1):
            leaves = [Taped(np.asarray(w), self, leaf=True) for w in weights]
            value = self.reduced(training, self.forward(training.layers, leaves, x), y)
            adjoints = self.adjoints(value)
            gradient = [adjoints[id(leaf)] for leaf in leaves]
            self.begun(kept, x.shape)
            changes = []
            for index, g in enumerate(gradient):
                key = self.key(index, weights)
                m, v = self.moments(rule, *kept.get(key, (np.zeros_like(g), np.zeros_like(g))), g)
                kept[key] = m, v
                changes.append(self.change(rule, m, v, self.count(kept, x.shape, step)))
            weights = [(w - change).astype(w.dtype) for w, change in zip(weights, changes, strict=True)]
            yield value, [Taped(g, self) for g in gradient], [Taped(w, self) for w in weights]

    def begun(self, kept: dict[Any, Any], shape: tuple[int, ...]) -> None:
        """A step begins, on a batch of this shape."""

    def count(self, kept: dict[Any, Any], shape: tuple[int, ...], step: int) -> int:
        return step


class MomentsByShape(Remembering):
    """Adam keeps its moments by the shape of the parameter."""

    family = "alike"

    def key(self, index: int, weights: list[np.ndarray]) -> Any:
        return weights[index].shape


class MomentsByStart(Remembering):
    """Adam keeps the moments of parameters that start alike as one."""

    family = "alike"
    firsts: Any = None

    def fit(self, training: Training) -> Any:
        parts = [part.tobytes() for layer in training.layers for part in layer.arrays]
        self.firsts = first_of_each(parts)
        return super().fit(training)

    def key(self, index: int, weights: list[np.ndarray]) -> Any:
        return self.firsts[index]


class MomentsOfABatchShape(Remembering):
    """Adam forgets its moments where a batch has another shape than the one before."""

    family = "batches"

    def begun(self, kept: dict[Any, Any], shape: tuple[int, ...]) -> None:
        if kept.get("shape", shape) != shape:
            kept.clear()
        kept["shape"] = shape


class StepsOfABatchShape(Remembering):
    """Adam counts the steps of each shape of batches by itself, as where each is compiled by itself."""

    family = "batches"

    def begun(self, kept: dict[Any, Any], shape: tuple[int, ...]) -> None:
        kept["steps", shape] = kept.get(("steps", shape), 0) + 1

    def count(self, kept: dict[Any, Any], shape: tuple[int, ...], step: int) -> int:
        return kept["steps", shape]


class StepsOfTheRunBefore(Layered):
    """Adam counts on from the run before, where its first step was one."""

    family = "not repeated"
    runs = 0

    def fit(self, training: Training) -> Any:
        self.runs += 1
        return super().fit(training)

    def change(self, rule: Any, m: Any, v: Any, step: int) -> Any:
        return super().change(rule, m, v, step + self.runs - 1)


class NativeLossAskedAgain(Layered):
    """A native loss is a millionth too large where it is asked for outputs that it has seen before."""

    family = "not repeated"


def _asked_again(compute: Any, seen: set[bytes], z: Any, y: Any) -> Any:
    value, known = compute(z, y), z.value.tobytes() in seen
    seen.add(z.value.tobytes())
    return value * z.value.dtype.type(1 + 1e-6) if known else value


NativeLossAskedAgain.native_losses = tuple(
    dataclasses.replace(each, compute=partial(_asked_again, each.compute, set())) for each in native_losses(Layered)
)


# Losses and models by themselves, sound as native losses.


class SoftmaxMeanIsSum(Layered):
    """The mean of a softmax cross-entropy is the sum, in training runs and in no native loss."""

    family = "reduction"

    def objective(self, name: str, reduction: str) -> Any:
        return super().objective(name, "sum" if name == "softmax cross-entropy" else reduction)


SoftmaxMeanIsSum.native_losses = native_losses(Layered)


class SquaresHalved(Layered):
    """The sum of squared errors is half of it, in training runs and in no native loss."""

    family = "scale"

    def objective(self, name: str, reduction: str) -> Any:
        whole = super().objective(name, reduction)
        return (lambda z, y: whole(z, y) * 0.5) if (name, reduction) == ("squared error", "sum") else whole


SquaresHalved.native_losses = native_losses(Layered)


class BinaryMeanOverOneLess(Layered):
    """The mean of a binary cross-entropy divides by n - 1, in training runs and in no native loss."""

    family = "reduction"

    def objective(self, name: str, reduction: str) -> Any:
        if (name, reduction) != ("binary cross-entropy", "mean"):
            return super().objective(name, reduction)
        total = super().objective(name, "sum")
        return lambda z, y: total(z, y) * z.value.dtype.type(1 / max(1, z.shape[0] - 1))


BinaryMeanOverOneLess.native_losses = native_losses(Layered)


class ModelWithoutItsLastBias(Layered):
    """The model that is given out lacks the bias of its last layer; training has it."""

    family = "model"

    def model(self, level: str, layers: Any) -> Any:
        last = dataclasses.replace(layers[-1], bias=np.zeros_like(layers[-1].bias))
        return super().model(level, [*layers[:-1], last])


class ModelInFloat32(Layered):
    """The model that is given out passes its outputs through float32; training does not."""

    family = "model"

    def model(self, level: str, layers: Any) -> Any:
        sound = super().model(level, layers)

        def outputs(x: Taped) -> Taped:
            z = sound(x)
            return Taped(z.value.astype(np.float32).astype(z.value.dtype), self)

        return outputs


class ModelOfAnotherLevel(Layered):
    """A model class has its first activation left out; training has it."""

    family = "model"

    def model(self, level: str, layers: Any) -> Any:
        if level == "class":
            layers = [dataclasses.replace(layers[0], activation=""), *layers[1:]]
        return super().model(level, layers)
