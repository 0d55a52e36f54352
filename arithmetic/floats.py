"""The tape over numpy's floats: what formulas are evaluated in where no truth is needed, and what differentiates for numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from arithmetic.tape import Tape, Taped
from vocabulary.functions import FUNCTIONS
from vocabulary.words import Words


def _sigmoid(x: np.ndarray) -> np.ndarray:
    one = x.dtype.type(1)
    return one / (one + np.exp(-x))


# Found in numpy by their names.
_COMPUTED: Words[Callable[[np.ndarray], np.ndarray]] = Words(
    "function", {name: getattr(np, name) for name in FUNCTIONS if hasattr(np, name)} | {"sigmoid": _sigmoid}
)


class Floats(Tape):
    """Reverse mode over numpy arrays; sigmoid is 1 / (1 + exp(-x)), which overflows quietly to its limit 0."""

    def tensor(self, array: np.ndarray) -> Taped:
        return Taped(np.array(array), self)

    def array(self, tensor: Taped) -> np.ndarray:
        return tensor.value

    def constant(self, value: Any, like: np.ndarray) -> np.ndarray:
        # Before numpy 2 a Python number turns a 0-d float32 array into float64.
        return np.asarray(value, dtype=like.dtype)

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return _COMPUTED[name](x)

    def step(self, x: np.ndarray) -> np.ndarray:
        return (x > 0).astype(x.dtype)

    def maximum0(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, self.constant(0, x))
