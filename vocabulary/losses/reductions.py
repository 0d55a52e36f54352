"""What a loss of any objective may be: the sum, the mean, and half of either."""

from __future__ import annotations

from vocabulary.losses.record import Loss, Objective
from vocabulary.tensors import Ops, Tensor


def _sum(ops: Ops, objective: Objective, z: Tensor, y: Tensor) -> Tensor:
    return ops.sum(objective.of_each(ops, z, y))


def _mean(ops: Ops, objective: Objective, z: Tensor, y: Tensor) -> Tensor:
    return ops.mean(objective.of_each(ops, z, y))


SUM = Loss("sum", _sum, promised=True)
MEAN = Loss("mean", _mean, promised=True)
HALF_OF_SUM = Loss("half the sum", lambda ops, objective, z, y: _sum(ops, objective, z, y) * 0.5)
HALF_OF_MEAN = Loss("half the mean", lambda ops, objective, z, y: _mean(ops, objective, z, y) * 0.5)
