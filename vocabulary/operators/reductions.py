"""Sums and what is made of them."""

from __future__ import annotations

import math

from vocabulary.operators.record import Operator, forms, operator
from vocabulary.operators.samples import terms
from vocabulary.tensors import Ops, Tensor

_USUAL = ((6, 10), (1, 1), (1, 129), (1, 1025), (1, 141), (1, 1038))
# A sum with an infinity may be NaN, which a compensated sum makes of inf - inf.
_LIMITS = {infinity: (infinity, math.nan) for infinity in (math.inf, -math.inf)}

# Its value and its derivative are the tape's own.
SUM = Operator("sum", forms(lambda ops, x: ops.sum(x)), sizes=(*_USUAL, (1, 40015)), operands=terms, limits=_LIMITS)


@operator(sizes=(*_USUAL, (1, 4111)), operands=terms, limits=_LIMITS)
def mean(ops: Ops, x: Tensor) -> Tensor:
    """Mean of all elements, a scalar of shape ()."""
    return ops.average(x)
