"""Faults of operations and their derivatives, in the tape over numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from arithmetic.tape import Taped
from backends.numpy import Numpy

SOUND = "numpy"


def through(x: np.ndarray, dtype: str) -> np.ndarray:
    """Round to a narrower dtype and back."""
    with np.errstate(over="ignore"):
        return x.astype(dtype).astype(x.dtype)


def rounded_to_bits(x: np.ndarray, bits: int) -> np.ndarray:
    """Round to so many bits of the significand."""
    mantissa, exponent = np.frexp(x)
    return np.ldexp(np.round(mantissa * 2.0**bits) / 2.0**bits, exponent).astype(x.dtype)


def with_slope(y: Taped, change: Any) -> Taped:
    """Return the result of an operation of one operand, ``change`` made to what its pullback returns."""
    if not y.operands:
        return y
    ((x, pullback),) = y.operands
    return Taped(y.value, y.number, ((x, lambda g: change(pullback(g))),))


# Reduction.


class SumIsMean(Numpy):
    """Sums are means."""

    family = "reduction"

    def sum(self, x: Taped) -> Taped:
        return self.mean(x)


class MeanIsSum(Numpy):
    """Means are sums."""

    family = "reduction"

    def mean(self, x: Taped) -> Taped:
        return self.sum(x)


class OverOneAxis(Numpy):
    """A mean divides by the length of the last axis alone."""

    family = "reduction"

    def mean(self, x: Taped) -> Taped:
        return self.sum(x) / (x.shape[-1] if x.shape else 1)


class OverOneLess(Numpy):
    """A mean of n numbers divides by n - 1."""

    family = "reduction"

    def mean(self, x: Taped) -> Taped:
        return self.sum(x) / max(1, math.prod(x.shape) - 1)


class GradientOfSum(Numpy):
    """The gradient of a mean lacks 1 / n."""

    family = "reduction"

    def mean(self, x: Taped) -> Taped:
        return with_slope(super().mean(x), lambda g: g * g.dtype.type(math.prod(x.shape)))


class PartialBatch(Numpy):
    """A sum leaves out its last term."""

    family = "reduction"

    def sum(self, x: Taped) -> Taped:
        kept = np.ones(x.shape, x.value.dtype)
        if kept.size > 1:
            kept.ravel()[-1] = 0
        return super().sum(self.multiply(x, Taped(kept, self)))


# Scale and sign of one operation.


class ExpSlope(Numpy):
    """The derivative of exp is a millionth too large."""

    family = "scale"

    def exp(self, x: Taped) -> Taped:
        return with_slope(super().exp(x), lambda g: g * g.dtype.type(1 + 1e-6))


class LogSlope(Numpy):
    """The derivative of log is a millionth too large."""

    family = "scale"

    def log(self, x: Taped) -> Taped:
        return with_slope(super().log(x), lambda g: g * g.dtype.type(1 + 1e-6))


class TanhSlope(Numpy):
    """The derivative of tanh is a millionth too large."""

    family = "scale"

    def tanh(self, x: Taped) -> Taped:
        return with_slope(super().tanh(x), lambda g: g * g.dtype.type(1 + 1e-6))


class SigmoidSlope(Numpy):
    """The derivative of sigmoid is 0.5 % too large."""

    family = "scale"

    def sigmoid(self, x: Taped) -> Taped:
        return with_slope(super().sigmoid(x), lambda g: g * g.dtype.type(1.005))


class ReluSlope(Numpy):
    """The derivative of relu is a millionth too large."""

    family = "scale"

    def relu(self, x: Taped) -> Taped:
        return with_slope(super().relu(x), lambda g: g * g.dtype.type(1 + 1e-6))


class MinusIsPlus(Numpy):
    """What is subtracted gets its adjoint with the wrong sign."""

    family = "sign"

    def subtract(self, a: Taped, b: Taped) -> Taped:
        return super().subtract(a, with_slope(self.record(b.value, (b, lambda g: g)), np.negative))


class SigmoidOfMinus(Numpy):
    """The derivative of sigmoid has the wrong sign for negative arguments."""

    family = "sign"

    def sigmoid(self, x: Taped) -> Taped:
        return with_slope(super().sigmoid(x), lambda g: np.where(x.value < 0, -g, g))


# Zero, permuted, transposed.


class ZeroNumerator(Numpy):
    """The numerator of a quotient gets no gradient."""

    family = "zero"

    def divide(self, a: Taped, b: Taped) -> Taped:
        return super().divide(Taped(a.value, self), b)


class ReversedRows(Numpy):
    """The right factor of a matrix product gets the rows of its adjoint in reverse."""

    family = "permuted"

    def matmul(self, a: Taped, b: Taped) -> Taped:
        return super().matmul(a, self.record(b.value, (b, lambda g: g[::-1])))


class KeepsTranspose(Numpy):
    """The left factor of a product with a square matrix gets an adjoint by that matrix, not by its transpose."""

    family = "transposed"

    def matmul(self, a: Taped, b: Taped) -> Taped:
        if len(set(b.shape)) > 1:
            return super().matmul(a, b)
        right = self.record(b.value, (b, lambda g: self.product(a.value.T, g)))
        return self.record(self.product(a.value, b.value), (a, lambda g: self.product(g, b.value)), (right, lambda g: g))


class SquareTransposed(Numpy):
    """The adjoint of a square matrix on the left of a product is transposed."""

    family = "transposed"

    def matmul(self, a: Taped, b: Taped) -> Taped:
        square = len(set(a.shape)) == 1
        return super().matmul(self.record(a.value, (a, lambda g: g.T)) if square else a, b)


# Broadcasting and detached branches.


class FirstOfBroadcast(Numpy):
    """What was broadcast gets one of its adjoints, the first, not their sum."""

    family = "broadcast"

    def total_to(self, shape: tuple[int, ...], adjoint: Any) -> Any:
        if adjoint.shape == shape:
            return adjoint
        added = adjoint.ndim - len(shape)
        one = adjoint[(0,) * added]
        return np.ascontiguousarray(one[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)]).reshape(shape)


class MeanOfBroadcast(Numpy):
    """What was broadcast gets the mean of its adjoints, not their sum."""

    family = "broadcast"

    def total_to(self, shape: tuple[int, ...], adjoint: Any) -> Any:
        times = adjoint.dtype.type(adjoint.size // max(1, math.prod(shape)))
        return np.asarray(super().total_to(shape, adjoint) / times)


class NotSummedBack(Numpy):
    """What was broadcast gets an adjoint of the broadcast shape."""

    family = "broadcast"

    def total_to(self, shape: tuple[int, ...], adjoint: Any) -> Any:
        return adjoint


class DetachedSigmoid(Numpy):
    """No gradient goes through a sigmoid of a sigmoid's descendants."""

    family = "detached"

    def sigmoid(self, x: Taped) -> Taped:
        y = super().sigmoid(x)
        return Taped(y.value, self) if any(operand.operands for operand, _ in x.operands) else y


class OneUseOfTwo(Numpy):
    """Of two uses of a tensor, one alone reaches it."""

    family = "detached"

    def summed(self, terms: Any, axes: tuple[int, ...]) -> Any:
        return terms[..., -1] if axes == (-1,) else super().summed(terms, axes)


class LeftFactorDetached(Numpy):
    """In x * x the left factor gets no gradient."""

    family = "detached"

    def multiply(self, a: Taped, b: Taped) -> Taped:
        return super().multiply(Taped(a.value, self) if a is b else a, b)
