"""numpy in other forms of functions and derivatives, in other memory, and in forward mode."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from arithmetic.tape import Array, Tape, Taped
from backends.numpy import Numpy
from vocabulary.tensors import Formula, Tensors

# Other forms of functions and derivatives.


def _by_numerator(ops: Any, g: Taped, x: Taped, y: Taped, quotient: Taped) -> Taped:
    return g / y


def _by_cosh(ops: Any, g: Taped, x: Taped, y: Taped) -> Taped:
    with np.errstate(over="ignore"):
        return g * (1 / Taped(np.square(np.cosh(x.value)), ops))


class _Forms(Numpy):
    """One for the dtype at hand, so that no number widens it."""

    def one(self, x: Array) -> Array:
        return self.constant(1, x)


class Branches(_Forms):
    """Forms that libraries for robust mathematics choose, each of few operations that round once.

    sigmoid is 1 / (1 + exp(-x)), or exp(x) / (1 + exp(x)) left of 0, so that nothing overflows; its slope is
    y sigmoid(-x), which does not cancel; tanh is made of expm1, exact to rounding at 0 too, its slope is (1 - y)(1 + y);
    log has the slope 1 / x, rounded by itself; x / y has (g / y)(x / y); a mean is a sum times 1 / n; relu is a choice.
    """

    def function(self, name: str, x: Array) -> Array:
        one = self.one(x)
        if name == "sigmoid":
            power = np.exp(-np.abs(x))
            return np.where(x < 0, power, one) / (one + power)
        if name == "tanh":
            power = np.expm1(-(np.abs(x) + np.abs(x)))
            return np.copysign(power / (power + one + one), x)
        return super().function(name, x)

    def sigmoid(self, x: Taped) -> Taped:
        y = self.function("sigmoid", x.value)
        return self.record(y, (x, lambda g: g * (y * self.function("sigmoid", -x.value))))

    adjoint_rules: ClassVar = {
        "tanh": (lambda ops, g, x, y: g * ((1 - y) * (1 + y)),),
        "log": (lambda ops, g, x, y: g * (1 / x),),
        "/": (_by_numerator, lambda ops, g, x, y, quotient: -(g / y * quotient)),
    }

    def mean(self, x: Taped) -> Taped:
        part = self.one(x.value) / self.constant(math.prod(x.shape), x.value)
        return self.record(self.total(x) * part, (x, lambda g: self.broadcast(np.asarray(g * part), x)))

    def maximum0(self, x: Array) -> Array:
        return np.where(x < 0, self.constant(0, x), x)


class OtherForms(_Forms):
    """More forms: the slope of tanh is 1 / cosh(x)^2, that of the denominator g (x / y^2), a logarithm near 1 is log1p(x - 1).

    x - 1 is exact there, from 1 / 2 to 2. A mean is the sum of the terms over n: n errors of u of a term over n, in place of
    two of the mean, and one addition less that rounds a partial sum. relu is x times a truth value.
    """

    def function(self, name: str, x: Array) -> Array:
        if name == "log":
            with np.errstate(all="ignore"):
                return np.where((x > 0.5) & (x < 2), np.log1p(x - self.one(x)), np.log(x))
        return super().function(name, x)

    adjoint_rules: ClassVar = {
        "tanh": (_by_cosh,),
        "/": (_by_numerator, lambda ops, g, x, y, quotient: -(g * (x / (y * y)))),
    }

    def mean(self, x: Taped) -> Taped:
        n = self.constant(math.prod(x.shape), x.value)
        axes = tuple(range(x.value.ndim))
        return self.record(self.summed(x.value / n, axes), (x, lambda g: self.broadcast(np.asarray(g), x) / n))

    def maximum0(self, x: Array) -> Array:
        return x * self.step(x)


class SquareFirst(_Forms):
    """x / y has the slope g x (1 / y^2); the slope of sigmoid is y - y^2, with the cancellation of y (1 - y)."""

    adjoint_rules: ClassVar = {"/": (_by_numerator, lambda ops, g, x, y, quotient: -(g * x * (1 / (y * y))))}

    def sigmoid(self, x: Taped) -> Taped:
        y = self.function("sigmoid", x.value)
        return self.record(y, (x, lambda g: g * (y - y * y)))


class InvertedNumbers(_Forms):
    """A division by a number of the formula is a product with its rounded inverse, as XLA compiles it.

    That is one rounding more than the quotient has, known to whoever compiles.
    """

    def divide(self, a: Taped, b: Taped) -> Taped:
        if b.wants_gradient or b.shape != ():
            return super().divide(a, b)
        x, y = self.aligned(a, b)
        part = self.one(y) / y
        return self.record(x * part, (a, lambda g: g * part))


class OnAtZero(Numpy):
    """The subgradient of relu at 0 is 1, and said to be."""

    slope_at_kink = 1.0

    def step(self, x: Array) -> Array:
        return (x >= 0).astype(x.dtype)


class UpdateInPlace(Numpy):
    """Weights are updated in place, and w + (-rate) g has the roundings of w - rate g."""

    train = Tape.train

    def updated(self, w: Array, gradient: Array, rate: float) -> Array:
        w = np.array(w)
        w += self.constant(-rate, w) * gradient
        return w


class LazyScipy(Numpy):
    """sigmoid is scipy.special.expit, and scipy is imported when it is first asked for."""

    @property
    def special(self) -> Any:
        name = "scipy.special"
        if name not in sys.modules:
            spec = importlib.util.find_spec(name)
            loader = importlib.util.LazyLoader(spec.loader)
            spec.loader = loader
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            loader.exec_module(module)
        return sys.modules[name]

    def function(self, name: str, x: Array) -> Array:
        return self.special.expit(x) if name == "sigmoid" else super().function(name, x)


# Other memory.


class _Laid(Numpy):
    """All that is recorded is laid out by ``laid``."""

    def laid(self, x: Array) -> Array:
        raise NotImplementedError

    def tensor(self, array: np.ndarray) -> Taped:
        return Taped(self.laid(np.array(array)), self)

    def boxed(self, x: Any) -> Array:
        return self.laid(np.asarray(x))


class Fortran(_Laid):
    """All arrays in Fortran's order, column by column: the same numbers, added in another order where that matters."""

    def laid(self, x: Array) -> Array:
        return np.asfortranarray(x) if x.ndim else x


class Strided(_Laid):
    """All arrays are every second number of larger ones, from the end: no array is contiguous."""

    def laid(self, x: Array) -> Array:
        memory = np.full((*x.shape, 2), np.nan, x.dtype)[..., ::-1, ::-1] if x.ndim else np.full(2, np.nan, x.dtype)
        memory[..., 0] = x
        return memory[..., 0]


class ReadOnly(_Laid):
    """All arrays are read-only views, also those that are given back."""

    def laid(self, x: Array) -> Array:
        view = x[...]
        view.flags.writeable = False
        return view


class StretchedViews(Numpy):
    """The adjoints of a sum are one number in memory, as a view with strides of 0, and gradients are given back so."""

    def broadcast(self, adjoint: Array, x: Taped) -> Array:
        return np.broadcast_to(adjoint, x.shape)


class ManyPoints(Numpy):
    """The tape computes at two points at once, which are the same, and the second is given back."""

    lead = 1

    def tensor(self, array: np.ndarray) -> Taped:
        return Taped(np.stack([array, array]), self)

    def array(self, tensor: Taped) -> np.ndarray:
        return tensor.value[-1]

    def constant(self, value: Any, like: Array) -> Array:
        return super().constant(value, like)[np.newaxis]


class Threads(Numpy):
    """Value and gradient are computed in threads, four at a time, and all of them are the same."""

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Taped, Tensors]:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            *_, last = pool.map(lambda _: super(Threads, self).value_and_grad(loss, params, data), range(4))
        return last


# Forward mode.


class _Dual:
    """A value and its derivative in one direction."""

    __array_ufunc__ = None

    def __init__(self, value: Array, slope: Any = 0) -> None:
        self.value = np.asarray(value)
        self.slope = np.asarray(slope, self.value.dtype)

    def lifted(self, other: Any) -> _Dual:
        return other if isinstance(other, _Dual) else _Dual(np.asarray(other, self.value.dtype))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    def __neg__(self) -> _Dual:
        return _Dual(-self.value, -self.slope)

    def __add__(self, other: Any) -> _Dual:
        other = self.lifted(other)
        return _Dual(self.value + other.value, self.slope + other.slope)

    __radd__ = __add__

    def __sub__(self, other: Any) -> _Dual:
        other = self.lifted(other)
        return _Dual(self.value - other.value, self.slope - other.slope)

    def __rsub__(self, other: Any) -> _Dual:
        return self.lifted(other) - self

    def __mul__(self, other: Any) -> _Dual:
        other = self.lifted(other)
        return _Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> _Dual:
        other = self.lifted(other)
        quotient = self.value / other.value
        return _Dual(quotient, (self.slope - quotient * other.slope) / other.value)

    def __rtruediv__(self, other: Any) -> _Dual:
        return self.lifted(other) / self

    def __matmul__(self, other: _Dual) -> _Dual:
        slopes = (np.broadcast_to(each.slope, each.shape) for each in (self, other))
        return _Dual(self.value @ other.value, next(slopes) @ other.value + self.value @ next(slopes))


class DualNumbers(Numpy):
    """Forward mode with dual numbers, one pass an entry of a parameter.

    The chain rule multiplies the same factors from the other end. In one direction all terms but one are zero where reverse
    mode has nothing to add; where paths join, each join is one addition here and one there.
    """

    def tensor(self, array: np.ndarray) -> Any:
        return _Dual(np.array(array))

    def chained(self, name: str, x: Any, slope: Any) -> Any:
        y = self.function(name, x.value)
        return _Dual(y, slope(x.value, np.asarray(y)) * x.slope)

    def exp(self, x: Any) -> Any:
        return self.chained("exp", x, lambda x, y: y)

    def log(self, x: Any) -> Any:
        return _Dual(self.function("log", x.value), x.slope / x.value)

    def tanh(self, x: Any) -> Any:
        return self.chained("tanh", x, lambda x, y: self.constant(1, y) - y * y)

    def sigmoid(self, x: Any) -> Any:
        return self.chained("sigmoid", x, lambda x, y: y * (self.constant(1, y) - y))

    def relu(self, x: Any) -> Any:
        return _Dual(self.maximum0(x.value), self.step(x.value) * x.slope)

    def sum(self, x: Any, axis: int | None = None) -> Any:
        return _Dual(x.value.sum(axis), np.broadcast_to(x.slope, x.shape).sum(axis))

    def logsumexp(self, x: Any, axis: int) -> Any:
        largest = x.value.max(axis, keepdims=True)
        return self.log(self.sum(self.exp(x - _Dual(largest)), axis)) + _Dual(largest.squeeze(axis))

    def mean(self, x: Any) -> Any:
        return self.sum(x) / math.prod(x.shape)

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Any, Any]:
        gradient = {name: _Dual(np.empty_like(w.value)) for name, w in params.items()}
        for name, w in params.items():
            for index in np.ndindex(w.shape):
                direction = np.zeros_like(w.value)
                direction[index] = 1
                value = loss(self, params | {name: _Dual(w.value, direction)}, data)
                gradient[name].value[index] = value.slope
        return value, gradient

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        for data in batches:
            value, gradient = self.value_and_grad(loss, params, data)
            params = {name: _Dual(self.updated(w.value, gradient[name].value, rate)) for name, w in params.items()}
            yield value, gradient, params
