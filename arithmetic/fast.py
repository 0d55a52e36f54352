"""The tape over balls of doubles: the truth and its bound at once, for many points at a time.

Its bounds are those of arithmetic/balls.py, computed faster. What doubles do not hold raises Beyond: numbers at the ends of the
range, kinks that a ball reaches, results that may overflow. Arb is then asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from arithmetic.balls import Rounding, written
from arithmetic.bounding import Bounding
from arithmetic.doubles import UP, Beyond, Doubles, U, united
from arithmetic.elementary import ELEMENTARY
from arithmetic.tape import Taped
from vocabulary.operators import Form, Forms, Operator


class FastBalls(Bounding):
    """Exact numbers beside what an evaluation with ``rounding`` may make of them."""

    def __init__(self, rounding: Rounding) -> None:
        super().__init__()
        self.rounding = rounding
        # Whether a definition is at work that no framework computes: what rounding makes of it is of no account.
        self._defines = False
        self._small = rounding.tiny / rounding.unit
        self._large = rounding.largest / 2
        self._bits = 1 - math.frexp(rounding.unit)[1]

    def precision(self) -> AbstractContextManager[None]:
        """Return a context that changes nothing: the precision of doubles is fixed."""
        return nullcontext()

    def tensor(self, array: np.ndarray) -> Taped:
        return self.points(array[np.newaxis])

    def points(self, arrays: np.ndarray) -> Taped:
        """Return a tensor with one value for each point along the first axis of ``arrays``."""
        if ((arrays != 0) & (np.abs(arrays) < self.rounding.tiny)).any():
            raise Beyond("a subnormal input")
        return Taped(Doubles.of(arrays), self)

    def array(self, tensor: Taped) -> Any:
        return tensor.value

    def boxed(self, x: Any) -> Any:
        return x

    def constant(self, value: Any, like: Any) -> Doubles:
        return _exactly([value], (1,))

    def lift(self, value: Any, like: Any) -> Doubles:
        numbers, shape = written(value)
        exact = _exactly(numbers, (1, *shape))
        sizes = np.abs(exact.hi)
        scaled = np.ldexp(np.frexp(exact.hi)[0], self._bits)
        held = (sizes == 0) | ((sizes >= self.rounding.tiny) & (sizes <= self.rounding.largest) & (scaled == np.rint(scaled)))
        return Doubles(exact.hi, exact.lo, exact.e, np.where(held, 0.0, self.round(exact).r))

    def function(self, name: str, x: Any) -> Doubles:
        if self._defines:
            return ELEMENTARY[name](x)
        y = ELEMENTARY[name](x.around(self.rounding.unit) if self.rounding.argument else x)
        return self._extremes(y.around(self.rounding.functions[name] * self.rounding.unit).widened(self._absolute(name)))

    def _absolute(self, name: str) -> float:
        return self.rounding.absolute.get(name, 0.0) * self.rounding.unit

    def step(self, x: Any) -> Doubles:
        if not _sign_is_known(x).all():
            raise Beyond("a kink")
        return Doubles.of(np.where(x.hi > 0, 1.0, 0.0))

    def maximum0(self, x: Any) -> Doubles:
        if not (_sign_is_known(x) | ((x.hi == 0) & (x.r == 0))).all():
            raise Beyond("a kink")
        right = x.hi > 0
        positive: Doubles = x.each(lambda part: np.where(right, part, 0.0))
        return positive

    def round(self, x: Any) -> Any:
        return self._extremes(x.around(self.rounding.unit)) if self._rounds else x

    def _extremes(self, x: Doubles) -> Doubles:
        """Add what underflow can do to small results. Raises Beyond where one may overflow."""
        if not (x.magnitudes < self._large).all():
            raise Beyond("a result that may overflow")
        small = (np.abs(x.hi) <= self._small) & ((x.hi != 0) | (x.r != 0))
        return x.widened(np.where(small, self.rounding.tiny, 0.0)) if small.any() else x

    # Forms: the midpoint is that of the definition, and r holds the results of every form that a framework may compute.

    def computed(self, forms: Forms, operands: Sequence[Taped], arguments: Sequence[Any]) -> Taped:
        if forms.bounding == (forms.definition,):
            return forms.definition(self, *operands, *arguments)
        if any(x.wants_gradient for x in operands):
            return self._united(forms, (), operands, arguments)
        runs = {
            form: self._run(forms, form, operands, arguments) for form in dict.fromkeys((forms.definition, *forms.bounding))
        }
        bounding = [runs[form].value for form in forms.bounding if runs[form] is not None]
        return Taped(united(runs[forms.definition].value, bounding), self)

    def _run(self, forms: Forms, form: Form, operands: Sequence[Taped], arguments: Sequence[Any]) -> Any:
        before, self._defines = self._defines, self._defines or form not in forms.bounding
        try:
            return form(self, *operands, *arguments)
        finally:
            self._defines = before

    def differentiated(self, operator: Operator, operands: Sequence[Taped], arguments: Sequence[Any]) -> Taped:
        return self._united(operator.value, operator.other_adjoints, operands, arguments)

    def _united(
        self, forms: Forms, others: Sequence[Forms | None], operands: Sequence[Taped], arguments: Sequence[Any]
    ) -> Taped:
        runs = {}
        for form in dict.fromkeys((forms.definition, *forms.bounding)):
            leaves = [Taped(x.value, self, leaf=x.wants_gradient) for x in operands]
            if (result := self._run(forms, form, leaves, arguments)) is not None:
                runs[form] = leaves, result
        bounding = [form for form in forms.bounding if form in runs]
        value = Taped(united(runs[forms.definition][1].value, [runs[form][1].value for form in bounding]), self)
        known: dict[int, tuple[Any, dict[Any, dict[int, Any]]]] = {}

        def pulled(g: Any) -> dict[Any, dict[int, Any]]:
            if id(g) not in known:  # the adjoint is kept, so that no later one gets its id
                known[id(g)] = g, {form: self.pulled_back(result, g) for form, (_, result) in runs.items()}
            return known[id(g)][1]

        def pullback(index: int) -> Callable[[Any], Any]:
            def pull(g: Any) -> Any:
                unused = self.constant(0, g)
                adjoints = {
                    form: found.get(id(runs[form][0][index]), self.broadcast(unused, runs[form][0][index]))
                    for form, found in pulled(g).items()
                }
                parts = [adjoints[form] for form in bounding]
                constants = [Taped(x.value, self) for x in operands]
                if (other := others[index] if others else None) is not None:
                    parts += [form(self, Taped(g, self), *constants, value, *arguments).value for form in other.computed]
                return united(adjoints[forms.definition], parts)

            return pull

        return self.record(value.value, *((x, pullback(index)) for index, x in enumerate(operands)))

    def largest(self, x: Taped, axis: int = -1) -> Taped:
        value = x.value
        at = np.expand_dims(np.argmax(value.hi, axis=axis), axis)
        top = value.each(lambda part: np.take_along_axis(part, at, axis))
        away = (value.midpoint - top.midpoint).hi * (1 - 4 * U)  # 0 or less
        # Another entry exceeds the top midpoint by at most its own radius less the distance of the two midpoints.
        radii = (np.maximum(radius + away, 0).max(axis=axis, keepdims=True) * UP for radius in (value.e, value.r))
        return Taped(Doubles(top.hi, top.lo, *(np.maximum(r, o) for r, o in zip(radii, (top.e, top.r), strict=True))), self)

    def absolute(self, x: Taped) -> Taped:
        return Taped(abs(x.value), self)

    def declared(self, name: str, x: Taped) -> Taped:
        return Taped(x.value.widened(self._absolute(name)), self)

    def or_at_zero(self, x: Taped, z: Taped, other: Taped) -> Taped:
        if self.no_slope:
            raise Beyond("a declared kink")
        return x

    def are_labels(self, y: Taped) -> bool:
        return bool((((y.value.hi == 0) | (y.value.hi == 1)) & (y.value.lo == 0) & (y.value.r == 0)).all())

    def are_powers_of_two(self, c: Taped) -> bool:
        x = c.value
        if not ((np.abs(np.frexp(x.hi)[0]) == 0.5) & (x.lo == 0) & (x.r == 0)).all():
            return False
        inverse = 1 / np.abs(x.hi)
        return bool(((inverse >= self.rounding.tiny) & (inverse <= self.rounding.largest)).all())

    def broadcast(self, adjoint: Any, x: Taped) -> Any:
        adjoint = self.padded(adjoint, x.value.ndim)
        return np.broadcast_to(adjoint, adjoint.shape[: self.lead] + x.shape)

    # Sums, of whose order nothing is known.

    def summed(self, terms: Any, axes: tuple[int, ...]) -> Any:
        n = math.prod(terms.shape[axis] for axis in axes)
        if n == 1:
            return terms.sum(axes)
        total = terms.around(self._gamma(n - 1)).sum(axes)
        return self._settled(total, n, terms.magnitudes.sum(axis=axes))

    def product(self, a: Any, b: Any) -> Any:
        n = a.shape[-1]
        return self._settled(a.around(self._gamma(n)) @ b, 2 * n, a.magnitudes @ b.magnitudes)

    def _gamma(self, roundings: int) -> float:
        """Return gamma = n u / (1 - n u)."""
        n_u = roundings * self.rounding.unit
        if not n_u < 0.5:
            raise Beyond("a sum of too many terms: n u is no longer below 1/2")
        return n_u / (1 - n_u) * UP

    def _settled(self, total: Doubles, flushed: int, sizes: np.ndarray) -> Doubles:
        """Round sums once; ``flushed`` is how many numbers may be flushed to 0, ``sizes`` are the sums of absolute values."""
        if not (sizes < self._large).all():
            raise Beyond("a sum that may overflow")
        total = total.around(self.rounding.unit)
        small = (np.abs(total.hi) <= flushed * self._small) & (sizes > 0)
        return total.widened(np.where(small, flushed * self.rounding.tiny, 0.0)) if small.any() else total

    # For update rules.

    def parameter(self, value: float, name: str) -> Doubles:
        """Return a number of the user's as a framework holds it."""
        rounded: Doubles = self.passed(self.round(_exactly([value], (1,))), name)
        return rounded

    def passed(self, x: Any, name: str) -> Any:
        """Return ``x`` with what it loses where the backend declares that ``name`` passes through a narrower dtype."""
        return x.around(self.lost[name]) if name in self.lost else x


def _exactly(numbers: Sequence[int | float], shape: tuple[int, ...]) -> Doubles:
    try:
        floats = [float(number) for number in numbers]
    except OverflowError:
        raise Beyond("a number that no double holds") from None
    if floats != list(numbers):
        raise Beyond("a number that no double holds")
    return Doubles.of(np.array(floats).reshape(shape))


def _sign_is_known(x: Doubles) -> np.ndarray:
    return np.asarray(np.abs(x.hi) * (1 - 4 * U) > x.r)
