"""What a precision can and cannot hold: the one place of every accuracy that a bound is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from arithmetic.balls import Rounding

# The largest error of each elementary function that any of the seven frameworks shows, in ulp: measured against the
# truth on 200,000 points a function (3,000,000 in float32) with numpy 1.26.4, autograd 1.9.1, PyTorch 2.13.0, TensorFlow
# 2.21.0, JAX 0.7.1, MXNet 1.9.1 and Chainer 7.8.1 on AVX-512. IEEE 754 leaves these errors to the library, and published
# tables (OpenCL's full profile: exp 3, log 3, tanh 5) are exceeded by libraries in use. ``sech2`` is the derivative of
# tanh as 1 / cosh(x)^2, ``reciprocal`` the derivative of log, ``log1p`` on [0, 1] a part of cross entropies.
# tests/test_contract.py holds every backend to this table;
# Chainer's sigmoid is no part of it but a declared deviation.
MEASURED_ULPS = {
    "float16": {"exp": 0.5, "log": 0.5, "tanh": 0.5, "sigmoid": 1.94, "sech2": 3.11, "reciprocal": 0.5, "log1p": 1.87},
    "float32": {"exp": 2.33, "log": 3.58, "tanh": 5.76, "sigmoid": 5.96, "sech2": 7.49, "reciprocal": 2.68, "log1p": 3.81},
    "float64": {"exp": 1.49, "log": 1.65, "tanh": 7.87, "sigmoid": 2.63, "sech2": 6.63, "reciprocal": 0.5, "log1p": 2.18},
}


def rounding(dtype: str, absolute: Mapping[str, float] | None = None, *, argument: bool = True) -> Rounding:
    """Return what one operation in ``dtype`` may do; ``absolute`` adds errors of declared deviations, in units u.

    ``argument=False`` leaves functions with the accuracy of the table alone.

    A function gets its measured ulps, rounded up, at two units roundoff each, which is the most that an ulp can be.
    """
    format_ = np.finfo(dtype)
    return Rounding(
        unit=float(format_.eps) / 2,
        tiny=float(format_.tiny),
        largest=float(format_.max),
        functions={name: 2 * math.ceil(ulps) for name, ulps in MEASURED_ULPS[dtype].items()},
        absolute=absolute or {},
        argument=argument,
    )


def ulp(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return the unit in the last place of ``dtype`` at each of ``values``: 2^(floor(log2|x|) + 1 - p).

    At and below the smallest normal number it is the spacing of the subnormals.
    """
    format_ = np.finfo(dtype)
    sizes = np.clip(np.abs(values), float(format_.tiny), float(format_.max))
    return np.ldexp(float(format_.eps), np.frexp(sizes)[1] - 1)
