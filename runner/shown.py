"""What the results file holds for the page beside the checks: curves, predictions in the plane, worked graphs and pictures.

It is drawn, not judged, so its numbers have few digits; one that is not finite is null.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from arithmetic.floats import Floats
from backends.transport.engine import TrainingPath
from cases import Case
from oracle.comparison import Judgement
from oracle.graph import evaluated
from oracle.run import ExactRun
from report.document import Record
from runner.locating import Trace
from runner.recording import hexes
from vocabulary.tensors import Arrays

# Points of a curve, and digits of a loss on it.
CURVE, DIGITS = 100, 5
# Points of the plane along each of its axes, and how far it reaches beyond the data, in parts of their extent.
PLANE, MARGIN = 21, 0.25


def curve(numbers: np.ndarray) -> np.ndarray:
    """Return at which of the judged steps, of these numbers, a curve has its points: evenly among them, and at both ends."""
    points: np.ndarray = np.unique(np.linspace(0, len(numbers) - 1, CURVE).round().astype(int))
    return points


def exact_run(case: Case, dtype: str, convention: str, exact: ExactRun, numbers: np.ndarray) -> Record:
    """Return the record of the exact run of a case from its start in ``dtype``; ``numbers`` are those of its judged steps."""
    points = curve(numbers)
    return {
        "kind": "exact_run", "case": case.name, "dtype": dtype, "convention": convention,
        "steps": numbers[points].tolist(), "loss": short(exact.losses[points], DIGITS),
    }  # fmt: skip


def run(path: TrainingPath, digits: np.ndarray, convention: str) -> Record:
    """Return the loss before each step of a run, and the decimal digits on which it agrees with the exact run after it."""
    points = curve(path.steps)
    return {"convention": convention, "loss": short(path.losses[points], DIGITS), "digits": short(digits[points], 3)}


def digits_of(after: Arrays, exact: Arrays) -> np.ndarray:
    """Return the decimal digits on which all parameters agree with the exact run, relative to the largest; NaN if not finite.

    Shapes: (n, ...) for n steps; result (n,).
    """
    joined, truth = (
        np.concatenate([array.reshape(len(array), -1).astype(float) for array in (arrays[name] for name in after)], axis=1)
        for arrays in (after, exact)
    )
    with np.errstate(all="ignore"):
        distance = np.abs(joined - truth).max(axis=1)
        digits = np.where(distance == 0, np.inf, -np.log10(distance / np.abs(truth).max(axis=1)))
    known = np.isfinite(joined).all(axis=1) & np.isfinite(truth).all(axis=1)
    return np.where(known, digits, np.nan)


def drift(digits: np.ndarray, numbers: np.ndarray) -> Record:
    """Return the digits at the end and the fewest, and the step that has them."""
    known = ~np.isnan(digits)
    if not known.any():
        return {"end": "nan", "worst": "nan", "worst_step": 0}
    worst = int(np.nanargmin(digits))
    return {"end": float(digits[known][-1]).hex(), "worst": float(digits[worst]).hex(), "worst_step": int(numbers[worst])}


def grid(case: Case, dtype: str) -> tuple[list[np.ndarray], Arrays]:
    """Return the two axes of the part of the plane that holds the data of a case, and the points there as data."""
    x = case.data["X"]
    low, high = x[:, :2].min(axis=0), x[:, :2].max(axis=0)
    axes = [np.linspace(a - MARGIN * (b - a), b + MARGIN * (b - a), PLANE) for a, b in zip(low, high, strict=True)]
    points = np.stack([each.ravel() for each in np.meshgrid(*axes)], axis=1)
    rest = np.broadcast_to(x[0, 2:], (len(points), x.shape[1] - 2))
    return axes, case.rounded({"X": np.hstack([points, rest]), "y": np.zeros((len(points), 1))}, dtype)


def exact_plane(case: Case, dtype: str, convention: str, exact: ExactRun) -> tuple[Record, np.ndarray]:
    """Return the record of what the exact run predicts in the plane at its end, and these predictions in float64."""
    axes, data = grid(case, dtype)
    last = {name: array[-1] for name, array in exact.after.items()}
    assert case.predict is not None
    p = evaluated(Floats(), case.predict, last, {name: array.astype(float) for name, array in data.items()}).value.ravel()
    seen = case.data
    record = {
        "kind": "exact_plane", "case": case.name, "dtype": dtype, "convention": convention,
        "x": short(axes[0], 5), "y": short(axes[1], 5), "p": short(p, 4),
        "points": [short(point, 5) for point in seen["X"][:, :2]], "labels": short(seen["y"].ravel(), 1),
    }  # fmt: skip
    return record, p


def off(scores: np.ndarray, p: np.ndarray, *, are_logits: bool) -> list[float | None]:
    """Return how far predictions in the plane are from those of the exact run."""
    got = scores.astype(float).ravel()
    if are_logits:
        with np.errstate(over="ignore"):
            got = 1 / (1 + np.exp(-got))
    return short(got - p, 1)


def trace(case: Case, found: Trace) -> Record:
    """Return the nodes and leaves of a worked graph, with what was computed there and what is exact."""
    nodes = [
        {
            "name": name, "operation": node.operation, "operands": list(node.operands),
            "value": _pair(value), "adjoint": _pair(adjoint),
        }
        for name, (node, value, adjoint) in zip(case.nodes, found.nodes, strict=True)
    ]  # fmt: skip
    leaves = [
        {"name": name, "value": hexes(case.params[name]), "adjoint": _pair(found.gradients[f"gradient {name}"])}
        for name in case.params
    ]
    return {"nodes": nodes, "leaves": leaves}


def _pair(judgement: Judgement) -> Record:
    nothing = np.full(0, np.nan)
    got, truth = (nothing if array is None else array for array in (judgement.got, judgement.truth))
    return {"got": hexes(got), "truth": hexes(truth), "verdict": judgement.verdict}


def pictures(case: Case, data: Arrays, examples: Iterable[int]) -> Record:
    """Return the label and the pixels, in percent of the brightest, of examples that are pictures."""
    if case.picture is None:
        return {}
    brightest = max(float(data["X"].max()), math.ulp(0.0))
    return {
        "shape": list(case.picture),
        "examples": {
            str(example): {
                "label": int(data["y"][example].argmax()),
                "pixels": (100 * data["X"][example] / brightest).round().astype(int).tolist(),
            }
            for example in sorted({*examples})
        },
    }


def short(values: np.ndarray | Sequence[float], digits: int) -> list[float | None]:
    """Return numbers rounded to ``digits`` decimal digits; None stands for one that is not finite."""
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in np.asarray(values).ravel().tolist()]
