"""The truth and its bound at given points: of a formula, its gradient, and a step from there.

Doubles give both for many points at once. Arb computes them where doubles are too blunt to judge by or cannot hold a number,
and where the points are so few that it is faster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import flint
import numpy as np
from flint import arb

from arithmetic.balls import Balls, Rounding
from arithmetic.doubles import UP, Beyond, Doubles, joined
from arithmetic.fast import FastBalls
from oracle.rules import Stepping
from vocabulary.rules import Optimizer
from vocabulary.tensors import Formula

# Bounds need no more than this: their midpoints only have to be close to the truth.
BOUND_BITS = 128
# Bits enough to tell 0 from the smallest number of float64, 2^-1074, where terms up to 2^400 cancel.
FINEST_BITS = 1500
# Points that Arb computes at once: enough to pay for numpy's overhead, few enough to stay in the cache.
ARB_BATCH = 64
# From so many numbers on, points times parameters and data, doubles are faster than Arb.
WORTH = 1500
# The error of a midpoint may be at most this part of the bound; else Arb computes it.
SHARP = 2.0**-20

Stacked = Mapping[str, np.ndarray]


class Expected:
    """The truth and the bound of ``formula`` where every operation rounds as ``rounding`` says.

    ``lost`` are the relative errors of what passes through a narrower dtype, by name, ``no_slope`` says that a binary
    cross-entropy may lack a part of its slope at 0: declared deviations. With an ``optimizer``, consecutive calls are
    consecutive steps of it, read as ``conventions`` say.
    """

    def __init__(
        self,
        formula: Formula,
        rounding: Rounding,
        lost: Mapping[str, float],
        optimizer: Optimizer | None,
        conventions: Mapping[str, str],
        *,
        no_slope: bool,
    ) -> None:
        self.formula = formula
        self.arbs = Balls(), Balls(BOUND_BITS, rounding)
        self.finest = Balls(FINEST_BITS)
        self.doubles = FastBalls(rounding)
        for numbers in (self.arbs[1], self.doubles):
            numbers.lost = dict(lost)
            numbers.no_slope = no_slope
        self._optimizer, self._conventions = optimizer, conventions
        self._by_arb: list[Stepping] = []
        if optimizer is not None:
            for balls in self.arbs:
                with balls.precision():
                    self._by_arb.append(Stepping(balls, optimizer, conventions))

    def at(self, points: Stacked, seen: Stacked, *, forward: bool) -> dict[str, Doubles]:
        """Return ``value`` and, unless ``forward``, ``gradient NAME`` and, with an optimizer, ``updated NAME``.

        ``points`` are the parameters, (n, ...), ``seen`` the data, (n, ...) or (1, ...), as the framework was given them.
        Results are (n, k) for k entries: e bounds the error of the midpoint, r is how far a conforming result may be from it.
        """
        n = len(next(iter(points.values())))
        found = self._values(points, seen, n, forward=forward)
        if self._optimizer is not None and not forward:
            gradient = {name: found[f"gradient {name}"].reshape(array.shape) for name, array in points.items()}
            after = self._updated(points, gradient)
            found |= {f"updated {name}": array.reshape(n, -1) for name, array in after.items()}
        return found

    def _values(self, points: Stacked, seen: Stacked, n: int, *, forward: bool) -> dict[str, Doubles]:
        if n * sum(math.prod(array.shape[1:]) for array in (*points.values(), *seen.values())) < WORTH:
            return self._in_arb(points, seen, n, forward=forward)
        try:
            found = self._in_doubles(points, seen, n, forward=forward)
        except Beyond:
            if n <= ARB_BATCH:
                return self._in_arb(points, seen, n, forward=forward)
            parts = []
            for start in range(0, n, ARB_BATCH):
                some_points, some_seen = _rows((points, seen), slice(start, start + ARB_BATCH))
                parts.append(self._values(some_points, some_seen, min(ARB_BATCH, n - start), forward=forward))
            return {quantity: joined([part[quantity] for part in parts]) for quantity in parts[0]}
        rows = np.flatnonzero(np.any([_blunt(array).any(axis=1) for array in found.values()], axis=0))
        for start in range(0, len(rows), ARB_BATCH):
            some = rows[start : start + ARB_BATCH]
            some_points, some_seen = _rows((points, seen), some)
            better = self._in_arb(some_points, some_seen, len(some), forward=forward)
            for quantity, array in found.items():
                array.put(some, better[quantity])
        return found

    def _in_doubles(self, points: Stacked, seen: Stacked, n: int, *, forward: bool) -> dict[str, Doubles]:
        made = {}
        for quantity, array in self._computed(self.doubles, points, seen, forward=forward).items():
            hi, lo, e, r = (np.array(np.broadcast_to(part, (n, part.shape[1]))) for part in array.parts)
            made[quantity] = Doubles(hi, lo, e, (r + e) * UP)
        return made

    def _in_arb(self, points: Stacked, seen: Stacked, n: int, *, forward: bool) -> dict[str, Doubles]:
        truth, bounds = (self._computed(balls, points, seen, forward=forward) for balls in self.arbs)
        if any(_may_be_zero(ball) for array in truth.values() for ball in array.ravel().tolist()):
            truth = self._computed(self.finest, points, seen, forward=forward)
        made = {}
        for quantity, array in truth.items():
            parts = beside(*np.broadcast_arrays(array, bounds[quantity])).parts
            made[quantity] = Doubles(*(np.broadcast_to(part, (n, part.shape[1])) for part in parts))
        return made

    def _computed(self, numbers: Balls | FastBalls, points: Stacked, seen: Stacked, *, forward: bool) -> dict[str, Any]:
        """Return value and gradient in ``numbers``, a row a point, or one row where all points have the same."""
        weights, data = ({name: numbers.points(array) for name, array in each.items()} for each in (points, seen))
        with numbers.precision():
            if forward:
                found = {"value": self.formula(numbers, weights, data)}
            else:
                value, gradient = numbers.value_and_grad(self.formula, weights, data)
                found = {"value": value} | {f"gradient {name}": g for name, g in gradient.items()}
        return {quantity: tensor.value.reshape(len(tensor.value), -1) for quantity, tensor in found.items()}

    def _updated(self, points: Stacked, gradient: Mapping[str, Doubles]) -> dict[str, Doubles]:
        assert self._optimizer is not None
        if not self._optimizer.rule.state:
            try:
                numbers = self.doubles
                before = {name: numbers.passed(numbers.points(array).value, "weights") for name, array in points.items()}
                slopes = {name: g.checked() for name, g in gradient.items()}  # they may come from Arb
                after = Stepping(numbers, self._optimizer, self._conventions).updated(before, slopes)
                return {name: Doubles(w.hi, w.lo, w.e, (w.r + w.e) * UP) for name, w in after.items()}
            except Beyond:
                pass
        pair = []
        for balls, rule, radius in zip(self.arbs, self._by_arb, ("e", "r"), strict=True):
            with balls.precision():
                before = {name: balls.passed(balls.points(array).value, "weights") for name, array in points.items()}
                pair.append(rule.updated(before, {name: arbs(g, radius) for name, g in gradient.items()}))
        truth, bounds = pair
        return {name: beside(w, bounds[name]) for name, w in truth.items()}


def _rows(groups: Sequence[Stacked], rows: slice | np.ndarray) -> list[Stacked]:
    return [{name: array[rows] if len(array) > 1 else array for name, array in group.items()} for group in groups]


def _blunt(x: Doubles) -> np.ndarray:
    """Whether the error of the midpoint exceeds SHARP of the bound, or the truth may be 0 and is not known to be."""
    may_be_zero = (np.abs(x.hi) <= x.e * UP) & (x.e > 0)
    return np.asarray(may_be_zero | ~(x.e <= SHARP * x.r))


def _may_be_zero(x: arb) -> bool:
    """Whether a truth is 0 or too small to be told from 0 in the bits that it has."""
    return x.is_finite() and x.contains(0) and not x.is_zero()


def arbs(x: Doubles, radius: str) -> np.ndarray:
    """Return ``x`` as balls of Arb, with its radius ``e`` or ``r``."""
    parts = (part.ravel().tolist() for part in (x.hi, x.lo, getattr(x, radius)))
    balls = [arb(hi, r) + arb(lo) for hi, lo, r in zip(*parts, strict=True)]
    return np.fromiter(balls, dtype=object, count=len(balls)).reshape(x.shape)


def beside(truth: np.ndarray, bounds: np.ndarray) -> Doubles:
    """Return balls of Arb as doubles: the midpoint of ``truth``, e its radius, r how far ``bounds`` reach from it."""
    with flint.ctx.workprec(FINEST_BITS):
        columns = list(zip(*map(_beside, truth.ravel().tolist(), bounds.ravel().tolist()), strict=True))
    return Doubles(*(np.array(column, dtype=np.float64).reshape(truth.shape) for column in columns or [()] * 4))


def _beside(truth: arb, bound: arb) -> tuple[float, float, float, float]:
    hi = float(truth.mid())
    if not truth.is_finite() or not math.isfinite(hi):
        return hi, 0.0, math.inf, math.inf
    lo = float(truth.mid() - arb(hi))
    return hi, lo, _upper(truth - arb(hi) - arb(lo)), _upper(bound - truth)


def _upper(ball: arb) -> float:
    size = float(ball.abs_upper()) if ball.is_finite() else math.inf
    return math.nextafter(size, math.inf) if size else size  # float() rounds to nearest, a bound is rounded up
