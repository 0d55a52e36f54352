"""Where PyTorch differs from the contract."""

from __future__ import annotations

import torch

from backends.base import Deviation

_NO_LOG1P = Deviation(
    "binary cross-entropy",
    ("float32", "float64"),
    reason="before 2.3, log(1 + exp(-|x|)) was taken of the rounded sum, with an absolute error",
    size="all of the loss of a sure and right logit above 17 in float32 and 37 in float64",
    link="https://github.com/pytorch/pytorch/pull/115539",
    absolute=1,
)

DEVIATIONS = (_NO_LOG1P,) if torch.__version__ < "2.3" else ()  # which compares as versions do
