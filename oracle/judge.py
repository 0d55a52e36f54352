"""The oracle: exact answers, rounding bounds, and the judgement of results at given points."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from flint import arb

from backends.base import SCALARS_KEEP_DTYPE, Deviation, Formula
from backends.exact import Exact
from backends.numpy import Numpy
from backends.tape import Array, Tensor
from oracle.precision import rounding
from oracle.verdict import DEVIATES, Comparison, Judgement

# Bounds need no more than this: their midpoints only have to be close to the truth.
BOUND_BITS = 128
# Points computed at once: enough to pay for numpy's overhead, few enough to stay in the cache.
BATCH = 64

Point = Mapping[str, np.ndarray]
Results = Mapping[str, Sequence[np.ndarray]]


class Oracle:
    """Judges one formula over its data in one dtype, with the deviations that the judged backend declares.

    Quantities are called ``value`` (of the formula), ``gradient NAME`` and ``updated NAME``, the last being the parameter
    after a step ``w - rate * gradient``. A formula that is judged by ``value`` alone need not be a scalar.
    """

    def __init__(
        self,
        formula: Formula,
        data: Mapping[str, np.ndarray],
        dtype: str,
        deviations: Iterable[Deviation] = (),
        rate: float = 0.0,
    ) -> None:
        self.formula = formula
        self.data = data
        self.dtype = dtype
        self.rate = rate
        here = [deviation for deviation in deviations if dtype in deviation.dtypes]
        self.absolute = {deviation.subject: deviation.absolute for deviation in here if deviation.absolute}
        self.promotes = any(deviation.subject == SCALARS_KEEP_DTYPE for deviation in here)
        self.truth = Exact()
        self.bounds = Exact(BOUND_BITS, rounding(dtype))

    def judge(self, points: Sequence[Point], results: Results, row: str = "start") -> dict[str, Judgement]:
        """Return a judgement for every quantity in ``results``, which holds one array a point.

        ``row`` is what messages call a point where there are several.
        """
        shapes = self._shapes(points[0], results)
        lifts = self.promotes and self._lifts_scalars(points[0])
        comparisons = self._compare(self.bounds, list(enumerate(points)), results, shapes, row)
        judgements = {}
        for quantity, comparison in comparisons.items():
            malformed, promoted = self._form(results[quantity], shapes[quantity], lifts)
            if malformed:
                judgements[quantity] = Judgement(DEVIATES, malformed, rows=len(points))
                continue
            judgement = comparison.judge()
            if judgement.verdict == DEVIATES and self.absolute:
                judgement = self._explained(judgement, comparison, points, results, shapes, row)
            elif judgement.verdict != DEVIATES and promoted:
                judgement = dataclasses.replace(
                    judgement, verdict=DEVIATES, declared=SCALARS_KEEP_DTYPE, message="dtype float64: " + SCALARS_KEEP_DTYPE
                )
            judgements[quantity] = judgement
        return judgements

    def _explained(
        self,
        judgement: Judgement,
        comparison: Comparison,
        points: Sequence[Point],
        results: Results,
        shapes: Mapping[str, tuple[int, ...]],
        row: str,
    ) -> Judgement:
        """Judge the rows outside once more with the errors that the backend declares."""
        quantity = comparison.quantity
        rows = [(index, points[index]) for index in comparison.outside]
        wider = Exact(BOUND_BITS, rounding(self.dtype, self.absolute))
        again = self._compare(wider, rows, {quantity: results[quantity]}, shapes, row)[quantity].judge()
        if again.verdict == DEVIATES:
            return judgement
        return dataclasses.replace(judgement, declared=", ".join(self.absolute))

    def _compare(
        self,
        bounds: Exact,
        points: Sequence[tuple[int, Point]],
        results: Results,
        shapes: Mapping[str, tuple[int, ...]],
        row: str,
    ) -> dict[str, Comparison]:
        many = len(next(iter(results.values()))) > 1
        made = {quantity: Comparison(quantity, self.dtype, shapes[quantity], row if many else "") for quantity in results}
        for batch in _batches(points):
            stacked = {name: np.stack([point[name] for _, point in batch]) for name in batch[0][1]}
            finite = np.all([np.isfinite(array.reshape(len(batch), -1)).all(axis=1) for array in stacked.values()], axis=0)
            truth, balls = (self._expect(backend, stacked, results) for backend in (self.truth, bounds))
            for quantity, comparison in made.items():
                name = quantity.removeprefix("updated ")
                for k, (index, point) in enumerate(batch):
                    got = results[quantity][index].ravel().tolist()
                    if not finite[k]:
                        comparison.add_unknown(index, got)
                        continue
                    origin = point[name].ravel().tolist() if quantity != name else None
                    comparison.add(index, got, truth[quantity][k], balls[quantity][k], origin)
        return made

    def _expect(self, backend: Exact, points: Point, quantities: Iterable[str]) -> dict[str, list[list[arb]]]:
        """Return every quantity as balls, a flat list for each point along the first axis of ``points``."""
        weights = {name: backend.points(arrays) for name, arrays in points.items()}
        n = len(next(iter(points.values())))
        data = {name: backend.tensor(array) for name, array in self.data.items()}
        with backend.precision():
            if list(quantities) == ["value"]:
                return {"value": _flat(self.formula(backend, weights, data), n)}
            value, gradient = backend.value_and_grad(self.formula, weights, data)
            expected = {"value": _flat(value, n)}
            for name, g in gradient.items():
                expected[f"gradient {name}"] = _flat(g, n)
                if self.rate:
                    after = Tensor(backend.updated(weights[name].value, g.value, self.rate), backend)
                    expected[f"updated {name}"] = _flat(after, n)
            return expected

    def _shapes(self, point: Point, results: Results) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"value": ()}
        if list(results) == ["value"]:
            shapes["value"] = self._evaluated(Numpy(), point).shape
        for name, array in point.items():
            shapes[f"gradient {name}"] = shapes[f"updated {name}"] = array.shape
        return shapes

    def _form(self, arrays: Sequence[np.ndarray], shape: tuple[int, ...], lifts: bool) -> tuple[str, bool]:
        """Return what is wrong with the shape or dtype of results, and whether they are declared to be wider."""
        for array in arrays:
            if array.shape != shape:
                return f"got shape {array.shape}, expected {shape}", False
            if array.dtype.name != self.dtype:
                if lifts and array.dtype == np.float64 and shape == ():
                    return "", True
                return f"got dtype {array.dtype.name}, expected {self.dtype}", False
        return "", False

    def _lifts_scalars(self, point: Point) -> bool:
        """Whether the formula combines a tensor of shape () with a Python number."""
        seen = _ScalarLifts()
        self._evaluated(seen, point)
        return seen.found

    def _evaluated(self, ops: Numpy, point: Point) -> Tensor:
        inside = ({name: ops.tensor(array) for name, array in arrays.items()} for arrays in (point, self.data))
        with np.errstate(all="ignore"):
            return self.formula(ops, *inside)


class _ScalarLifts(Numpy):
    """numpy that notices a Python number meeting a tensor of shape ()."""

    found = False

    def constant(self, value: object, like: Array) -> Array:
        self.found |= like.shape == ()
        return super().constant(value, like)


def _flat(tensor: Tensor, points: int) -> list[list[arb]]:
    value = tensor.value.reshape(len(tensor.value), -1)
    return np.broadcast_to(value, (points, value.shape[1])).tolist()


def _batches(points: Sequence[tuple[int, Point]]) -> Iterator[Sequence[tuple[int, Point]]]:
    return (points[start : start + BATCH] for start in range(0, len(points), BATCH))
