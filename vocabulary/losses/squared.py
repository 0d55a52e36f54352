"""The squared error (z - y)^2."""

from __future__ import annotations

from vocabulary.losses.record import Objective
from vocabulary.tensors import Ops, Tensor


def _squared_error(ops: Ops, z: Tensor, y: Tensor) -> Tensor:
    residual = z - y
    return residual * residual


SQUARED_ERROR = Objective("squared error", _squared_error)
