"""Faults of what comes out of a gradient, and of how tensors go in and out, over numpy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from arithmetic.tape import Taped
from backends.numpy import Numpy
from tests.meta.fleet.arithmetic import through

SOUND = "numpy"


class Changed(Numpy):
    """No fault yet: every gradient goes through ``changed``, every loss through ``reported``."""

    def changed(self, name: str, g: np.ndarray) -> Any:
        return g

    def reported(self, value: np.ndarray) -> Any:
        return value

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        value, gradient = super().value_and_grad(loss, params, data)
        self.last = list(gradient)[-1]
        changed = {name: Taped(np.asarray(self.changed(name, g.value)), self) for name, g in gradient.items()}
        return Taped(np.asarray(self.reported(value.value)), self), changed


class Scaled(Changed):
    """No fault yet: gradients are ``factor`` times themselves."""

    factor = 1.0

    def changed(self, name: str, g: np.ndarray) -> Any:
        return g * g.dtype.type(self.factor)


class Twice(Scaled):
    """Gradients are twice themselves."""

    family = "scale"
    factor = 2


class HalfPercent(Scaled):
    """Gradients are 0.5 % too large."""

    family = "scale"
    factor = 1.005


class HalfPerMille(Scaled):
    """Gradients are 0.05 % too large."""

    family = "scale"
    factor = 1.0005


class Millionth(Scaled):
    """Gradients are a millionth too large."""

    family = "scale"
    factor = 1 + 1e-6


class TenBillionth(Scaled):
    """Gradients are 1e-10 too large, relatively."""

    family = "scale"
    factor = 1 + 1e-10


class LossTenBillionth(Changed):
    """The loss is 1e-10 too large, relatively."""

    family = "scale"

    def reported(self, value: np.ndarray) -> Any:
        return value * value.dtype.type(1 + 1e-10)


class Flipped(Scaled):
    """Gradients have the wrong sign."""

    family = "sign"
    factor = -1


class Zero(Scaled):
    """Gradients are zero."""

    family = "zero"
    factor = 0


class LastZero(Changed):
    """The last parameter's gradient is zero."""

    family = "zero"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return g * 0 if name == self.last else g


class Rolled(Changed):
    """The entries of a gradient are one place off."""

    family = "permuted"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return np.roll(g, 1)


class Swapped(Numpy):
    """The first two parameters of one shape have each other's gradient."""

    family = "permuted"

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        value, gradient = super().value_and_grad(loss, params, data)
        for a, b in itertools.combinations(gradient, 2):
            if gradient[a].shape == gradient[b].shape:
                return value, gradient | {a: gradient[b], b: gradient[a]}
        return value, gradient


class Transposed(Changed):
    """A gradient is that of the transpose, in the shape of the parameter."""

    family = "transposed"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return np.ascontiguousarray(g.T).reshape(g.shape)


class OneEntry(Changed):
    """One entry of the last gradient is a thousandth too large."""

    family = "one entry"
    size = 1e-3

    def changed(self, name: str, g: np.ndarray) -> Any:
        g = np.array(g)
        if name == self.last:
            g.ravel()[-1:] *= g.dtype.type(1 + self.size)
        return g


class OneEntryBillionth(OneEntry):
    """One entry of the last gradient is a billionth too large."""

    family = "one entry"
    size = 1e-9


class FirstEntryZero(Changed):
    """The first entry of every gradient is zero."""

    family = "one entry"

    def changed(self, name: str, g: np.ndarray) -> Any:
        g = np.array(g)
        g.ravel()[:1] = 0
        return g


class Float16Gradient(Changed):
    """Gradients pass through float16."""

    family = "precision"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return through(g, "float16")


class Float32Gradient(Changed):
    """Gradients pass through float32."""

    family = "precision"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return through(g, "float32")


class ClippedGradient(Changed):
    """Entries of gradients are clipped at 1."""

    family = "clipping"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return g.clip(-1, 1)


class ClippedNorm(Changed):
    """Gradients longer than 1 are made as long as 1."""

    family = "clipping"

    def changed(self, name: str, g: np.ndarray) -> Any:
        length = np.sqrt((g * g).sum())
        return g / length if length > 1 else g


# Lying.


class HalfTheLoss(Scaled):
    """The gradient is that of half the loss, beside the right loss."""

    family = "lying"
    factor = 0.5


class WrongLoss(Changed):
    """The loss is a billionth too large, beside the right gradient."""

    family = "lying"

    def reported(self, value: np.ndarray) -> Any:
        return value * value.dtype.type(1 + 1e-9)


class AnotherLoss(Changed):
    """The loss is one too large, beside the right gradient."""

    family = "lying"

    def reported(self, value: np.ndarray) -> Any:
        return value + value.dtype.type(1)


class NanEntry(Changed):
    """One entry of the last gradient is not a number."""

    family = "lying"

    def changed(self, name: str, g: np.ndarray) -> Any:
        g = np.array(g)
        if name == self.last:
            g.ravel()[-1:] = np.nan
        return g


class ShapeThatBroadcasts(Changed):
    """Gradients of equal entries come as one number, which broadcasts; others come with one axis too many."""

    family = "lying"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return g[np.newaxis] if np.ptp(g) or g.ndim == 0 else g.ravel()[0]


class LossInBrackets(Changed):
    """The loss has the shape (1,)."""

    family = "lying"

    def reported(self, value: np.ndarray) -> Any:
        return value.reshape(1)


class WiderDtype(Changed):
    """Gradients come as float64, their values right."""

    family = "lying"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return g.astype(np.float64)


class NarrowerDtype(Changed):
    """Gradients come as float32, their values right to that."""

    family = "lying"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return g.astype(np.float32)


class NanToNum(Changed):
    """Gradients that are not finite are made so."""

    family = "lying"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return np.nan_to_num(g)


class NanMasked(Changed):
    """A loss that is not a number is reported as 0."""

    family = "lying"

    def reported(self, value: np.ndarray) -> Any:
        return np.where(np.isnan(value), value.dtype.type(0), value)


class InfinityToNum(Changed):
    """Entries of gradients that are infinite are the largest number."""

    family = "lying"

    def changed(self, name: str, g: np.ndarray) -> Any:
        return np.nan_to_num(g, nan=np.nan)


class InfinityMasked(Changed):
    """A loss that is infinite is reported as the largest number."""

    family = "lying"

    def reported(self, value: np.ndarray) -> Any:
        return np.nan_to_num(value, nan=np.nan)


# Mutation and state.


class WritesInputs(Numpy):
    """Evaluating a gradient moves the parameters."""

    family = "mutation"

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        result = super().value_and_grad(loss, params, data)
        for tensor in params.values():
            tensor.value += 1
        return result


class TrainWritesData(Numpy):
    """Training writes into the data that it was given."""

    family = "mutation"

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        for data in batches:
            for value, gradient, after in super().train(loss, params, [data], rate):
                for tensor in data.values():
                    tensor.value[...] += 1
                params = after
                yield value, gradient, after


class Shares(Numpy):
    """Tensors are views of the arrays that they are made from."""

    family = "mutation"

    def tensor(self, array: np.ndarray) -> Taped:
        return Taped(np.asarray(array), self)


class Random(Changed):
    """The gradient changes in the last place from call to call."""

    family = "mutation"

    def changed(self, name: str, g: np.ndarray) -> Any:
        self.calls = getattr(self, "calls", 0) + 1
        return g * g.dtype.type(1 + self.calls % 2 * np.finfo(g.dtype).eps)


class AccumulatesCalls(Numpy):
    """A gradient has that of the call before added to it, where shapes allow."""

    family = "accumulated"

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        value, gradient = super().value_and_grad(loss, params, data)
        before, self.before = getattr(self, "before", {}), gradient
        for name, g in gradient.items():
            if name in before and before[name].shape == g.shape:
                gradient = gradient | {name: Taped(np.asarray(g.value + before[name].value, g.value.dtype), self)}
        return value, gradient
