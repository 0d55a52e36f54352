"""numpy in other orders, other forms and other memory, and in forward mode."""

from __future__ import annotations

import concurrent.futures
import functools
import importlib.util
import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from arithmetic.tape import Array, Tape, Taped
from backends.numpy import Numpy
from vocabulary.tensors import Formula, Tensors

# Sums and products of matrices: gamma(n - 1) and gamma(n) hold for every order of the additions.


class _Order(Numpy):
    """Sums, those inside products of matrices as well, are made by ``added`` of terms along the first axis."""

    def added(self, terms: Array) -> Array:
        return functools.reduce(np.add, terms)

    def summed(self, terms: Array, axes: tuple[int, ...]) -> Array:
        first = np.moveaxis(terms, axes, range(len(axes)))
        total = self.added(first.reshape(-1, *first.shape[len(axes) :]))
        return self.boxed(total).astype(terms.dtype)

    def product(self, a: Array, b: Array) -> Array:
        return self.summed(a.T[:, :, np.newaxis] * b[:, np.newaxis, :], (0,))


class InOrder(_Order):
    """Sums from the first term to the last, as a loop in C has them: each term takes part in at most n - 1 additions."""


class Reversed(_Order):
    """Sums from the last term to the first: each term takes part in at most n - 1 additions."""

    def added(self, terms: Array) -> Array:
        return super().added(terms[::-1])


class SmallestFirst(_Order):
    """Sums of the terms sorted by size: another order, in which each term takes part in at most n - 1 additions."""

    def added(self, terms: Array) -> Array:
        return super().added(np.take_along_axis(terms, np.argsort(np.abs(terms), axis=0, kind="stable"), axis=0))


class Pairwise(_Order):
    """Sums of two halves, and so on: a term takes part in about log2 n additions."""

    def added(self, terms: Array) -> Array:
        half = len(terms) // 2
        return self.added(terms[:half]) + self.added(terms[half:]) if half else terms[0]


class Blocks8(_Order):
    """Sums of consecutive blocks, which are then added: a term takes part in fewer than 8 + n / 8 <= n - 1 additions."""

    block = 8

    def added(self, terms: Array) -> Array:
        blocks = np.split(terms, range(self.block, len(terms), self.block))
        return super().added([super(Blocks8, self).added(block) for block in blocks])


class Blocks32(Blocks8):
    """The same in blocks of 32, as of a wider register that is unrolled."""

    block = 32


class Lanes16(_Order):
    """Every 16th term goes to the same of 16 sums, as in a vector register: again an order of the same additions."""

    def added(self, terms: Array) -> Array:
        return super().added([super(Lanes16, self).added(terms[lane::16]) for lane in range(min(16, len(terms)))])


class Cumulative(_Order):
    """Sums are the last of numpy.cumsum, which has no order but the one from the first."""

    def added(self, terms: Array) -> Array:
        return np.cumsum(terms, axis=0)[-1]


class Compensated(_Order):
    """Neumaier's sums carry what each addition loses: an error of about u, whatever n is, and n - 1 of them are granted."""

    def added(self, terms: Array) -> Array:
        total, lost = terms[0], np.zeros_like(terms[0])
        for term in terms[1:]:
            new = total + term
            lost = lost + np.where(np.abs(total) >= np.abs(term), (total - new) + term, (term - new) + total)
            total = new
        return np.where(np.isfinite(total), total + lost, total)  # inf - inf is no loss


class Fsum(_Order):
    """Sums by math.fsum are those of infinite precision, rounded to float64 and then to the dtype: at most 2 u."""

    def added(self, terms: Array) -> Array:
        return np.apply_along_axis(math.fsum, 0, terms)


class SumsByProducts(Numpy):
    """Sums are products with a vector of ones, whose products are exact; BLAS chooses the order."""

    def summed(self, terms: Array, axes: tuple[int, ...]) -> Array:
        first = np.moveaxis(terms, axes, range(len(axes)))
        inner = first.shape[len(axes) :]
        columns = first.reshape(-1, math.prod(inner))
        return np.asarray(np.ones(len(columns), terms.dtype) @ columns).reshape(inner)


class Einsum(Numpy):
    """Products and sums by numpy.einsum, in loops of its own: the same products, added in some order."""

    def product(self, a: Array, b: Array) -> Array:
        return np.einsum("ij,jk->ik", a, b)

    def summed(self, terms: Array, axes: tuple[int, ...]) -> Array:
        kept = [axis for axis in range(terms.ndim) if axis not in {axis % terms.ndim for axis in axes}]
        return np.asarray(np.einsum(terms, list(range(terms.ndim)), kept))


class Loops(Numpy):
    """Products of matrices by three nested loops in Python: the definition, term by term."""

    def product(self, a: Array, b: Array) -> Array:
        result = np.zeros((len(a), b.shape[1]), a.dtype)
        for i in range(len(a)):
            for k in range(b.shape[1]):
                total = result[i, k]
                for j in range(len(b)):
                    total = total + a[i, j] * b[j, k]
                result[i, k] = total
        return result


class DotOfRows(Numpy):
    """Products of matrices by numpy.dot of each row with each column."""

    def product(self, a: Array, b: Array) -> Array:
        return np.array([[np.dot(row, column) for column in b.T] for row in a])


class Transposed(Numpy):
    """A B as the transpose of B^T A^T: the same products, and BLAS may add them in another order."""

    def product(self, a: Array, b: Array) -> Array:
        return (b.T @ a.T).T


class BlockedProducts(Numpy):
    """Products of blocks of 16 along the inner axis, added: a product still takes part in at most n - 1 additions."""

    def product(self, a: Array, b: Array) -> Array:
        blocks = range(0, len(b), 16)
        return functools.reduce(np.add, [a[:, start : start + 16] @ b[start : start + 16] for start in blocks])


class _Wide(Numpy):
    """Every operation is computed in ``wide`` and rounded once, at its end, to the dtype of the run."""

    wide: ClassVar[type] = np.float64
    dtype = np.dtype(np.float64)

    def tensor(self, array: np.ndarray) -> Taped:
        self.dtype = array.dtype
        return super().tensor(array)

    def round(self, x: Any) -> Array:
        return np.asarray(x, dtype=self.dtype)

    def aligned(self, a: Taped, b: Taped) -> tuple[Array, Array]:
        return a.value.astype(self.wide), b.value.astype(self.wide)

    def function(self, name: str, x: Array) -> Array:
        return self.round(super().function(name, x.astype(self.wide)))

    def product(self, a: Array, b: Array) -> Array:
        return self.round(a.astype(self.wide) @ b.astype(self.wide))

    def summed(self, terms: Array, axes: tuple[int, ...]) -> Array:
        return self.round(terms.astype(self.wide).sum(axis=axes))


class Float64Inside(_Wide):
    """Every operation in float64 and rounded once: in float32 as good as correctly rounded, as 53 >= 2 * 24 + 2 bits are."""


class LongDouble(_Wide):
    """Every operation in long double and rounded once, as a processor with wide registers does.

    Functions, sums and products are more accurate for it. A float64 sum, difference, product or quotient is rounded twice,
    which in one case of 2^12 moves it, to at most (1 + 2^-11) u from the exact one, and beyond u only beside a power of two.
    """

    wide = np.longdouble


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
        return self.log(self.sum(self.exp(x), axis))

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
