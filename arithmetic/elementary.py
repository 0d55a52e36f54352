"""Elementary functions of balls of doubles: midpoints to about 100 bits, in whole arrays, with errors that are proven.

exp reduces its argument by multiples of ln 2 / 1024, takes a polynomial of what is left (at most 2^-11.5) and multiplies by an
entry of a table. The others are made of exp, or correct numpy's own value by it, so that nothing rests on numpy's accuracy.
A radius is carried through by the largest slope on the ball: the slope at the midpoint times the factor by which it can grow.

Errors are in units of U2 = 2^-106. exp errs by at most 3 in the last sum, 1 in the table and less than 1 in the polynomial; it
is granted 8, and expm1 near 0 twice that.

Source: P. T. P. Tang, Table-driven implementation of the exponential function in IEEE floating-point arithmetic, ACM Trans.
Math. Softw. 15 (1989), for the reduction; the error bounds are derived here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import flint
import numpy as np
from flint import arb

from arithmetic.doubles import LEAST, U2, UP, Beyond, Doubles, U, fast_two_sum, two_sum
from vocabulary.words import Words

STEPS = 1024
EXP = 8
# Bits of the leading words of ln 2 / STEPS, whose products with whole numbers below 2^19 are then exact.
WORD = 34
_ZERO, _ONE, _FOUR = Doubles.of(0.0), Doubles.of(1.0), Doubles.of(4.0)
# A wider ball makes a bound that is noticeably wider than the best.
WIDEST = 2.0**-8


@functools.cache
def _constants() -> tuple[tuple[float, float, float], np.ndarray, np.ndarray]:
    """ln 2 / STEPS in three words, and 2^(j / STEPS) for j below STEPS in two."""
    with flint.ctx.workprec(300):
        rest = arb.const_log2() / STEPS
        words = []
        for _ in range(2):
            mantissa, exponent = math.frexp(float(rest))
            words.append(math.ldexp(round(math.ldexp(mantissa, WORD)), exponent - WORD))
            rest -= arb(words[-1])
        powers = [(arb(j) / STEPS * arb.const_log2()).exp() for j in range(STEPS)]
        hi = [float(power.mid()) for power in powers]
        lo = [float((power - arb(high)).mid()) for power, high in zip(powers, hi, strict=True)]
        return (words[0], words[1], float(rest.mid())), np.array(hi), np.array(lo)


def _number(value: arb) -> Doubles:
    hi = float(value.mid())
    return Doubles.exact(np.array(hi), np.array(float((value - arb(hi)).mid())))


@functools.cache
def _coefficients() -> tuple[list[Doubles], list[float]]:
    """1 / n! for n from 4 down to 2, in two words, and for n from 10 down to 5 in one."""
    with flint.ctx.workprec(300):
        return [_number(1 / arb(math.factorial(n))) for n in (4, 3, 2)], [1 / math.factorial(n) for n in range(10, 4, -1)]


def _reduced(x: Doubles) -> tuple[np.ndarray, Doubles]:
    """Return whole numbers k and expm1(midpoint - k ln 2 / STEPS), whose radii are to be ignored."""
    if not (np.abs(x.hi) < 200).all():
        raise Beyond("exp of a number of 200 or more in size")
    (c1, c2, c3), _, _ = _constants()
    k = np.rint(x.hi * (STEPS / math.log(2)))
    # x.hi - k c1 is exact: by Sterbenz' lemma, or since k is 0.
    left = Doubles.exact(*two_sum(x.hi - k * c1, x.lo)) + Doubles.exact(*fast_two_sum(-k * c2, -k * c3))
    wide, narrow = _coefficients()
    tail = np.zeros_like(k)
    for coefficient in narrow:
        tail = tail * left.hi + coefficient
    total = Doubles.exact(tail, np.zeros_like(tail))
    for wider in (*wide, _ONE):
        total = total * left + wider
    return k, total * left


def _exp_and_expm1(x: Doubles) -> tuple[Doubles, Doubles]:
    """Return exp and expm1 of the midpoints of ``x``, with radii that hold what their evaluation errs by."""
    k, p = _reduced(x)
    _, table_h, table_l = _constants()
    j = np.mod(k, STEPS).astype(np.int64)
    q = ((k - j) / STEPS).astype(np.int64)
    power = Doubles.exact(np.ldexp(table_h[j], q), np.ldexp(table_l[j], q))
    y = _with_error(power + power * p.midpoint, EXP)
    less = y - _ONE
    near = k == 0  # where the polynomial keeps all digits
    if not near.any():
        return y, less
    return y, _chosen(near, _with_error(p, 2 * EXP), less)


def _with_error(y: Doubles, units: float) -> Doubles:
    radius = units * U2 * np.abs(y.hi) * UP
    return Doubles(y.hi, y.lo, radius, radius)


def _chosen(where: np.ndarray, a: Doubles, b: Doubles) -> Doubles:
    return Doubles(*(np.where(where, getattr(a, part), getattr(b, part)) for part in ("hi", "lo", "e", "r")))


def _carried(y: Doubles, x: Doubles, slope: np.ndarray, rate: float = 0.0) -> Doubles:
    """Add to the radii of ``y`` what those of its argument cause: |f'| e and |f'| r.

    Without ``rate``, ``slope`` bounds |f'| on the ball. With it, ``slope`` is |f'| at the midpoint and |(log |f'|)'| is at most
    ``rate``: then |f'| grows by at most exp(rate r), which is at most 1 + rate r (1 + rate r). Raises Beyond for a wide ball.
    """
    if rate and not (x.r <= WIDEST).all():
        raise Beyond(f"a ball of a radius above {WIDEST:g}")
    rise = rate * x.r
    slope = slope * ((1 + rise * (1 + rise)) * UP)
    return Doubles(y.hi, y.lo, (y.e + slope * x.e) * UP, (y.r + slope * x.r) * UP)


def exp(x: Doubles) -> Doubles:
    """Return balls of e^x. Raises Beyond for |x| >= 200 and for wide balls."""
    y, _ = _exp_and_expm1(x)
    return _carried(y, x, y.magnitudes, 1)


def log(x: Doubles) -> Doubles:
    """Return balls of ln x. Raises Beyond where a ball reaches 0."""
    below = np.abs(x.hi) * (1 - 4 * U) - x.r
    if not ((x.hi > 0) & (below > LEAST)).all():
        raise Beyond("a logarithm of what may not be positive")
    y = np.log(x.hi)
    power, _ = _exp_and_expm1(Doubles.exact(-y, np.zeros_like(y)))
    return _carried(_corrected(y, x.midpoint * power - _ONE), x, 1 / below)


def log1p(x: Doubles) -> Doubles:
    """Return balls of ln(1 + x), for x >= 0. Raises Beyond where x may be negative or its radius is 1/2 or more."""
    if not ((x.hi >= 0) & (x.r < 0.5)).all():
        raise Beyond("log1p of a number below 0, or of a ball of a radius of 1/2 or more")
    y = np.log1p(x.hi)
    _, less = _exp_and_expm1(Doubles.exact(-y, np.zeros_like(y)))
    at = x.midpoint
    return _carried(_corrected(y, at + less + at * less), x, 1 / (1 + x.hi - x.r))


def _corrected(y: np.ndarray, z: Doubles) -> Doubles:
    """Return y + log(1 + z), where z is small and corrects the error of numpy's y."""
    size = z.magnitudes
    if not (size < 2.0**-40).all():
        raise Beyond("a logarithm that numpy has wrong")
    # log(1 + z) is z - z^2 / 2 within z^3 / 2; and z^2 / 2 is rounded.
    square = z.hi * z.hi / 2
    made = Doubles.exact(y, np.zeros_like(y)) + z - Doubles.exact(square, np.zeros_like(square))
    rest = (size**3 + 2.0**-50 * size**2) * UP
    return Doubles(made.hi, made.lo, (made.e + rest) * UP, (made.r + rest) * UP)


def _far(x: Doubles, times: float) -> tuple[Doubles, Doubles]:
    """Return exp and expm1 of -times |midpoint|."""
    at = abs(x.midpoint)
    return _exp_and_expm1(Doubles.exact(-times * at.hi, -times * at.lo))


def _slope(e: Doubles) -> np.ndarray:
    """Bound e / (1 + e)^2."""
    return np.asarray(e.magnitudes / (1 + e.hi) ** 2 * UP)


def sigmoid(x: Doubles) -> Doubles:
    """Return balls of 1 / (1 + e^-x). Raises Beyond for |x| >= 200 and for wide balls."""
    e, _ = _far(x, 1)
    return _carried(_chosen(x.hi >= 0, _ONE, e) / (_ONE + e), x, _slope(e), 1)


def tanh(x: Doubles) -> Doubles:
    """Return balls of tanh x. Raises Beyond for |x| >= 100 and for wide balls."""
    e, less = _far(x, 2)
    y = -less / (_ONE + e)
    return _carried(_chosen(x.hi < 0, -y, y), x, 4 * _slope(e), 2)


def sech2(x: Doubles) -> Doubles:
    """Return balls of 1 / cosh(x)^2, the slope of tanh. Raises Beyond for |x| >= 100 and for wide balls."""
    e, less = _far(x, 2)
    below = _ONE + e
    y = _FOUR * e / (below * below)
    # The slope is 2 tanh(x) / cosh(x)^2.
    return _carried(y, x, 2 * (less.magnitudes / (1 + e.hi) * UP + x.r) * y.magnitudes, 2)


def softplus(x: Doubles) -> Doubles:
    """Return balls of ln(1 + e^x). Raises Beyond for |x| >= 200 and for wide balls."""
    e, _ = _far(x, 1)
    right = x.hi >= 0
    slope = np.where(right, 1.0, e.magnitudes) / (1 + e.hi) * UP
    return _carried(_chosen(right, x.midpoint, _ZERO) + log1p(e), x, slope, 1)


def reciprocal(x: Doubles) -> Doubles:
    """Return balls of 1 / x. Raises Beyond where a ball reaches 0."""
    return _ONE / x


# Functions that are computed here, as vocabulary/functions.py calls them.
ELEMENTARY: Words[Callable[[Doubles], Doubles]] = Words(
    "function of doubles",
    {
        "exp": exp, "log": log, "log1p": log1p, "sigmoid": sigmoid, "tanh": tanh, "sech2": sech2, "softplus": softplus,
        "reciprocal": reciprocal,
    },
)  # fmt: skip
