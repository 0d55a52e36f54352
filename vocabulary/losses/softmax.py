"""The softmax cross-entropy log sum_j exp(z_j) - sum_j y_j z_j."""

from __future__ import annotations

from vocabulary.losses.record import Objective
from vocabulary.operators.entropies import SOFTMAX

SOFTMAX_CROSS_ENTROPY = Objective(SOFTMAX, lambda ops, z, y: ops.softmax_cross_entropy(z, y))
