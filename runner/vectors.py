"""What others can judge by: a case with its inputs, its exact loss and gradient in 40 digits, and the bounds of each."""

from __future__ import annotations

import numpy as np

from arithmetic.balls import Balls
from cases import Case
from oracle.judge import Oracle
from report.document import Record
from runner.recording import hexes

DIGITS = 40
# Numbers of a case beyond which it is left out: a vector is for those who write a test by hand.
MOST = 1000


def is_small(case: Case) -> bool:
    """Whether a case has few enough numbers for a vector."""
    numbers: int = sum(array.size for array in (*case.params.values(), *case.data.values()))
    return numbers <= MOST


def vector(case: Case, dtype: str) -> Record:
    """Return the inputs of a case as rounded to ``dtype``, and the exact loss and gradient there with their bounds."""
    params, data = case.at(dtype)
    exact = Balls()
    inside = ({name: exact.tensor(array.astype(float)) for name, array in arrays.items()} for arrays in (params, data))
    value, gradient = exact.value_and_grad(case.loss, *inside)
    truths = {"loss": value} | {f"gradient {name}": slope for name, slope in gradient.items()}
    points, seen = ({name: array[np.newaxis] for name, array in arrays.items()} for arrays in (params, data))
    bounds = Oracle(case.loss, data, dtype).expected().at(points, seen, forward=False)
    return {
        "kind": "vector", "case": case.name, "dtype": dtype,
        "params": {name: _array(array) for name, array in params.items()},
        "data": {name: _array(array) for name, array in data.items()},
        "expected": {
            name: {
                "shape": list(np.shape(truth.value)[1:]),
                "truth": [x.mid().str(DIGITS, radius=False) for x in np.ravel(truth.value)],
                "bound": hexes(bounds["value" if name == "loss" else name].r[0]),
            }
            for name, truth in truths.items()
        },
    }  # fmt: skip


def _array(array: np.ndarray) -> Record:
    return {"shape": list(array.shape), "values": hexes(array)}
