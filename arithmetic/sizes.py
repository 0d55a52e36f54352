"""What cancels: the tape over floats that remember the sizes of the terms which they were made of.

The size of a sum or a difference is the sum of the sizes of its terms, that of a product the product of those of its factors,
that of a quotient the size of the numerator over the absolute value of the denominator. Where the exact result is 0, a wrong
one, as one that lacks a term, is about as large as its size. How a 0 is judged by it stands in oracle/comparison.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from arithmetic.floats import Floats
from arithmetic.tape import Array, Tape, Taped
from vocabulary.tensors import Arrays, Formula


class Sized:
    """A number and the size of the terms that it was made of."""

    __slots__ = ("size", "value")

    def __init__(self, value: float, size: float) -> None:
        self.value = value
        self.size = size

    def __add__(self, other: Sized) -> Sized:
        return Sized(self.value + other.value, self.size + other.size)

    def __sub__(self, other: Sized) -> Sized:
        return Sized(self.value - other.value, self.size + other.size)

    def __mul__(self, other: Sized) -> Sized:
        return Sized(self.value * other.value, self.size * other.size)

    def __truediv__(self, other: Sized) -> Sized:
        with np.errstate(all="ignore"):
            return Sized(float(np.divide(self.value, other.value)), float(np.divide(self.size, abs(other.value))))

    def __neg__(self) -> Sized:
        return Sized(-self.value, self.size)

    def __abs__(self) -> Sized:
        return Sized(abs(self.value), self.size)

    def __lt__(self, other: Sized) -> bool:
        return self.value < other.value

    def __gt__(self, other: Sized) -> bool:
        return self.value > other.value

    def __le__(self, other: Sized) -> bool:
        return self.value <= other.value

    def __ge__(self, other: Sized) -> bool:
        return self.value >= other.value

    def __float__(self) -> float:
        return self.value


def _sized(values: np.ndarray) -> np.ndarray:
    """Numbers as such, whose size is their own."""
    array = np.asarray(values, dtype=np.float64)
    numbers = [Sized(value, abs(value)) for value in array.ravel().tolist()]
    return np.fromiter(numbers, dtype=object, count=len(numbers)).reshape(array.shape)


def _values(x: Array) -> np.ndarray:
    return np.array([number.value for number in x.ravel()], dtype=np.float64).reshape(x.shape)


def _sizes(x: Array) -> np.ndarray:
    return np.array([number.size for number in x.ravel()], dtype=np.float64).reshape(x.shape)


class Sizes(Tape):
    """Reverse mode over numbers with sizes, in float64. A function of one has the size of its value."""

    def __init__(self) -> None:
        self._floats = Floats()

    def tensor(self, array: np.ndarray) -> Taped:
        return Taped(_sized(array), self)

    def array(self, tensor: Taped) -> np.ndarray:
        return _values(tensor.value)

    def constant(self, value: Any, like: Array) -> Array:
        return _sized(np.asarray(value))

    def function(self, name: str, x: Array) -> Array:
        return _sized(self._floats.function(name, _values(x)))

    def step(self, x: Array) -> Array:
        return _sized(self._floats.step(_values(x)))

    def maximum0(self, x: Array) -> Array:
        return x * self.step(x)

    def are_labels(self, y: Taped) -> bool:
        return bool(np.isin(self.array(y), (0, 1)).all())


def sizes(formula: Formula, params: Arrays, data: Arrays, *, forward: bool = False) -> dict[str, np.ndarray]:
    """Return the sizes of what a loss and its gradient are sums of, as ``value`` and ``gradient NAME``.

    ``forward`` leaves the gradient out; the formula then need not be a scalar.
    """
    tape = Sizes()
    point, seen = ({name: tape.tensor(array) for name, array in arrays.items()} for arrays in (params, data))
    with np.errstate(all="ignore"):  # a size that is not finite gives no verdict
        if forward:
            return {"value": _sizes(formula(tape, point, seen).value)}
        value, gradient = tape.value_and_grad(formula, point, seen)
    return {"value": _sizes(value.value)} | {f"gradient {name}": _sizes(g.value) for name, g in gradient.items()}
