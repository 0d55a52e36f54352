"""What a precision can and cannot hold, and what it makes of the accuracies of elementary functions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cache

import numpy as np

from arithmetic.balls import Rounding
from vocabulary.functions import FUNCTIONS


def rounding(dtype: str, absolute: Mapping[str, float] | None = None, *, argument: bool = True) -> Rounding:
    """Return what one operation in ``dtype`` may do; ``absolute`` adds errors of declared deviations, in units u.

    ``argument=False`` leaves functions with the accuracy of the table alone.

    A function gets its measured ulps, rounded up, at two units roundoff each, which is the most that an ulp can be.
    """
    return dataclasses.replace(_plain(dtype), absolute=absolute or {}, argument=argument)


@cache
def _plain(dtype: str) -> Rounding:
    format_ = np.finfo(dtype)
    return Rounding(
        unit=float(format_.eps) / 2,
        tiny=float(format_.tiny),
        largest=float(format_.max),
        functions={name: 2 * math.ceil(each.ulps[dtype]) for name, each in FUNCTIONS.items() if each.ulps},
    )


def ulp(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return the unit in the last place of ``dtype`` at each of ``values``: 2^(floor(log2|x|) + 1 - p).

    At and below the smallest normal number it is the spacing of the subnormals.
    """
    plain = _plain(dtype)
    sizes = np.clip(np.abs(values), plain.tiny, plain.largest)
    return np.ldexp(2 * plain.unit, np.frexp(sizes)[1] - 1)
