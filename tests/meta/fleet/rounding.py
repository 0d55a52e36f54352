"""Faults of precision, of range and of single points, in the tape over numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from arithmetic.tape import Taped
from backends.numpy import Numpy
from tests.meta.fleet.arithmetic import rounded_to_bits, through, with_slope

SOUND = "numpy"


# Precision.


class Float32Data(Numpy):
    """Data and parameters pass through float32 on their way in."""

    family = "precision"

    def tensor(self, array: np.ndarray) -> Taped:
        return super().tensor(through(array, "float32"))


class Float32Scalars(Numpy):
    """Numbers that stand in a formula pass through float32."""

    family = "precision"

    def lift(self, value: Any, like: Any) -> Any:
        return super().lift(float(np.float32(value)) if isinstance(value, float) else value, like)


class Float32Activation(Numpy):
    """The sigmoid is computed in float32, whatever the dtype."""

    family = "precision"

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        if name == "sigmoid":
            return super().function(name, x.astype(np.float32)).astype(x.dtype)
        return super().function(name, x)


class Float32Saved(Numpy):
    """What a product saves for its derivative is saved in float32."""

    family = "precision"

    def multiply(self, a: Taped, b: Taped) -> Taped:
        x, y = (through(each, "float32") for each in self.aligned(a, b))
        return self.record(
            super().multiply(a, b).value,
            (a, lambda g: self.total_to(a.shape, g * y)),
            (b, lambda g: self.total_to(b.shape, g * x)),
        )


class Float32Sum(Numpy):
    """Sums are accumulated in float32."""

    family = "precision"

    def total(self, x: Taped) -> Any:
        return np.asarray(x.value.sum(dtype=np.float32), dtype=x.value.dtype)


class Float32Matmul(Numpy):
    """Matrices are multiplied in float32."""

    family = "precision"

    def product(self, a: Any, b: Any) -> Any:
        return (a.astype(np.float32) @ b.astype(np.float32)).astype(a.dtype)


class Tf32Matmul(Numpy):
    """Matrices are multiplied with the 11 bits of TF32."""

    family = "precision"

    def product(self, a: Any, b: Any) -> Any:
        return super().product(rounded_to_bits(a, 11), rounded_to_bits(b, 11))


class Bfloat16Matmul(Numpy):
    """Matrices are multiplied with the 8 bits of bfloat16."""

    family = "precision"

    def product(self, a: Any, b: Any) -> Any:
        return super().product(rounded_to_bits(a, 8), rounded_to_bits(b, 8))


class Float16Matmul(Numpy):
    """Matrices are multiplied in float16."""

    family = "precision"

    def product(self, a: Any, b: Any) -> Any:
        return super().product(through(a, "float16"), through(b, "float16"))


class FlushesSubnormals(Numpy):
    """Subnormal numbers are flushed to zero, where they are stated to be kept."""

    family = "precision"

    def round(self, x: Any) -> Any:
        x = self.boxed(x)
        return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.zeros((), x.dtype), x)


class AlignedBackward(Numpy):
    """Backward, matrices whose sizes are all multiples of 8 are multiplied in float32."""

    family = "precision"

    def matmul(self, a: Taped, b: Taped) -> Taped:
        if any(n % 8 for n in (*a.shape, *b.shape)):
            return super().matmul(a, b)
        return self.record(
            self.product(a.value, b.value),
            (a, lambda g: through(self.product(g, b.value.T), "float32")),
            (b, lambda g: through(self.product(a.value.T, g), "float32")),
        )


class LongProducts(Numpy):
    """Matrices with more than 100 terms to a sum are multiplied in float32."""

    family = "precision"

    def product(self, a: Any, b: Any) -> Any:
        product = super().product(a, b)
        return through(product, "float32") if a.shape[-1] > 100 else product


class LongMean(Numpy):
    """The mean of more than 1000 numbers is made in float32."""

    family = "precision"

    def mean(self, x: Taped) -> Taped:
        y = super().mean(x)
        return Taped(through(y.value, "float32"), self, y.operands) if math.prod(x.shape) > 1000 else y


class ManyRows(Numpy):
    """What was broadcast over 50 rows or more gets its adjoint through float32."""

    family = "broadcast"

    def total_to(self, shape: tuple[int, ...], adjoint: Any) -> Any:
        total = super().total_to(shape, adjoint)
        return through(total, "float32") if adjoint.shape != shape and adjoint.shape[0] >= 50 else total


# Clipping and saturation.


class Clips(Numpy):
    """No fault yet: the argument of log is at least ``least``, and the slope is 0 below it."""

    least = 0.0

    def log(self, x: Taped) -> Taped:
        inside = (x.value >= self.least).astype(x.value.dtype)
        clipped = np.maximum(x.value, x.value.dtype.type(self.least))
        return super().log(Taped(clipped, self, ((x, lambda g: g * inside),)))


class Clips7(Clips):
    """Probabilities are clipped at 1e-7 before their logarithm."""

    family = "clipping"
    least = 1e-7


class Clips12(Clips):
    """Probabilities are clipped at 1e-12 before their logarithm."""

    family = "clipping"
    least = 1e-12


class SigmoidByTanh(Numpy):
    """The sigmoid is 0.5 tanh(x / 2) + 0.5, which is 0 where the sigmoid is small."""

    family = "saturation"

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        half = x.dtype.type(0.5)
        return half * np.tanh(half * x) + half if name == "sigmoid" else super().function(name, x)


class SigmoidOverflows(Numpy):
    """The sigmoid is exp(x) / (1 + exp(x)), which is not a number for large x."""

    family = "saturation"

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        if name != "sigmoid":
            return super().function(name, x)
        with np.errstate(all="ignore"):
            return np.exp(x) / (1 + np.exp(x))


class TanhCancels(Numpy):
    """Tanh is 1 - 2 / (exp(2 x) + 1), which loses the digits of small x."""

    family = "saturation"

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        if name != "tanh":
            return super().function(name, x)
        one = x.dtype.type(1)
        with np.errstate(all="ignore"):
            return one - 2 * one / (np.exp(2 * one * x) + one)


class ExpSaturates(Numpy):
    """Exp takes no argument above 60 for more than 60."""

    family = "saturation"

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        return super().function(name, np.minimum(x, x.dtype.type(60)) if name == "exp" else x)


# Kinks and single points.


class KinkIsOne(Numpy):
    """The slope of relu at 0 is 1, where 0 is stated."""

    family = "kink"

    def step(self, x: np.ndarray) -> np.ndarray:
        return (x >= 0).astype(x.dtype)


class KinkIsHalf(Numpy):
    """A tie of x and 0 shares the slope of relu, where 0 is stated."""

    family = "kink"

    def step(self, x: np.ndarray) -> np.ndarray:
        return np.heaviside(x, x.dtype.type(0.5))


class LeakyRelu(Numpy):
    """Relu leaks a thousandth of what is negative."""

    family = "kink"

    def maximum0(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, x.dtype.type(1e-3) * x, x)

    def step(self, x: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x.dtype.type(1), x.dtype.type(1e-3))


class ZeroLogit(Numpy):
    """The derivative of sigmoid is 0 at exactly 0."""

    family = "one point"

    def sigmoid(self, x: Taped) -> Taped:
        return with_slope(super().sigmoid(x), lambda g: np.where(x.value == 0, g * 0, g))


class ZeroLogitByOne(Numpy):
    """The derivative of sigmoid at exactly 0 is taken for 1."""

    family = "one point"

    def sigmoid(self, x: Taped) -> Taped:
        return with_slope(super().sigmoid(x), lambda g: np.where(x.value == 0, 4 * g, g))


class BatchOfOne(Numpy):
    """The mean of a single term is twice that term."""

    family = "one point"

    def mean(self, x: Taped) -> Taped:
        return super().mean(x) * (2 if math.prod(x.shape) == 1 else 1)


class RepeatedIndex(Numpy):
    """Of examples that occur more than once, one alone reaches the right factor of a matrix product."""

    family = "one point"

    def matmul(self, a: Taped, b: Taped) -> Taped:
        first = np.sort(np.unique(a.value, axis=0, return_index=True)[1])
        right = self.record(b.value, (b, lambda g: self.product(a.value[first].T, g[first])))
        left = a if a.wants_gradient else Taped(a.value, self)
        return self.record(self.product(a.value, b.value), (left, lambda g: self.product(g, b.value.T)), (right, lambda g: g))


class NanAtZero(Numpy):
    """Tanh of 0 is not a number."""

    family = "one point"

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        y = super().function(name, x)
        return np.where(x == 0, np.array(np.nan, x.dtype), y) if name == "tanh" else y


class SumSkipsNan(Numpy):
    """A sum leaves out what is not a number."""

    family = "lying"

    def summed(self, terms: Any, axes: tuple[int, ...]) -> Any:
        return self.boxed(np.nansum(terms, axis=axes))


class ReluHidesNan(Numpy):
    """Relu of what is not a number is 0, as fmax has it."""

    family = "lying"

    def maximum0(self, x: np.ndarray) -> np.ndarray:
        return np.fmax(x, self.constant(0, x))
