"""Operators with points that have no derivative."""

from __future__ import annotations

import math

from vocabulary.operators.record import FINITE, operator
from vocabulary.operators.samples import of_all_sizes
from vocabulary.tensors import Ops, Tensor


def _where_positive(ops: Ops, g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    with ops.without_rounding():  # a product with 0 or 1 is exact
        return g * ops.step_of(x)


@operator(
    adjoints=(_where_positive,),
    reason="the tape ends at the maximum",
    elementwise=True,
    # The kink gives no verdict here: tests/test_contract.py asks for it.
    operands=of_all_sizes(far=(-1, 1)),
    # (x + |x|) / 2 and x * (x > 0) are relu as well.
    limits={-math.inf: (FINITE, math.nan)},
    kinks={0.0: (0.0, 1.0)},
)
def relu(ops: Ops, x: Tensor) -> Tensor:
    """max(x, 0), elementwise."""
    return ops.positive_part(x)
