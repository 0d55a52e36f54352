"""The binary cross-entropy log(1 + exp(z)) - y z, and what frameworks compute in its place."""

from __future__ import annotations

from vocabulary.losses.record import Loss, Objective
from vocabulary.operators.entropies import BINARY
from vocabulary.tensors import Ops, Tensor

# The entropies are operators that only the exact backends and numpy know.
BINARY_CROSS_ENTROPY = Objective(BINARY, lambda ops, z, y: ops.binary_cross_entropy(z, y))

# Keras' epsilon(), in the dtype of the run.
CLIP = 1e-7


def _clipped(ops: Ops, objective: Objective, z: Tensor, y: Tensor, *, limit: Tensor) -> Tensor:
    """The mean of -log(y q + (1 - y) (1 - q)) with q = min(max(p, limit), 1 - limit) and p = sigmoid(z)."""
    p = ops.sigmoid(z)
    loss = -ops.log(y * p + (1 - y) * (1 - p))
    least = -ops.log(1 - limit)
    most = -ops.log(y * limit + (1 - y) * (1 - (1 - limit)))  # 1 - (1 - limit) is no longer limit, once rounded
    loss = least + ops.relu(loss - least)  # max(loss, least)
    return ops.mean(most - ops.relu(most - loss))  # min(loss, most)


def _clipped_and_added(ops: Ops, objective: Objective, z: Tensor, y: Tensor, *, limit: Tensor) -> Tensor:
    """The mean of -log(y (q + limit) + (1 - y) (1 - q + limit)) with q as above."""
    p = limit + ops.relu(ops.sigmoid(z) - limit)  # max(p, limit)
    p = 1 - limit - ops.relu(1 - limit - p)  # min(p, 1 - limit)
    return ops.mean(-ops.log(y * (p + limit) + (1 - y) * (1 - p + limit)))


def _at_0(ops: Ops, z: Tensor, y: Tensor) -> Tensor:
    """log(2) - y z, the loss as it is at z = 0, with the slope -y that is left of 1/2 - y."""
    return ops.log(1 + ops.exp(0 * z)) - y * z


_CLIPPED = f"mean with probabilities clipped at {CLIP}"
CLIPPED_MEAN = Loss(_CLIPPED, _clipped, BINARY, {"limit": CLIP})
# Of Keras 2.
CLIPPED_AND_ADDED_MEAN = Loss(f"{_CLIPPED}, which is also added to them", _clipped_and_added, BINARY, {"limit": CLIP})

_WITHOUT_SLOPE = "without the slope of log(1 + exp(z))"
SUM_WITHOUT_SLOPE_AT_0 = Loss(
    f"sum {_WITHOUT_SLOPE}", lambda ops, objective, z, y: ops.sum(_at_0(ops, z, y)), BINARY, without_slope=True
)
MEAN_WITHOUT_SLOPE_AT_0 = Loss(
    f"mean {_WITHOUT_SLOPE}", lambda ops, objective, z, y: ops.mean(_at_0(ops, z, y)), BINARY, without_slope=True
)
