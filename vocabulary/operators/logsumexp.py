"""The logarithm of a sum of exponentials."""

from __future__ import annotations

import math

import numpy as np

from vocabulary.operators.record import FINITE, forms, operator
from vocabulary.tensors import Ops, Tensor


def _shifted(ops: Ops, x: Tensor, axis: int) -> Tensor:
    """m + log sum_j exp(x_j - m) with the largest x, m: nothing overflows."""
    largest = ops.largest(x, axis)
    return ops.sum(largest, axis) + ops.log(ops.sum(ops.exp(x - largest), axis))


def _exp_of_difference(ops: Ops, g: Tensor, x: Tensor, y: Tensor, axis: int) -> Tensor:
    """g exp(x - y), as PyTorch has it."""
    return ops.along(g, axis) * ops.exp(x - ops.along(y, axis))


def _operands(random: np.random.Generator, dtype: str, size: tuple[int, ...], half: int) -> dict[str, np.ndarray]:
    """Numbers from -25 to 25. In the last two rows of several they are beyond the largest exponential, and below the least."""
    x = random.uniform(-25, 25, size)
    x[..., -1] = x[..., 0]  # a largest entry that stands twice, in some rows
    if len(size) == 2 and size[0] > 2:
        far = 4 * float(np.log(np.finfo(dtype).max))
        x[-2:] += far * np.array([[1], [-1]])
    return {"x": x}


@operator(
    _shifted,
    defined_only=True,  # without the shift exponentials overflow, and no framework leaves it out
    other_adjoints=(forms(_exp_of_difference),),
    sizes=((6, 10), (1, 1), (1, 129), (4, 1025), (17, 17), (2, 3, 5), (5, 4)),
    operands=_operands,
    arguments=((-1,), (-1,), (-1,), (-1,), (-1,), (-1,), (-2,)),
    limits={math.inf: (math.inf, math.nan), -math.inf: (FINITE,)},
)
def logsumexp(ops: Ops, x: Tensor, axis: int) -> Tensor:
    """log sum_j exp(x_j) over an axis, counted from the last, as -1."""
    return ops.log(ops.sum(ops.exp(x), axis))
