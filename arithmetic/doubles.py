"""Balls as arrays of doubles: a midpoint of two doubles, hi + lo with 106 bits, and two radii around it.

e bounds the distance of the exact result from the midpoint, and r, at least as large, that of whatever an evaluation in the
dtype may return. numpy computes with whole arrays of these, at some 50 ns an operation and element where Arb takes 1 µs.

Every operation encloses: its balls hold all results of the numbers in the balls that it was given. The errors of the midpoints
are those that are proven for double-word arithmetic; radii are computed in doubles, and then enlarged by more than that
arithmetic can lose (UP).

That holds in a range of magnitudes in which nothing overflows and no error term is lost below the smallest double. What leaves
it raises ``Beyond``, and Arb has to be asked.

Sources: M. Joldes, J.-M. Muller, V. Popescu, Tight and rigorous error bounds for basic building blocks of double-word
arithmetic, ACM Trans. Math. Softw. 44 (2017), algorithms 6, 7, 10 and 17; T. J. Dekker, A floating-point technique for
extending the available precision, Numer. Math. 18 (1971).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

U = 2.0**-53
U2 = U * U
# Relative errors of a sum, a product and a quotient of midpoints, in units of U2, terms of order U^3 included.
ADDING, MULTIPLYING, DIVIDING = 3.01, 7.01, 15.01
# A radius comes from at most 32 operations on numbers that are not negative, each with a relative error of U.
UP = 1 + 64 * U
# Nonzero midpoints of products, quotients and functions have magnitudes between these, so that no product of two of them, nor
# of their low words, nor of radii, is lost below 2^-1022. Sums that cancel may be smaller: a product of one raises Beyond.
LEAST, MOST = 2.0**-300, 2.0**300
LEAST_RADIUS = 2.0**-450
_SPLIT = 2.0**27 + 1
# Matrix products of this many multiplications or more are faster in slices.
SLICED = 20_000


class Beyond(ArithmeticError):
    """A number outside the range in which these balls enclose."""


def two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded sum and its error, exactly."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def fast_two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded sum and its error, exactly, where |a| >= |b| or a is 0."""
    s = a + b
    return s, b - (s - a)


def _halves(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    c = _SPLIT * a
    high = c - (c - a)
    return high, a - high


def two_product(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded product and its error, exactly."""
    p = a * b
    (ah, al), (bh, bl) = _halves(a), _halves(b)
    return p, ((ah * bh - p) + ah * bl + al * bh) + al * bl


class Doubles:
    """An array of midpoints ``hi + lo`` with the radii ``e`` and ``r``. A number that is held exactly has none."""

    __slots__ = ("e", "hi", "lo", "r")
    __array_ufunc__ = None  # numpy arrays on the left leave the operation to us

    def __init__(self, hi: np.ndarray, lo: np.ndarray, e: np.ndarray, r: np.ndarray) -> None:
        self.hi, self.lo, self.e, self.r = hi, lo, e, r

    @classmethod
    def of(cls, values: Any) -> Doubles:
        """Return the numbers ``values``, exactly. Raises Beyond."""
        hi = np.asarray(values, dtype=np.float64)
        _check_range(np.abs(hi))
        return cls.exact(hi, np.zeros_like(hi))

    @classmethod
    def exact(cls, hi: np.ndarray, lo: np.ndarray) -> Doubles:
        """Return the midpoints hi + lo without radii."""
        zero = np.zeros_like(hi)
        return cls(hi, lo, zero, zero)

    @property
    def parts(self) -> tuple[np.ndarray, ...]:
        """Both words of the midpoint and both radii."""
        return self.hi, self.lo, self.e, self.r

    # Shapes.

    @property
    def shape(self) -> tuple[int, ...]:
        return self.hi.shape

    @property
    def ndim(self) -> int:
        return self.hi.ndim

    def __len__(self) -> int:
        return len(self.hi)

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Doubles:
        """Return these balls in another shape or order."""
        return Doubles(change(self.hi), change(self.lo), change(self.e), change(self.r))

    def reshape(self, *shape: Any) -> Doubles:
        return self.each(lambda x: x.reshape(*shape))

    def swapaxes(self, a: int, b: int) -> Doubles:
        return self.each(lambda x: x.swapaxes(a, b))

    def __getitem__(self, index: Any) -> Doubles:
        return self.each(lambda x: x[index])

    def put(self, rows: np.ndarray, other: Doubles) -> None:
        """Put ``other`` in the place of some rows."""
        for part, others in zip(self.parts, other.parts, strict=True):
            part[rows] = others

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Of numpy's functions those that change shapes alone."""
        if function in _OF_ONE:
            balls, *rest = args
            return balls.each(lambda x: function(x, *rest, **kwargs))
        if function in _OF_MANY:
            many, *rest = args
            return Doubles(*(function(each, *rest, **kwargs) for each in zip(*(balls.parts for balls in many), strict=True)))
        if function is np.broadcast_arrays:
            shape = np.broadcast_shapes(*(balls.shape for balls in args))
            return [np.broadcast_to(balls, shape) for balls in args]
        return NotImplemented

    # Arithmetic.

    @property
    def midpoint(self) -> Doubles:
        return Doubles.exact(self.hi, self.lo)

    def checked(self) -> Doubles:
        """Return these balls. Raises Beyond where one is out of the range, or is NaN."""
        return _checked(self, np.abs(self.hi))

    @property
    def magnitudes(self) -> np.ndarray:
        """Bounds of the absolute values of all that rounding may make of these."""
        return (np.abs(self.hi) + self.r) * UP

    def __neg__(self) -> Doubles:
        return Doubles(-self.hi, -self.lo, self.e, self.r)

    def __abs__(self) -> Doubles:
        """Return balls around |midpoint| with the same radii, since ||x| - |y|| <= |x - y|."""
        sign = np.where(self.hi < 0, -1.0, 1.0)
        return Doubles(self.hi * sign, self.lo * sign, self.e, self.r)

    def __add__(self, other: Doubles) -> Doubles:
        hi, lo = _added(self, other)
        own = ADDING * U2 * np.abs(hi)
        return Doubles(hi, lo, (self.e + other.e + own) * UP, (self.r + other.r + own) * UP)

    def __sub__(self, other: Doubles) -> Doubles:
        return self + (-other)

    def __mul__(self, other: Doubles) -> Doubles:
        p, q = two_product(self.hi, other.hi)
        hi, lo = fast_two_sum(p, q + (self.hi * other.lo + self.lo * other.hi))
        x, y, size = np.abs(self.hi), np.abs(other.hi), np.abs(hi)
        own = MULTIPLYING * U2 * size
        radii = ((x * d + y * c + c * d + own) * UP for c, d in ((self.e, other.e), (self.r, other.r)))
        return _checked(Doubles(hi, lo, *radii), size)

    def __truediv__(self, other: Doubles) -> Doubles:
        below = np.abs(other.hi) * (1 - 4 * U) - other.r
        if not (below > LEAST).all():
            raise Beyond("a divisor that may be 0")
        q = self.hi / other.hi
        p, e = two_product(other.hi, q)
        p, e2 = fast_two_sum(p, other.lo * q)
        rh, rl = fast_two_sum(p, e2 + e)
        hi, lo = fast_two_sum(q, ((self.hi - rh) + (self.lo - rl)) / other.hi)
        size = np.abs(hi)
        own = DIVIDING * U2 * size
        # |x' / y' - x / y| <= (|x' - x| + |x / y| |y' - y|) / |y'|
        radii = (((c + size * d * UP) / below + own) * UP for c, d in ((self.e, other.e), (self.r, other.r)))
        return _checked(Doubles(hi, lo, *radii), size)

    def sum(self, axis: int | tuple[int, ...]) -> Doubles:
        """Return sums over axes, made in pairs."""
        axes = {a % self.ndim for a in ((axis,) if isinstance(axis, int) else axis)}
        kept = [a for a in range(self.ndim) if a not in axes]
        n = math.prod(self.shape[a] for a in axes)
        order = [*sorted(axes), *kept]
        shape = tuple(self.shape[a] for a in kept)
        if not n:
            return Doubles.of(np.zeros(shape))
        hi, lo, e, r = (x.transpose(order).reshape(n, *shape) for x in (self.hi, self.lo, self.e, self.r))
        if n == 1:
            return Doubles(hi[0], lo[0], e[0], r[0])
        # A term takes part in at most ceil(log2 n) sums. Each errs by ADDING U2 of itself, which the sum of all sizes bounds.
        own = math.ceil(math.log2(n)) * ADDING * U2 * np.abs(hi).sum(axis=0)
        radii = ((x.sum(axis=0) + own) * (1 + (n + 64) * 2 * U) for x in (e, r))
        while len(hi) > 1:
            half, odd = len(hi) // 2, len(hi) % 2
            pairs = (Doubles(hi[part], lo[part], hi[part], hi[part]) for part in (slice(half), slice(half, 2 * half)))
            made = _added(*pairs)
            hi, lo = (np.concatenate([x, y[-odd:]]) for x, y in zip(made, (hi, lo), strict=True)) if odd else made
        return Doubles(hi[0], lo[0], *radii)

    def __matmul__(self, other: Doubles) -> Doubles:
        """Return products of matrices, along leading axes."""
        shape = np.broadcast_shapes(self.shape[:-2], other.shape[:-2])
        if math.prod(shape) * self.shape[-2] * math.prod(other.shape[-2:]) < SLICED:
            return (self[..., :, :, None] * other[..., None, :, :]).sum(-2)
        return _product_in_slices(self, other)

    def widened(self, radius: np.ndarray | float) -> Doubles:
        """Return these balls with ``radius`` added to r."""
        return Doubles(self.hi, self.lo, self.e, (self.r + radius) * UP)

    def around(self, unit: float) -> Doubles:
        """Return these balls where rounding multiplies by any number of 1 + [-unit, unit]."""
        return Doubles(self.hi, self.lo, self.e, (self.r + unit * self.magnitudes) * UP)


def _product_in_slices(a: Doubles, b: Doubles) -> Doubles:
    """Return products of matrices whose midpoints are cut into slices of so few bits that BLAS multiplies them exactly.

    With n terms a slice has b bits, n 2^(2b) <= 2^53, and row and column have the scales s and t, powers of two: a slice i of a
    is at most s 2^(-b (i - 1)) in size. Left out are the products of slices i + j > count + 1 and what no slice holds, together
    less than n s t (2 count + 2) 2^(-b count). Adding one product errs by at most 2 U2 times the sum so far, which is at
    most |a| |b| + n s t 2^(2 - b).

    Source: K. Ozaki, T. Ogita, S. Oishi, S. M. Rump, Error-free transformations of matrix multiplication by using fast routines
    of matrix multiplication and its applications, Numer. Algorithms 59 (2012).
    """
    n = a.shape[-1]
    bits = (53 - math.ceil(math.log2(n))) // 2
    count = math.ceil(2 * 53 / bits) + 1
    (left, s), (right, t) = _slices(a, -1, bits, count), _slices(b, -2, bits, count)
    x, y = np.abs(a.hi), np.abs(b.hi)
    scales = n * s * t
    size = x @ y + scales * 2.0 ** (2 - bits)
    hi = lo = np.zeros(size.shape)
    added = 0
    for total in range(len(left) + len(right) - 2, -1, -1):  # small ones first
        for i in range(max(0, total - len(right) + 1), min(total, len(left) - 1) + 1):
            if total < count:
                p, q = two_sum(left[i] @ right[total - i], hi)
                hi, lo = fast_two_sum(p, q + lo)
                added += 1
    own = scales * (2 * count + 2) * 2.0 ** (-bits * count) + (2.01 * added) * U2 * size
    up = 1 + (n + 64) * 2 * U
    radii = ((x @ d + c @ (y + d) + own) * up for c, d in ((a.e, b.e), (a.r, b.r)))
    return _checked(Doubles(hi, lo, *radii), np.abs(hi))


def _slices(x: Doubles, axis: int, bits: int, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Cut midpoints into slices, down to the last that is not 0; return them and the scales of rows or columns."""
    sizes = np.abs(x.hi).max(axis=axis, keepdims=True)
    _check_range(sizes)
    scales = np.where(sizes > 0, np.ldexp(1.0, np.frexp(sizes)[1]), 0.0)  # 0, so that what is 0 is exactly so
    hi, lo = x.hi, x.lo
    made: list[np.ndarray] = []
    for i in range(1, count + 1):
        if made and not hi.any():
            break
        unit = 1.5 * 2.0**52 * scales * 2.0 ** (-bits * i)  # what is added to it is rounded to multiples of its last place
        made.append((hi + unit) - unit)
        hi, lo = two_sum(hi - made[-1], lo)
    return made, scales


_OF_ONE = {np.expand_dims, np.broadcast_to}
_OF_MANY = {np.concatenate, np.stack}


def _added(a: Doubles, b: Doubles) -> tuple[np.ndarray, np.ndarray]:
    s, t = two_sum(a.hi, b.hi)
    v, w = two_sum(a.lo, b.lo)
    s, t = fast_two_sum(s, t + v)
    return fast_two_sum(s, t + w)


def _check_range(sizes: np.ndarray) -> bool:
    """Return whether some of ``sizes`` are 0. Raises Beyond for those out of range."""
    if not sizes.size or (sizes.min() >= LEAST and sizes.max() <= MOST):
        return False
    if not (((sizes >= LEAST) & (sizes <= MOST)) | (sizes == 0)).all():
        raise Beyond("a number that is too large or too small")
    return True


def _checked(made: Doubles, sizes: np.ndarray) -> Doubles:
    if _check_range(sizes):  # a midpoint of 0 does not keep its radii in range
        for radius in (made.e, made.r):
            if not ((radius == 0) | ((radius >= LEAST_RADIUS) & (radius <= MOST))).all():
                raise Beyond("a radius that is too large or too small")
    elif not (made.r <= MOST).all():
        raise Beyond("a radius that is too large")
    return made


def joined(blocks: Sequence[Doubles]) -> Doubles:
    """Return the rows of all blocks."""
    return Doubles(*(np.concatenate(part) for part in zip(*(block.parts for block in blocks), strict=True)))


def united(exact: Doubles, computed: Sequence[Doubles]) -> Doubles:
    """Return the midpoints of ``exact`` with radii that hold all of ``computed``, forms of the same quantity."""
    away = (0.0 if form is exact else (form.midpoint - exact.midpoint).magnitudes for form in computed)
    radii = [exact.e, *(distance + form.r for distance, form in zip(away, computed, strict=True))]
    shape = np.broadcast_shapes(exact.shape, *(radius.shape for radius in radii))
    r = functools.reduce(np.maximum, radii) * UP
    hi, lo, e = (np.broadcast_to(x, shape) for x in (exact.hi, exact.lo, exact.e))
    return Doubles(hi, lo, e, np.broadcast_to(r, shape))
