"""The oracle: exact answers, rounding bounds, and the judgement of results at given points."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from flint import arb

from backends.base import MATMUL, OPERATIONS, SCALARS_KEEP_DTYPE, Deviation, Formula
from backends.exact import Exact
from backends.numpy import Numpy
from backends.tape import Array, Tensor
from oracle.precision import rounding
from oracle.trace import Node, trace
from oracle.verdict import CONFORMS, DEVIATES, UNINFORMATIVE, Comparison, Judgement

# Bounds need no more than this: their midpoints only have to be close to the truth.
BOUND_BITS = 128
# Points computed at once: enough to pay for numpy's overhead, few enough to stay in the cache.
BATCH = 64

Point = Mapping[str, np.ndarray]
Results = Mapping[str, Sequence[np.ndarray]]


class Oracle:
    """Judges one formula over its data in one dtype, with the deviations that the judged backend declares.

    Quantities are called ``value`` (of the formula), ``gradient NAME`` and ``updated NAME``, the last being the parameter
    after a step ``w - rate * gradient``. A formula that is judged by ``value`` alone need not be a scalar. ``direct`` holds
    elementary functions to the table of their accuracy and no more.
    """

    def __init__(
        self,
        formula: Formula,
        data: Mapping[str, np.ndarray],
        dtype: str,
        deviations: Iterable[Deviation] = (),
        rate: float = 0.0,
        *,
        direct: bool = False,
    ) -> None:
        self.formula = formula
        self.data = data
        self.dtype = dtype
        self.rate = rate
        self.deviations = [deviation for deviation in deviations if dtype in deviation.dtypes]
        self.truth = Exact()
        self.direct = direct
        self.bounds = self._bounds()

    def _bounds(self, absolute: Mapping[str, float] | None = None) -> Exact:
        return Exact(BOUND_BITS, rounding(self.dtype, absolute, argument=not self.direct))

    def judge(self, points: Sequence[Point], results: Results, row: str = "start") -> dict[str, Judgement]:
        """Return a judgement for every quantity in ``results``, which holds one array a point.

        ``row`` is what messages call a point where there are several.
        """
        shapes = self._shapes(points[0], results)
        forms = {quantity: _form(arrays, shapes[quantity], self.dtype) for quantity, arrays in results.items()}
        judgements = {
            quantity: Judgement(DEVIATES, malformed, rows=len(points))
            for quantity, (malformed, _) in forms.items()
            if malformed
        }
        results = {quantity: arrays for quantity, arrays in results.items() if quantity not in judgements}
        comparisons = {
            quantity: Comparison(quantity, self.dtype, shapes[quantity], row if len(points) > 1 else "") for quantity in results
        }
        self._compare(comparisons, self.bounds, list(enumerate(points)), results)
        declared = self._relevant(points[0])
        for quantity, comparison in comparisons.items():
            judgement = comparison.judge()
            widened = forms[quantity][1]
            if judgement.verdict == DEVIATES:
                judgement = self._explained(judgement, comparison, declared, points, results)
            elif widened:
                subjects = [deviation.subject for deviation in declared if deviation.widens and quantity == "value"]
                judgement = dataclasses.replace(
                    judgement, verdict=DEVIATES, message=widened, declared=", ".join(subjects) or None
                )
            judgements[quantity] = judgement
        return judgements

    def _explained(
        self,
        judgement: Judgement,
        comparison: Comparison,
        declared: Sequence[Deviation],
        points: Sequence[Point],
        results: Results,
    ) -> Judgement:
        """Judge the rows outside once more, with the errors that the backend declares for what the formula uses.

        They have to conform then; where the wider bound cannot tell right from wrong, there is no verdict.
        """
        absolute = {deviation.subject: deviation.absolute for deviation in declared if deviation.absolute}
        if not absolute:
            return judgement
        again = comparison.empty()
        rows = [(index, points[index]) for index in comparison.outside]
        self._compare({comparison.quantity: again}, self._bounds(absolute), rows, results)
        wider = again.judge()
        names = ", ".join(absolute)
        if wider.verdict == CONFORMS:
            return dataclasses.replace(judgement, declared=names)
        if wider.verdict == UNINFORMATIVE:
            message = f"outside its bound, and beside the declared deviation of {names} {wider.message}: {judgement.message}"
            return dataclasses.replace(judgement, verdict=UNINFORMATIVE, message=message)
        return judgement

    def _compare(
        self, comparisons: Mapping[str, Comparison], bounds: Exact, points: Sequence[tuple[int, Point]], results: Results
    ) -> None:
        """Put the results at ``points``, given with their indices, beside the truth and its balls."""
        for batch in _batches(points):
            stacked = {name: np.stack([point[name] for _, point in batch]) for name in batch[0][1]}
            finite = np.all([np.isfinite(array.reshape(len(batch), -1)).all(axis=1) for array in stacked.values()], axis=0)
            truth, balls = (self._expect(backend, stacked, results) for backend in (self.truth, bounds))
            for quantity, comparison in comparisons.items():
                name = quantity.removeprefix("updated ")
                for k, (index, point) in enumerate(batch):
                    got = results[quantity][index].ravel().tolist()
                    if not finite[k]:
                        comparison.add_unknown(index, got)
                        continue
                    origin = point[name].ravel().tolist() if quantity != name else None
                    comparison.add(index, got, truth[quantity][k], balls[quantity][k], origin)

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
            shapes["value"] = _evaluated(Numpy(), self.formula, point, self.data).shape
        for name, array in point.items():
            shapes[f"gradient {name}"] = shapes[f"updated {name}"] = array.shape
        return shapes

    def _relevant(self, point: Point) -> list[Deviation]:
        """Return the declared deviations of what the formula uses."""
        used = subjects(self.formula, point, self.data) if self.deviations else set()
        return [deviation for deviation in self.deviations if deviation.subject in used]


def subjects(formula: Formula, point: Point, data: Point) -> set[str]:
    """Return what ``formula`` uses that a backend can lack or declare: operations, and numbers meeting scalar tensors."""
    seen = _Subjects()
    _evaluated(seen, formula, point, data)
    return seen.used


def graph(formula: Formula, point: Point, data: Point) -> list[Node]:
    """Return the nodes of ``formula`` in the order of computation, with numpy's values."""
    nodes: list[Node] = _evaluated(Numpy(), partial(trace, formula), point, data)[1]
    return nodes


def _evaluated(ops: Numpy, formula: Formula, point: Point, data: Point) -> Any:
    inside = ({name: ops.tensor(array) for name, array in arrays.items()} for arrays in (point, data))
    with np.errstate(all="ignore"):
        return formula(ops, *inside)


class _Subjects(Numpy):
    """numpy that notes what it is asked for."""

    def __init__(self) -> None:
        self.used: set[str] = set()

    def __getattribute__(self, name: str) -> Any:
        if name in OPERATIONS:
            self.used.add(name)
        return super().__getattribute__(name)

    def lift(self, value: Any, like: Array) -> Array:
        if like.shape == ():
            self.used.add(SCALARS_KEEP_DTYPE)
        return super().lift(value, like)

    def matmul(self, a: Tensor, b: Tensor) -> Tensor:
        self.used.add(MATMUL)
        return super().matmul(a, b)


def _form(arrays: Sequence[np.ndarray], shape: tuple[int, ...], dtype: str) -> tuple[str, str]:
    """Return what is wrong with the shape or dtype of results, and whether the dtype is merely wider than asked for."""
    for array in arrays:
        if array.shape != shape:
            return f"got shape {array.shape}, expected {shape}", ""
    for array in arrays:
        if array.dtype.name != dtype:
            message = f"got dtype {array.dtype.name}, expected {dtype}"
            return ("", message) if np.can_cast(dtype, array.dtype) else (message, "")
    return "", ""


def _flat(tensor: Tensor, points: int) -> list[list[arb]]:
    value = tensor.value.reshape(len(tensor.value), -1)
    return np.broadcast_to(value, (points, value.shape[1])).tolist()


def _batches(points: Sequence[tuple[int, Point]]) -> Iterator[Sequence[tuple[int, Point]]]:
    return (points[start : start + BATCH] for start in range(0, len(points), BATCH))
