"""Faults that show at some sizes alone, or in single entries, in the tape over numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from arithmetic.tape import Taped
from backends.numpy import Numpy
from tests.meta.fleet.arithmetic import through

SOUND = "numpy"
# Terms that are added at once.
WIDE = 16


def in_leftovers(size: int, least: int) -> bool:
    """Whether so many terms leave ``least`` or more over where WIDE are added at once."""
    return size > WIDE and size % WIDE >= least


class LogForgetsLeftovers(Numpy):
    """The logarithms of what is left over where 8 are taken at once are 0."""

    family = "sizes"

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        y = super().function(name, x)
        if name == "log" and y.size > 8 and y.size % 8:
            y.reshape(-1)[-(y.size % 8) :] = 0
        return y


class RowsForgotten(Numpy):
    """What was spread over more than 64 rows has a gradient that sums the first 64 of them."""

    family = "sizes"

    def total_to(self, shape: tuple[int, ...], adjoint: np.ndarray) -> np.ndarray:
        spread = adjoint.ndim == 2 and adjoint.shape[0] > 64 and shape[:-1] in ((), (1,))
        return super().total_to(shape, adjoint[:64] if spread else adjoint)


class ProductForgetsLastRows(Numpy):
    """The gradient of the right factor of a product over more than 64 rows leaves out the last 13 of them."""

    family = "sizes"

    def matmul(self, a: Taped, b: Taped) -> Taped:
        product, rows = super().matmul(a, b), a.shape[0]
        kept = np.arange(rows)[:, np.newaxis] < (rows - 13 if rows > 64 else rows)

        def part(pullback: Any) -> Any:
            return lambda g: pullback(np.where(kept, g, g.dtype.type(0)))

        product.operands = tuple((x, part(pullback) if x is b else pullback) for x, pullback in product.operands)
        return product


class PolesAreLarge(Numpy):
    """The logarithm of 0 is that of the smallest number, and a quotient by 0 is 0."""

    family = "saturation"

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        return super().function(name, np.where(x == 0, np.finfo(x.dtype).tiny, x) if name == "log" else x)

    def divide(self, a: Taped, b: Taped) -> Taped:
        quotient = super().divide(a, b)
        quotient.value = np.where(self.aligned(a, b)[1] == 0, quotient.value.dtype.type(0), quotient.value)
        return quotient


class RateInSixDigits(Numpy):
    """The learning rate is passed on as a text of six digits."""

    family = "learning rate"

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        return super().train(loss, params, batches, float(f"{rate:g}"))


class SumForgetsLeftovers(Numpy):
    """A sum whose length leaves 13 terms or more over, where 16 are added at once, forgets the last of them."""

    family = "sizes"

    def summed(self, terms: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        kept = np.array(terms)
        if in_leftovers(math.prod(terms.shape[axis] for axis in axes), 13):
            kept.reshape(-1)[-1] = 0
        return super().summed(kept, axes)


class MeanForgetsLeftovers(Numpy):
    """A mean whose length leaves 14 terms or more over counts one term too few."""

    family = "sizes"

    def mean(self, x: Taped) -> Taped:
        size = math.prod(x.shape)
        return super().mean(x) * x.value.dtype.type(size / (size - 1)) if in_leftovers(size, 14) else super().mean(x)


class LongSumInParts(Numpy):
    """A sum of more than 32768 terms is made in two parts, of which the second begins one term late."""

    family = "sizes"
    part = 2**15

    def summed(self, terms: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        kept = np.array(terms)
        if kept.size > self.part:
            kept.reshape(-1)[self.part] = 0
        return super().summed(kept, axes)


class LongSumInFloat32(Numpy):
    """A sum of more than 1025 terms is made in float32."""

    family = "sizes"

    def summed(self, terms: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        total = super().summed(terms, axes)
        return through(total, "float32") if math.prod(terms.shape[axis] for axis in axes) > 1025 else total


class ProductForgetsLeftovers(Numpy):
    """A matrix product over a length that leaves 13 terms or more over lacks the last of them."""

    family = "sizes"

    def product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return super().product(a[..., :-1], b[..., :-1, :]) if in_leftovers(a.shape[-1], 13) else super().product(a, b)


class LongProductForgetsItsEnd(Numpy):
    """A matrix product over more than 4096 terms makes the first 4096."""

    family = "sizes"

    def product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return super().product(a[..., :4096], b[..., :4096, :])


class LongProductInFloat32(Numpy):
    """A matrix product over more than 256 terms is made in float32."""

    family = "sizes"

    def product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        found = super().product(a, b)
        return through(found, "float32") if a.shape[-1] > 256 else found


class DividesByReciprocal(Numpy):
    """A quotient of tensors is a product with a rounded reciprocal: half a unit in the last place more."""

    family = "one operation"

    def divide(self, a: Taped, b: Taped) -> Taped:
        quotient = super().divide(a, b)
        x, y = self.aligned(a, b)
        return Taped(self.boxed(x * (self.constant(1, y) / y)), self, quotient.operands)


class Nudged(Numpy):
    """No fault yet: one in seven results of an operation is the next number."""

    def nudged(self, result: Taped) -> Taped:
        value = np.array(result.value)
        if value.size > 6:
            value.reshape(-1)[::7] = np.nextafter(value.reshape(-1)[::7], value.dtype.type(np.inf))
        return Taped(value, self, result.operands)


class NudgedQuotient(Nudged):
    """One in seven quotients is a unit in the last place too large."""

    family = "one operation"

    def divide(self, a: Taped, b: Taped) -> Taped:
        return self.nudged(super().divide(a, b))


class NudgedProduct(Nudged):
    """One in seven products is a unit in the last place too large."""

    family = "one operation"

    def multiply(self, a: Taped, b: Taped) -> Taped:
        return self.nudged(super().multiply(a, b))


class NudgedDifference(Nudged):
    """One in seven differences is a unit in the last place too large."""

    family = "one operation"

    def subtract(self, a: Taped, b: Taped) -> Taped:
        return self.nudged(super().subtract(a, b))


class SecondRun(Numpy):
    """The first training run of a process leaves its weights behind, from which the next of the same shapes goes on."""

    family = "not repeated"
    left: Any = None

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        shapes = {name: w.shape for name, w in params.items()}
        if self.left and shapes == {name: w.shape for name, w in self.left.items()}:
            params = self.left
        for value, gradient, weights in super().train(loss, params, batches, rate):
            self.left = weights
            yield value, gradient, weights


class EverySecondRunIsNudged(Numpy):
    """In every second training run gradients are a unit in the last place too large, which rounding explains."""

    family = "not repeated"
    runs = 0

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        self.runs += 1
        up = self.runs % 2 == 0
        for data in batches:
            value, gradient = self.value_and_grad(loss, params, data)
            if up:
                gradient = {name: Taped(np.nextafter(g.value, g.value + abs(g.value)), self) for name, g in gradient.items()}
            params = {name: Taped(self.updated(w.value, gradient[name].value, rate), self) for name, w in params.items()}
            yield value, gradient, params


class LogsumexpWithoutShift(Numpy):
    """log sum exp as it is defined: large exponentials overflow."""

    family = "saturation"

    def logsumexp(self, x: Taped, axis: int) -> Taped:
        return self.log(self.sum(self.exp(x), axis))


class LogsumexpAlongTheOther(Numpy):
    """The other axis of a square matrix."""

    family = "transposed"

    def logsumexp(self, x: Taped, axis: int) -> Taped:
        square = len(x.shape) == 2 and x.shape[0] == x.shape[1] > 1
        return super().logsumexp(x, -3 - axis if square else axis)


class NanLostInSums(Numpy):
    """What is not a number counts as 0 where two numbers are added."""

    family = "lying"

    def add(self, a: Taped, b: Taped) -> Taped:
        x, y = (Taped(np.where(np.isnan(t.value), t.value.dtype.type(0), t.value), self, ((t, lambda g: g),)) for t in (a, b))
        return super().add(x, y)
