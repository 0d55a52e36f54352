"""The terms of losses over outputs of layers, one value an example: what the frameworks' own losses reduce.

They are parts of losses and no operators that a formula may name: frameworks offer them reduced (vocabulary/losses).
"""

from __future__ import annotations

from vocabulary.operators.record import Forms, forms, operator
from vocabulary.tensors import Ops, Tensor

BINARY, SOFTMAX = "binary cross-entropy", "softmax cross-entropy"


def _log1p_exp(ops: Ops, z: Tensor) -> Tensor:
    """log(1 + exp(-|z|))."""
    return ops.elementary("log1p", ops.exp(-ops.absolute(z)))


def _from_maximum(ops: Ops, z: Tensor, y: Tensor) -> Tensor:
    """max(z, 0) - y z + log(1 + exp(-|z|)), as most have it."""
    soft = ops.declared(BINARY, _log1p_exp(ops, z))
    if not ops.are_labels(y):
        return ops.relu(z) - y * z + soft
    with ops.without_rounding():  # products with 0 and 1 are exact, and so is max(z, 0) - z
        side = (1 - 2 * y) * z
    return ops.relu(side) + soft


def _from_log_sigmoid(ops: Ops, z: Tensor, y: Tensor) -> Tensor:
    """(1 - y) z - log sigmoid(z) with log sigmoid(z) = min(z, 0) - log(1 + exp(-|z|)), as PyTorch has it."""
    log_sigmoid = -ops.relu(-z) - ops.declared(BINARY, _log1p_exp(ops, z))
    if not ops.are_labels(y):
        return (1 - y) * z - log_sigmoid
    with ops.without_rounding():
        other = (1 - y) * z
    return other - log_sigmoid


def _two_sided(ops: Ops, z: Tensor, y: Tensor) -> Tensor:
    """(1 - y) p(z) - y p(-z) with p(z) = exp(z - log(1 + exp(z))), as JAX derives it from logaddexp."""
    soft = _log1p_exp(ops, z)
    right, left = (ops.exp(x - (ops.relu(x) + soft)) for x in (z, -z))
    return (1 - y) * right - y * left


_binary_slope = forms(lambda ops, z, y: ops.sigmoid(z) - y, _two_sided)


@operator(
    _from_maximum,
    _from_log_sigmoid,
    defined_only=True,
    adjoints=(lambda ops, g, z, y, loss: g * ops.or_at_zero(_binary_slope(ops, z, y), z, -y), None),
    reason="frameworks compute sigmoid(z) - y, which no tape makes of the loss",
    public=False,
    rests_on=("sigmoid", BINARY),
)
def binary_cross_entropy(ops: Ops, z: Tensor, y: Tensor) -> Tensor:
    """log(1 + exp(z)) - y z, elementwise, of logits z and labels y."""
    return ops.elementary("softplus", z) - y * z


def _logs(ops: Ops, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The largest logit of each row, z less that, and the logarithm of the sum of the exponentials of these."""
    largest = ops.largest(z)
    shifted = z - largest
    total = ops.log(ops.sum(ops.exp(shifted), -1, keepdims=True))
    return largest, shifted, ops.declared(SOFTMAX, total)


def _of_logs(ops: Ops, z: Tensor, y: Tensor) -> Tensor:
    """-sum_j y_j log p_j."""
    _, shifted, log_total = _logs(ops, z)
    return ops.sum(-y * (shifted - log_total), -1)


def _with_maximum_added_back(ops: Ops, z: Tensor, y: Tensor) -> Tensor:
    """log sum_j exp(z_j) - sum_j y_j z_j."""
    largest, _, log_total = _logs(ops, z)
    return ops.sum(largest + log_total, -1) - ops.sum(y * z, -1)


def _normalised(ops: Ops, z: Tensor) -> Tensor:
    """exp(z) / sum_j exp(z_j)."""
    powers = ops.exp(z)
    return powers / ops.sum(powers, -1, keepdims=True)


def _shifted_and_normalised(ops: Ops, z: Tensor) -> Tensor:
    return _normalised(ops, z - ops.largest(z))


def _exp_of_logs(ops: Ops, z: Tensor) -> Tensor:
    _, shifted, log_total = _logs(ops, z)
    return ops.exp(shifted - log_total)


def _exp_of_difference(ops: Ops, z: Tensor) -> Tensor:
    largest, _, log_total = _logs(ops, z)
    return ops.exp(z - (largest + log_total))


_probabilities = Forms(_normalised, (_shifted_and_normalised, _exp_of_logs, _exp_of_difference))


@operator(
    _of_logs,
    _with_maximum_added_back,
    defined_only=True,
    adjoints=(lambda ops, g, z, y, loss: ops.along(g) * (_probabilities(ops, z) - y), None),
    reason="frameworks compute softmax(z) - y, which no tape makes of the loss",
    public=False,
    rests_on=(SOFTMAX,),
)
def softmax_cross_entropy(ops: Ops, z: Tensor, y: Tensor) -> Tensor:
    """log sum_j exp(z_j) - sum_j y_j z_j over the last axis, of logits z and one-hot labels y."""
    total = ops.log(ops.sum(ops.exp(z), -1, keepdims=True))
    return ops.sum(y * (total - z), -1)
