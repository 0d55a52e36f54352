"""The layout of a result, its shape and its dtype, which is compared before any value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vocabulary.words import DTYPES


def wrong_dtype(array: np.ndarray, dtype: str) -> str:
    """Say what is wrong with the dtype of a result: nothing where it is ``dtype`` or one of DTYPES that is wider.

    What no run can ask for is wrong however wide it is: extended precision, complex numbers, objects, text, other byte orders.
    """
    if any(array.dtype == np.dtype(name) for name in DTYPES if np.can_cast(dtype, name)):
        return ""
    return _got(array, dtype)


def wrong_layout(arrays: Sequence[np.ndarray], shape: tuple[int, ...], dtype: str) -> tuple[str, str]:
    """Return two messages, empty where all is well: what is wrong with a shape or dtype, and that a dtype is wider."""
    for array in arrays:
        if array.shape != shape:
            return f"got shape {array.shape}, expected {shape}", ""
    for array in arrays:
        if wrong := wrong_dtype(array, dtype):
            return wrong, ""
    return "", next((_got(array, dtype) for array in arrays if array.dtype != np.dtype(dtype)), "")


def _got(array: np.ndarray, dtype: str) -> str:
    return f"got dtype {array.dtype}, expected {dtype}"
