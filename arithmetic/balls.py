"""The truth and its bound: the tape over Arb balls, intervals that are guaranteed to hold the exact result.

Many points are computed at once along one leading axis, which pays for numpy's overhead on small arrays of objects.

With ``rounding`` the balls also hold whatever an evaluation in that precision may return: every operation is followed by
the widening that its rounding can explain. The bound is then how far a ball reaches from the truth; its midpoint is of no
account.

Source: F. Johansson, Arb: efficient arbitrary-precision midpoint-radius interval arithmetic, IEEE Trans. Comput. 66
(2017); the standard model fl(x op y) = (x op y)(1 + d), |d| <= u, in N. J. Higham, Accuracy and Stability of Numerical
Algorithms, 2nd ed., SIAM 2002, sections 2.2 and 3.1.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat

from arithmetic.bounding import Bounding
from arithmetic.tape import Taped
from vocabulary.functions import FUNCTIONS
from vocabulary.operators import Forms, Operator
from vocabulary.tensors import Formula, Tensors
from vocabulary.words import Words

TRUTH_BITS = 300
# Products of so many terms are made in one piece.
LARGE = 500


@dataclasses.dataclass(frozen=True)
class Rounding:
    """What one operation of a precision may do to a result.

    ``unit`` is the unit roundoff u, ``tiny`` the smallest normal and ``largest`` the largest number. ``functions`` gives
    the relative error of each elementary function in units of u, ``absolute`` an error in units of u that does not
    shrink with the value, for operations with such a declared deviation. ``argument`` grants a function one rounding of
    its argument, for frameworks that build it from another one.
    """

    unit: float
    tiny: float
    largest: float
    functions: Mapping[str, float]
    absolute: Mapping[str, float] = dataclasses.field(default_factory=dict)
    argument: bool = True


def written(value: Any) -> tuple[list[int | float], tuple[int, ...]]:
    """Return the numbers of a number or array in a formula, flat, and its shape. Raises TypeError for what is neither."""
    array = np.asarray(value)
    found = array.ravel().tolist()
    for number in found:
        if not isinstance(number, int | float):
            raise TypeError(f"a number in a formula is an int or a float, got {number!r}")
    return found, array.shape


def _filled(values: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    # np.array would look for sequences inside the balls, at a microsecond each.
    return np.fromiter(values, dtype=object, count=len(values)).reshape(shape)


def balls(array: Any) -> np.ndarray:
    """Return an object array of exact balls with the values of ``array``."""
    array = np.asarray(array, dtype=np.float64)
    return _filled([arb(value) for value in array.ravel().tolist()], array.shape)


def _elementwise(function: Any, x: np.ndarray) -> np.ndarray:
    return _filled([function(value) for value in x.ravel().tolist()], x.shape)


_union = np.frompyfunc(arb.union, 2, 1)
_largest = np.frompyfunc(arb.max, 2, 1)


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix product of balls; that of large matrices by Arb's own."""
    if a.shape[-2] * a.shape[-1] * b.shape[-1] < LARGE:
        return a @ b
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    result = np.empty((*lead, a.shape[-2], b.shape[-1]), dtype=object)
    for point in np.ndindex(lead):
        x, y = (m[tuple(i if n > 1 else 0 for i, n in zip(point, m.shape, strict=False))] for m in (a, b))
        rows, inner = x.shape
        product = arb_mat(rows, inner, x.ravel().tolist()) * arb_mat(inner, y.shape[1], y.ravel().tolist())
        result[point] = _filled(product.entries(), result.shape[-2:])
    return result


def _are_between(small: float, large: float, balls: Iterable[arb]) -> bool:
    """Whether all midpoints are larger than ``small`` and all balls surely smaller than 2 ``large``, all being numbers."""
    for ball in balls:  # noqa: SIM110, a generator takes twice the time
        # With one bit of accuracy, the radius is less than half of the midpoint.
        if not (small < abs(float(ball)) < large and ball.rel_accuracy_bits() > 0):
            return False
    return True


_without_slope = np.frompyfunc(lambda slope, z, other: slope.union(other) if z.contains(0) else slope, 3, 1)


def _root(x: arb) -> arb:
    # A second moment is no less than zero, whatever its ball says.
    return x.sqrt() if x > 0 or x.is_zero() else arb(0).union(x.abs_upper().sqrt())


def _relu(x: arb) -> arb:
    return x.max(arb(0))


def _step(x: arb) -> arb:
    # On an undecided kink every subgradient is admitted; the ball is then too wide for a verdict.
    if x > 0:
        return arb(1)
    if x < 0:
        return arb(0)
    return arb(0).union(arb(1))


_UNBOUNDED = arb(0, float("inf"))


class Balls(Bounding):
    """Ball arithmetic with ``bits`` bits, plain (the truth) or with the roundings of a precision (its bound)."""

    _one = balls(np.ones(1))

    def __init__(self, bits: int = TRUTH_BITS, rounding: Rounding | None = None) -> None:
        super().__init__()
        self.bits = bits
        self.rounding = rounding
        self._lifted: dict[tuple[float, bool], np.ndarray] = {}  # numbers of formulas
        if rounding:
            unit = arb(rounding.unit)
            self._once = self._near_one(unit)
            self._one_rounding = self._once.item()
            self._gammas: dict[int, np.ndarray] = {}
            self._factors = Words(
                "accuracy of", {name: self._near_one(size * unit) for name, size in rounding.functions.items()}
            )
            # Below this the error of underflow, flushing to zero included, exceeds that of rounding.
            self._small = rounding.tiny / rounding.unit
            self._underflow = arb(0, rounding.tiny)
            self._largest = arb(rounding.largest)
            self._large = rounding.largest / 2
            self._bits = 1 - math.frexp(rounding.unit)[1]

    @staticmethod
    def _near_one(radius: arb) -> np.ndarray:
        return _filled([arb(1, radius)], ())

    @contextmanager
    def precision(self) -> Iterator[None]:
        """Compute with ``bits`` bits within the block; flint's precision is global."""
        with flint.ctx.workprec(self.bits):
            yield

    def tensor(self, array: np.ndarray) -> Taped:
        """Return a tensor that is the same at every point."""
        return self.points(array[np.newaxis])

    def points(self, arrays: np.ndarray) -> Taped:
        """Return a tensor with one value for each point along the first axis of ``arrays``."""
        value = balls(arrays)
        if self.rounding is not None and ((arrays != 0) & (np.abs(arrays) < self.rounding.tiny)).any():
            value = _elementwise(self._flushed, value)
        return Taped(value, self)

    def _flushed(self, x: arb) -> arb:
        """A subnormal input may be read as zero."""
        assert self.rounding is not None
        return x.union(arb(0)) if abs(x) < self.rounding.tiny else x

    def array(self, tensor: Taped) -> np.ndarray:
        return tensor.value

    def constant(self, value: Any, like: np.ndarray) -> np.ndarray:
        return _filled([arb(value)], (1,))

    def lift(self, value: Any, like: np.ndarray) -> np.ndarray:
        """A number of the formula is rounded once by whoever computes in a dtype that does not hold it; the truth keeps it."""
        if isinstance(value, int | float):
            key = value, self._rounds
            if (kept := self._lifted.get(key)) is None:
                kept = self._lifted[key] = self._lift(value)
            return kept
        return self._lift(value)

    def _lift(self, value: Any) -> np.ndarray:
        numbers, shape = written(value)
        exact = _filled(list(map(arb, numbers)), (1, *shape))
        if self.rounding is None:
            return exact
        pairs = zip(exact.ravel(), self.round(exact).ravel(), strict=True)
        return _filled([x if self._holds(x) else rounded for x, rounded in pairs], exact.shape)

    def _holds(self, x: arb) -> bool:
        """Whether the precision has ``x`` itself, and as a normal number: others may be flushed to zero."""
        assert self.rounding is not None
        if x == 0 or not x.is_finite():
            return True
        return self.rounding.tiny <= abs(x) <= self.rounding.largest and x.man_exp()[0].bit_length() <= self._bits

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        exactly = FUNCTIONS[name].exactly
        if self.rounding is None:
            return _elementwise(exactly, x)
        y = _elementwise(exactly, x * self._once if self.rounding.argument else x) * self._factors[name]
        return self._extremes(y + self._declared(name))

    def _declared(self, name: str) -> np.ndarray:
        """Return the absolute error that is declared of ``name``, as a ball around zero."""
        assert self.rounding is not None
        return _filled([arb(0, self.rounding.absolute.get(name, 0.0) * self.rounding.unit)], ())

    def step(self, x: np.ndarray) -> np.ndarray:
        return _elementwise(_step, x)

    def maximum0(self, x: np.ndarray) -> np.ndarray:
        return _elementwise(_relu, x)

    def round(self, x: np.ndarray) -> np.ndarray:
        return x if self.rounding is None or not self._rounds else self._extremes(x * self._once)

    def computed(self, forms: Forms, operands: Sequence[Taped], arguments: Sequence[Any]) -> Taped:
        """The definition, where it is the truth, and else the union of the balls of all forms that frameworks compute."""
        if self.rounding is None:
            return forms.definition(self, *operands, *arguments)
        if len(forms.bounding) == 1:
            return forms.bounding[0](self, *operands, *arguments)
        if any(x.wants_gradient for x in operands):
            return self._united(forms, (), operands, arguments)
        return Taped(self._union([form(self, *operands, *arguments) for form in forms.bounding]), self)

    def differentiated(self, operator: Operator, operands: Sequence[Taped], arguments: Sequence[Any]) -> Taped:
        if self.rounding is None:
            return super().differentiated(operator, operands, arguments)
        return self._united(operator.value, operator.other_adjoints, operands, arguments)

    def _united(
        self, forms: Forms, others: Sequence[Forms | None], operands: Sequence[Taped], arguments: Sequence[Any]
    ) -> Taped:
        """The union of forms with that of their derivatives, each form on a tape of its own, and of ``others`` of these."""
        runs = []
        for form in forms.bounding:
            leaves = [Taped(x.value, self, leaf=x.wants_gradient) for x in operands]
            result = form(self, *leaves, *arguments)
            if result is not None:
                runs.append((leaves, result))
        value = Taped(self._union([result for _, result in runs]), self)
        known: dict[int, tuple[np.ndarray, list[dict[int, np.ndarray]]]] = {}

        def pulled(g: np.ndarray) -> list[dict[int, np.ndarray]]:
            if id(g) not in known:  # the adjoint is kept, so that its identity stays its own
                known[id(g)] = g, [self.pulled_back(result, g) for _, result in runs]
            return known[id(g)][1]

        def pullback(index: int) -> Callable[[np.ndarray], np.ndarray]:
            def pull(g: np.ndarray) -> np.ndarray:
                unused = self.constant(0, g)
                parts = [
                    Taped(adjoints.get(id(leaves[index]), self.broadcast(unused, leaves[index])), self)
                    for (leaves, _), adjoints in zip(runs, pulled(g), strict=True)
                ]
                constants = [Taped(x.value, self) for x in operands]
                other = others[index] if others else None
                if other is not None:
                    parts += [form(self, Taped(g, self), *constants, value, *arguments) for form in other.computed]
                return self._union(parts)

            return pull

        return self.record(value.value, *((x, pullback(index)) for index, x in enumerate(operands)))

    @staticmethod
    def _union(balls: Sequence[Taped | None]) -> np.ndarray:
        """Return the smallest balls that hold those of all forms; None is a form that is none of its own."""
        united: np.ndarray = functools.reduce(_union, (ball.value for ball in balls if ball is not None))
        return united

    def largest(self, x: Taped, axis: int = -1) -> Taped:
        return Taped(_largest.reduce(x.value, axis=axis, keepdims=True), self)

    def are_powers_of_two(self, c: Taped) -> bool:
        if not all(x.is_exact() for x in c.value.ravel().tolist()) or not super().are_powers_of_two(c):
            return False
        return self.rounding is None or all(
            self.rounding.tiny <= 1 / abs(float(x)) <= self.rounding.largest for x in c.value.ravel().tolist()
        )

    def declared(self, name: str, x: Taped) -> Taped:
        return x if self.rounding is None else Taped(x.value + self._declared(name), self)

    def or_at_zero(self, x: Taped, z: Taped, other: Taped) -> Taped:
        if not self.no_slope:
            return x
        return Taped(_without_slope(x.value, *np.broadcast_arrays(z.value, other.value)), self)

    # Sums in p bits. Each of n terms takes part in at most n - 1 additions, in whatever order, and may be flushed to zero
    # where it is subnormal; a partial sum may leave the range although the sum does not.

    def summed(self, terms: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        n = math.prod(terms.shape[axis] for axis in axes)
        if self.rounding is None or n == 1:
            return self.boxed(terms.sum(axis=axes))
        return self._settled((terms * self._gamma(n - 1)).sum(axis=axes), n, lambda: np.abs(terms).sum(axis=axes))

    def product(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if self.rounding is None:
            return _product(a, b)
        n = a.shape[-1]
        return self._settled(_product(a * self._gamma(n), b), 2 * n, lambda: _product(np.abs(a), np.abs(b)))

    def _gamma(self, roundings: int) -> np.ndarray:
        """Return the factor 1 + [-gamma, gamma] with gamma = n u / (1 - n u)."""
        assert self.rounding is not None
        if roundings not in self._gammas:
            n_u = roundings * self.rounding.unit
            radius = arb(n_u) / (1 - arb(n_u)) if n_u < 1 else arb(float("inf"))
            self._gammas[roundings] = self._near_one(radius)
        return self._gammas[roundings]

    def _settled(self, total: np.ndarray, flushed: int, sizes: Callable[[], np.ndarray]) -> np.ndarray:
        """Round sums once; ``flushed`` is how many numbers may be flushed, ``sizes`` gives the sums of absolute values."""
        assert self.rounding is not None
        tiny, small, large = arb(0, flushed * self.rounding.tiny), flushed * self._small, self._large
        total = self.boxed(total) * self._once
        absolute = self.boxed(sizes()).ravel().tolist()
        values = total.ravel().tolist()
        if _are_between(small, math.inf, values) and _are_between(-1.0, large, absolute):
            return total
        # A partial sum may be rounded up to the largest number though no exact one reaches it.
        grown = (self.boxed(sizes()) * self._gamma(flushed)).ravel().tolist()
        settled = [
            (value if size.is_zero() else value + tiny) if size < self._largest else _UNBOUNDED
            for value, size in zip(values, grown, strict=True)
        ]
        return _filled(settled, total.shape)

    def _extremes(self, x: np.ndarray) -> np.ndarray:
        """Add what underflow can do to small results, and give up on those that may overflow."""
        usual = _are_between(self._small, self._large, x.ravel().tolist())
        return x if usual else _elementwise(self._extreme, x)

    def _extreme(self, x: arb) -> arb:
        if not abs(x) < self._largest:
            return _UNBOUNDED
        return x + self._underflow if abs(float(x)) < self._small and not x.is_zero() else x

    def midpoints(self, x: np.ndarray) -> np.ndarray:
        return _elementwise(arb.mid, x)

    # For the update rules of optimisers.

    def parameter(self, value: float, name: str) -> np.ndarray:
        """Return a number of the user's as a framework holds it: rounded to its dtype, or as its optimiser passes it on."""
        return self.passed(self.round(self.constant(value, self._one)), name)

    def passed(self, x: np.ndarray, name: str) -> np.ndarray:
        """Return ``x`` with what it loses where the backend declares that ``name`` passes through a narrower dtype."""
        return x * self._near_one(arb(self.lost[name])) if name in self.lost else x

    def root(self, x: Taped) -> Taped:
        """Square root of every element, rounded once, as in IEEE 754; of a ball that reaches below 0, the part from 0 on."""
        return Taped(self.round(_elementwise(_root, x.value)), self)

    def powers(self, x: Taped, exponents: Sequence[int], name: str) -> Taped:
        """x to each of several whole numbers, which a backend may declare to pass through a narrower dtype under ``name``.

        Some call a function as accurate as exp, others multiply, with a rounding for each factor: the bound allows for both.
        """
        powers = self.passed(x.value, name) ** _filled(list(exponents), (len(exponents),))
        if self.rounding is None:
            return Taped(powers, self)
        accuracy = int(self.rounding.functions["exp"])
        return Taped(powers * _filled([self._gamma(k + accuracy).item() for k in exponents], powers.shape), self)

    def fading(self, decay: Taped, fresh: Taped, before: Taped, rest: Taped | None = None) -> Taped:
        """s = decay s + fresh for each row of ``fresh`` in turn, from s = ``before`` on; the product and the sum are rounded.

        Given ``rest``, ``fresh`` is rest x, and some compute s + rest (x - s): the ball holds the three roundings of that, too,
        of numbers no larger than |fresh| + rest |s|, and is kept from growing with s standing twice.
        """
        [factor] = decay.value.ravel().tolist()
        [share] = rest.value.ravel().tolist() if rest is not None else [None]
        start = np.broadcast_to(before.value, (1, *fresh.value.shape[1:]))
        columns = zip(start.reshape(-1).tolist(), fresh.value.reshape(len(fresh.value), -1).T.tolist(), strict=True)
        faded = [self._faded(factor, column, s, share) for s, column in columns]
        return Taped(_filled([s for row in zip(*faded, strict=True) for s in row], fresh.value.shape), self)

    def _faded(self, factor: arb, column: Sequence[arb], s: arb, share: arb | None) -> list[arb]:
        # Bare balls: the overhead of arrays and tapes is several times the cost of the arithmetic.
        found = []
        if self.rounding is None:
            for x in column:
                s = factor * s + x
                found.append(s)
            return found
        more = self._gamma(3).item() - 1
        for x in column:
            sizes = abs(x) + share * abs(s) if share is not None else None
            s = self._rounded(self._rounded(factor * s) + x)
            if sizes is not None:
                s += sizes * more
            found.append(s)
        return found

    def _rounded(self, x: arb) -> arb:
        """``round`` of a single ball."""
        y = x * self._one_rounding
        return y if _are_between(self._small, self._large, (y,)) else self._extreme(y)

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Taped, Tensors]:
        with self.precision():
            return super().value_and_grad(loss, params, data)
