"""Where autograd differs from the contract."""

from __future__ import annotations

import numpy as np

from backends.base import Deviation
from vocabulary.words import OPTIMIZER_DTYPE, SCALARS_KEEP_DTYPE

# The rule of numpy's value-based casting, replaced in numpy 2 (NEP 50).
_PROMOTES = Deviation(
    SCALARS_KEEP_DTYPE,
    ("float16", "float32"),
    reason="before numpy 2, a 0-d float32 array and a Python number make a float64",
    size="dtype float64 for float32, 1 + x with x of shape ()",
    link="https://numpy.org/neps/nep-0050-scalar-promotion.html",
    widens=True,
)

_NO_HALF = Deviation(
    "sigmoid",
    ("float16",),
    reason="scipy.special.expit has no loop for float16",
    size="dtype float64 for float16",
    link="https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.expit.html",
    widens=True,
)

_KEEPS_FLOAT64 = Deviation(
    OPTIMIZER_DTYPE,
    ("float32",),
    reason="the state starts as float64 zeros, so that the weights go on in float64, rounded for each gradient and callback",
    size="1.9 times the rounding of one float32 update",
    link="https://github.com/HIPS/autograd/blob/v1.9.1/autograd/misc/optimizers.py",
    passes_through="float32",
    values=("weights",),
    rules=("sgd", "momentum", "adam"),
)

DEVIATIONS = (
    (_NO_HALF, _KEEPS_FLOAT64, _PROMOTES) if np.lib.NumpyVersion(np.__version__) < "2.0.0" else (_NO_HALF, _KEEPS_FLOAT64)
)
