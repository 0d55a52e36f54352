"""What the Engine of a backend answers, array by array: no number is looked at before its dtype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from backends.transport.engine import TrainingPath
from backends.transport.process import BackendError
from oracle.layout import wrong_dtype
from vocabulary.words import DEVIATES


class Malformed(BackendError):
    """The backend answered with what is no number of the dtype asked for, nor of a wider one."""

    verdict = DEVIATES


def checked(answer: Any, dtype: str) -> Any:
    """Return ``answer`` if all of its arrays are of ``dtype``, or of one of DTYPES that is wider. Raises Malformed."""
    for words, array in _arrays(answer):
        if array.dtype == object and array.ndim and all(isinstance(each, np.ndarray) for each in array):
            # The steps of a run, which have no layout in common.
            first, *others = array
            step, other = next(((n, each) for n, each in enumerate(others, start=1) if each.shape != first.shape), (0, first))
            if step:
                raise Malformed(f"got shape {other.shape} at kept step {step}, at the first {first.shape}, in {words}")
            array = next((each for each in array if wrong_dtype(each, dtype)), first)
        if wrong := wrong_dtype(array, dtype):
            raise Malformed(f"{wrong}, in {words}" if words else wrong)
    return answer


def _arrays(answer: Any, words: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of an answer, each with words for what it is, where there are several."""
    match answer:
        case np.ndarray():
            yield words, answer
        case TrainingPath():
            yield "the loss", answer.losses
            for what, arrays in (("the gradient of ", answer.gradients), ("", answer.before), ("", answer.after)):
                yield from ((f"{what}{name}", array) for name, array in arrays.items())
        case (np.ndarray() as value, dict() as gradient):
            yield "the loss", value
            yield from ((f"the gradient of {name}", array) for name, array in gradient.items())
        case dict():
            yield from answer.items()
        case list() | tuple():
            for part in answer:
                yield from _arrays(part)
        case bool():
            return
        case _:
            raise TypeError(f"the answer of a backend is made of arrays, got {answer!r}")
