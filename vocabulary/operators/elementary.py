"""Elementary functions, entry by entry. Their derivatives are written by hand: the tape has nothing below them."""

from __future__ import annotations

import math

from vocabulary.operators.record import FINITE, forms, operator
from vocabulary.operators.samples import of_all_sizes, positive
from vocabulary.tensors import Ops, Tensor

ENDS = "the tape ends at elementary functions"


@operator(
    adjoints=(lambda ops, g, x, y: g * y,),
    reason=ENDS,
    elementwise=True,
    # At the largest arguments exp gives no verdict.
    operands=of_all_sizes(far=(0, -1)),
    limits={-math.inf: (FINITE,)},
)
def exp(ops: Ops, x: Tensor) -> Tensor:
    """e to the power x, elementwise."""
    return ops.elementary("exp", x)


def _by_reciprocal(ops: Ops, g: Tensor, x: Tensor) -> Tensor:
    """g times a reciprocal that is not correctly rounded, as TensorFlow has it."""
    return g * ops.elementary("reciprocal", x)


_over = forms(lambda ops, g, x: g / x, _by_reciprocal, widest=_by_reciprocal)


@operator(
    adjoints=(lambda ops, g, x, y: _over(ops, g, x),),
    reason=ENDS,
    elementwise=True,
    operands=positive,
    limits={-math.inf: (math.nan,)},
)
def log(ops: Ops, x: Tensor) -> Tensor:
    """Natural logarithm, elementwise."""
    return ops.elementary("log", x)


# 1 - tanh(x)^2 or, as autograd has it, 1 / cosh(x)^2.
_tanh_slope = forms(lambda ops, x, y: 1 - y * y, lambda ops, x, y: ops.elementary("sech2", x))


@operator(
    adjoints=(lambda ops, g, x, y: g * _tanh_slope(ops, x, y),),
    reason=ENDS,
    elementwise=True,
    operands=of_all_sizes(),
    limits={math.inf: (FINITE,), -math.inf: (FINITE,)},
)
def tanh(ops: Ops, x: Tensor) -> Tensor:
    """Hyperbolic tangent, elementwise."""
    return ops.elementary("tanh", x)


@operator(
    adjoints=(lambda ops, g, x, y: g * y * (1 - y),),
    reason=ENDS,
    elementwise=True,
    operands=of_all_sizes(),
    limits={math.inf: (FINITE,), -math.inf: (FINITE,)},
)
def sigmoid(ops: Ops, x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), elementwise, as the framework offers it."""
    return ops.elementary("sigmoid", x)
