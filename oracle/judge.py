"""The oracle: exact answers, rounding bounds, and the judgement of results at given points."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from arithmetic.floats import Floats
from arithmetic.precision import rounding
from arithmetic.sizes import sizes
from backends.base import Deviation
from backends.training import Training
from oracle.comparison import Comparison, Judgement, digest
from oracle.expected import Expected
from oracle.graph import count, evaluated, used_by
from oracle.kept import Kept, key_of
from oracle.layout import wrong_layout
from vocabulary.rules import Optimizer
from vocabulary.tensors import Formula
from vocabulary.words import CONFORMS, DEVIATES, HYPERPARAMETERS, OPTIMIZER_DTYPE, TRAINING_DTYPE, UNINFORMATIVE

# Points computed at once, and numbers of data and of all that the formula makes of them: enough to pay for numpy's overhead,
# few enough for the memory.
BATCH = 1024
DATA_AT_ONCE = 200_000
VALUES_AT_ONCE = 500_000
# Parameters times this are taken for what the formula makes of them where that is few anyway.
FEW_OPERATIONS = 32

Point = Mapping[str, np.ndarray]
Results = Mapping[str, Sequence[np.ndarray]]


class _Seen(Sequence[Point]):
    """The data of each kept step of a training run, made when they are asked for: all at once may be more than memory holds."""

    def __init__(self, training: Training) -> None:
        self._training = training

    def __len__(self) -> int:
        return len(self._training.keep)

    def __getitem__(self, index: Any) -> Any:
        return self._training.seen(int(self._training.keep[index]))


@dataclasses.dataclass(frozen=True)
class Steps:
    """What a training run adds to a formula: its update rule, and the data and the numbers of its judged steps.

    ``conventions`` say how the backend reads update rules, ``native`` whether the framework's own optimiser makes the step.
    Without ``data`` every step sees that of the oracle. ``judged`` are the numbers of the steps judged, counted from 0.
    """

    optimizer: Optimizer
    conventions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    native: bool = False
    data: Sequence[Point] | None = None
    judged: Sequence[int] | None = None

    @classmethod
    def of(cls, training: Training, conventions: Mapping[str, str]) -> Steps:
        """Return the judged steps of ``training``."""
        data = None if training.batches is None else _Seen(training)
        native = training.level in ("optimizer", "class")
        return cls(training.optimizer, conventions, native, data, training.keep.tolist())


class Oracle:
    """Judges one formula over its data in one dtype, with the deviations that the judged backend declares.

    Quantities are called ``value`` (of the formula), ``gradient NAME`` and ``updated NAME``, the last being the parameter
    after a step of ``steps.optimizer``. A formula that is judged by ``value`` alone need not be a scalar. ``direct`` holds
    elementary functions to the table of their accuracy and no more.
    """

    def __init__(
        self,
        formula: Formula,
        data: Mapping[str, np.ndarray],
        dtype: str,
        deviations: Iterable[Deviation] = (),
        steps: Steps | None = None,
        *,
        direct: bool = False,
        kept: Kept | None = None,
    ) -> None:
        self.formula = formula
        self.data = data
        self.dtype = dtype
        self.steps = steps
        self.deviations = [deviation for deviation in deviations if dtype in deviation.dtypes]
        self.direct = direct
        self.kept = kept

    def expected(self, excuses: Sequence[Deviation] = ()) -> Expected:
        """Return what is right of this formula where the backend deviates as ``excuses`` say."""
        absolute = {deviation.subject: deviation.absolute for deviation in excuses if deviation.absolute}
        narrow = [d for d in excuses if d.passes_through]
        return Expected(
            self.formula,
            rounding(self.dtype, absolute, argument=not self.direct),
            {value: float(np.finfo(d.passes_through).eps) / 2 for d in narrow for value in d.values},
            self.steps.optimizer if self.steps else None,
            self.steps.conventions if self.steps else {},
            no_slope=any(deviation.computes and deviation.computes.without_slope for deviation in excuses),
        )

    def judge(self, points: Sequence[Point], results: Results, row: str = "start") -> dict[str, Judgement]:
        """Return a judgement for every quantity in ``results``, which holds one array a point.

        ``row`` is what messages call a point where there are several.
        """
        declared = self._relevant(points[0])
        if self.kept is None:
            return self._judged(points, results, row, declared)
        return self.kept.get(self._key(points, results, row, declared), lambda: self._judged(points, results, row, declared))

    def _key(self, points: Sequence[Point], results: Results, row: str, declared: Sequence[Deviation]) -> str:
        """Return the digest of all that the judgements depend on."""
        facts: dict[str, Any] = {
            "dtype": self.dtype,
            "direct": self.direct,
            "row": row,
            "declared": [deviation.record for deviation in declared],
        }
        data = [_listed([self.data])]
        seen: Sequence[Point] = ()
        if self.steps:
            optimizer = self.steps.optimizer
            facts["rule"] = [optimizer.name, optimizer.hyperparameters, self.steps.conventions.get(optimizer.name)]
            facts["judged"] = list(self.steps.judged or [])
            seen = self.steps.data or ()
        groups = itertools.chain(data, (_listed([each]) for each in seen), [_listed(points), results])
        return key_of(facts, [self.formula], groups)

    def _judged(
        self, points: Sequence[Point], results: Results, row: str, declared: Sequence[Deviation]
    ) -> dict[str, Judgement]:
        shapes = self._shapes(points[0], results)
        layouts = {quantity: wrong_layout(arrays, shapes[quantity], self.dtype) for quantity, arrays in results.items()}
        bits = {quantity: digest(arrays) for quantity, arrays in results.items()}
        judgements = {
            quantity: Judgement(DEVIATES, malformed, points=len(points))
            for quantity, (malformed, _) in layouts.items()
            if malformed
        }
        results = {quantity: arrays for quantity, arrays in results.items() if quantity not in judgements}
        comparisons = {
            quantity: Comparison(quantity, self.dtype, shapes[quantity], row if len(points) > 1 else "", self._judged_steps)
            for quantity in results
        }
        if results:
            self._compare(comparisons, self.expected(), list(enumerate(points)), results)
            self._measure_what_cancels(comparisons, points)
        for quantity, comparison in comparisons.items():
            judgement = comparison.judge()
            widened = layouts[quantity][1]
            if judgement.verdict == DEVIATES:
                judgement = self._explained(judgement, comparison, declared, points, results)
            elif widened:
                subjects = [d.subject for d in declared if d.widens and (quantity == "value" or d.subject == OPTIMIZER_DTYPE)]
                judgement = dataclasses.replace(
                    judgement, verdict=DEVIATES, message=widened, declared=", ".join(subjects) or None
                )
            judgements[quantity] = judgement
        return {quantity: dataclasses.replace(judgement, bits=bits[quantity]) for quantity, judgement in judgements.items()}

    def _measure_what_cancels(self, comparisons: Mapping[str, Comparison], points: Sequence[Point]) -> None:
        """Tell the comparisons how large a wrong result may be where the exact loss or gradient is 0."""
        zeros = {quantity: rows for quantity, comparison in comparisons.items() if (rows := comparison.zeros)}
        for index in sorted(set().union(*zeros.values())):
            found = sizes(self.formula, points[index], self._seen(index), forward=list(comparisons) == ["value"])
            for quantity, rows in zeros.items():
                if index in rows and quantity in found:
                    comparisons[quantity].scale(index, found[quantity].ravel().tolist())

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
        updates = comparison.quantity.startswith("updated")
        errors = [d for d in declared if d.absolute or (d.passes_through and updates)]
        at_zero = [d for d in declared if d.computes and d.computes.without_slope]
        # What a rule remembers needs every row.
        rows = [(index, points[index]) for index in (range(len(points)) if updates else comparison.outside)]
        # The fewer are let off, the sharper the bound; and none is named that is not needed.
        for excuses in filter(None, ([errors, [*errors, *at_zero]] if at_zero else [errors])):
            again = comparison.empty()
            self._compare({comparison.quantity: again}, self.expected(excuses), rows, results)
            wider = again.judge()
            names = ", ".join(deviation.subject for deviation in excuses)
            if wider.verdict == CONFORMS:
                return dataclasses.replace(judgement, declared=names)
            if wider.verdict == UNINFORMATIVE:
                message = (
                    f"outside its bound; when the bound is widened by the declared deviation of {names}, there is no verdict "
                    f"({wider.message}): {judgement.message}"
                )
                return dataclasses.replace(judgement, verdict=UNINFORMATIVE, message=message)
        return judgement

    @property
    def _judged_steps(self) -> Sequence[int] | None:
        return self.steps.judged if self.steps else None

    def _compare(
        self, comparisons: Mapping[str, Comparison], expected: Expected, points: Sequence[tuple[int, Point]], results: Results
    ) -> None:
        """Put the results at ``points``, given with their indices, beside the truth and its bound."""
        forward = list(results) == ["value"]
        for batch in _batches(points, self._seen, self._at_once(points)):
            indices = [index for index, _ in batch]
            stacked = {name: np.stack([point[name] for _, point in batch]) for name in batch[0][1]}
            data = [self._seen(index) for index in indices] if self.steps and self.steps.data else [self.data]
            seen = {name: np.stack([point[name] for point in data]) for name in data[0]}
            finite = np.all([np.isfinite(array.reshape(len(batch), -1)).all(axis=1) for array in stacked.values()], axis=0)
            right = expected.at(stacked, seen, forward=forward)
            for quantity, comparison in comparisons.items():
                name = quantity.removeprefix("updated ")
                got = np.stack([results[quantity][index].ravel() for index in indices])
                origin = stacked[name].reshape(len(batch), -1) if quantity != name else None
                if finite.all():
                    comparison.add(indices, got, right[quantity], origin)
                    continue
                for known in (True, False):
                    rows = np.flatnonzero(finite == known)
                    if not len(rows):
                        continue
                    those = [indices[row] for row in rows.tolist()]
                    if known:
                        comparison.add(those, got[rows], right[quantity][rows], None if origin is None else origin[rows])
                    else:
                        comparison.add_unknown(those, got[rows])

    def _at_once(self, points: Sequence[tuple[int, Point]]) -> int:
        """Return at how many points together the formula makes no more than VALUES_AT_ONCE."""
        index, point = points[0]
        most = min(BATCH, len(points))
        if most * sum(array.size for array in point.values()) * FEW_OPERATIONS < VALUES_AT_ONCE:
            return BATCH
        return max(1, VALUES_AT_ONCE // count(self.formula, point, self._seen(index)))

    def _seen(self, index: int) -> Point:
        """The data that belong to a point."""
        return self.steps.data[index] if self.steps and self.steps.data else self.data

    def _shapes(self, point: Point, results: Results) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {"value": ()}
        if list(results) == ["value"]:
            shapes["value"] = evaluated(Floats(), self.formula, point, self._seen(0)).shape
        for name, array in point.items():
            shapes[f"gradient {name}"] = shapes[f"updated {name}"] = array.shape
        return shapes

    def _relevant(self, point: Point) -> list[Deviation]:
        """Return the declared deviations of what the formula uses."""
        used = used_by(self.formula, point, self._seen(0)) if self.deviations else set()
        if self.steps:
            used |= {HYPERPARAMETERS, OPTIMIZER_DTYPE} if self.steps.native else {TRAINING_DTYPE}
        if self.steps:  # a loss by itself is told from what it is instead
            losses = [(d.subject, d.computes) for d in self.deviations if d.computes]
            used |= {subject for subject, loss in losses if loss.without_slope and loss.objective in used}
        rule = self.steps.optimizer.name if self.steps else ""
        return [d for d in self.deviations if d.subject in used and (not d.rules or rule in d.rules)]


def _listed(points: Sequence[Point]) -> dict[str, list[np.ndarray]]:
    return {name: [point[name] for point in points] for name in points[0]} if points else {}


def _batches(
    points: Sequence[tuple[int, Point]], seen: Callable[[int], Point], most: int
) -> Iterator[Sequence[tuple[int, Point]]]:
    """Consecutive points whose data have the same shapes, up to BATCH or ``most`` at once, or fewer where they are large."""
    start = 0
    while start < len(points):
        shapes = _shapes_of(seen(points[start][0]))
        size = max(1, min(BATCH, most, DATA_AT_ONCE // max(1, sum(map(math.prod, shapes.values())))))
        end = start + 1
        while end < min(start + size, len(points)) and _shapes_of(seen(points[end][0])) == shapes:
            end += 1
        yield points[start:end]
        start = end


def _shapes_of(arrays: Point) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}
