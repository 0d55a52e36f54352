"""What a precision can and cannot hold: the one place of every accuracy that a bound is made of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backends.exact import Rounding

# Relative error granted to each elementary function, in units roundoff u. IEEE 754 leaves it to the library; the
# published tables (OpenCL: exp 3, log 3, tanh 5 ulp in float32) are exceeded by libraries in use. Each entry is twice
# the largest error in ulp, rounded up, that tests/test_contract.py measured over all backends, as an ulp is up to
# two u; beside it what was measured where.
FUNCTION_UNITS: dict[str, dict[str, int]] = {
    "float16": {"exp": 2, "log": 2, "tanh": 2, "sigmoid": 4, "cosh": 2, "reciprocal": 2},
    "float32": {"exp": 6, "log": 8, "tanh": 12, "sigmoid": 8, "cosh": 6, "reciprocal": 4},
    "float64": {"exp": 4, "log": 4, "tanh": 12, "sigmoid": 6, "cosh": 4, "reciprocal": 2},
}


def rounding(dtype: str, absolute: Mapping[str, float] | None = None) -> Rounding:
    """Return what one operation in ``dtype`` may do; ``absolute`` adds errors of declared deviations, in units u."""
    format_ = np.finfo(dtype)
    return Rounding(
        unit=float(format_.eps) / 2,
        tiny=float(format_.tiny),
        largest=float(format_.max),
        functions=FUNCTION_UNITS[dtype],
        absolute=absolute or {},
    )


def ulp(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return the unit in the last place of ``dtype`` at each of ``values``: 2^(floor(log2|x|) + 1 - p).

    At and below the smallest normal number it is the spacing of the subnormals.
    """
    format_ = np.finfo(dtype)
    sizes = np.clip(np.abs(values), float(format_.tiny), float(format_.max))
    return np.ldexp(float(format_.eps), np.frexp(sizes)[1] - 1)
