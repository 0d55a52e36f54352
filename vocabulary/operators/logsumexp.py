"""The logarithm of a sum of exponentials."""

from __future__ import annotations

import math

from vocabulary.operators.record import FINITE, forms, operator
from vocabulary.operators.samples import within
from vocabulary.tensors import Ops, Tensor


def _shifted(ops: Ops, x: Tensor, axis: int) -> Tensor:
    """m + log sum_j exp(x_j - m) with the largest x, m: nothing overflows."""
    largest = ops.largest(x, axis)
    return ops.sum(largest, axis) + ops.log(ops.sum(ops.exp(x - largest), axis))


def _exp_of_difference(ops: Ops, g: Tensor, x: Tensor, y: Tensor, axis: int) -> Tensor:
    """g exp(x - y), as PyTorch has it."""
    return ops.along(g, axis) * ops.exp(x - ops.along(y, axis))


@operator(
    _shifted,
    other_adjoints=(forms(_exp_of_difference),),
    sizes=((6, 10), (1, 1), (1, 129), (4, 1025)),
    operands=within(-25, 25),
    arguments=(-1,),
    limits={math.inf: (math.inf, math.nan), -math.inf: (FINITE,)},
)
def logsumexp(ops: Ops, x: Tensor, axis: int) -> Tensor:
    """log sum_j exp(x_j) over an axis, counted from the last, as -1."""
    return ops.log(ops.sum(ops.exp(x), axis))
