"""The arithmetic of tensors: its values are the tape's own, and so are the derivatives that have one form.

Libraries take other ways for other sizes. The sizes below are square ones, so that a transpose too many or too few is no error
of shapes; multiples of 8, which go to wider registers; long ones, whose sums are made in parts, those of a gradient over many
rows included; lengths that leave 13, 14 and 15 terms over where 16 are added at once.
"""

from __future__ import annotations

import operator as python

from vocabulary.operators.record import Form, Operator, forms
from vocabulary.operators.samples import broadcast, matrices
from vocabulary.tensors import Ops, Tensor

_SIZES = ((7, 5), (64, 8), (141, 3))


def _infix(name: str, definition: Form, adjoints: tuple[Form | None, ...] = (), reason: str = "") -> Operator:
    value = forms(lambda ops, a, b: definition(a, b))
    return Operator(name, value, adjoints, reason=reason, infix=True, elementwise=True, sizes=_SIZES, operands=broadcast)


def _by_reciprocal(ops: Ops, x: Tensor, y: Tensor) -> Tensor | None:
    """x times the rounded 1 / y. Of a power of two that is exact, unless it is subnormal: there it is the same form."""
    return None if ops.are_powers_of_two(y) else x * (1 / y)


# MXNet's derivative multiplies by the rounded reciprocal.
_by_numerator = forms(lambda ops, g, y: g / y, _by_reciprocal)
# As PyTorch, autograd and JAX have it.
_by_denominator = forms(
    lambda ops, g, x, y, quotient: g * quotient / y,
    lambda ops, g, x, y, quotient: g * x / (y * y),
    lambda ops, g, x, y, quotient: g * x * (1 / (y * y)),
)

ADD = _infix("+", python.add)
SUBTRACT = _infix("-", python.sub)
MULTIPLY = _infix("*", python.mul)
DIVIDE = _infix(
    "/",
    python.truediv,
    adjoints=(
        lambda ops, g, x, y, quotient: _by_numerator(ops, g, y),
        lambda ops, g, x, y, quotient: -_by_denominator(ops, g, x, y, quotient),
    ),
    reason="frameworks compute it in two forms with respect to x, and in three with respect to y",
)
MATMUL = Operator(
    "@",
    forms(lambda ops, x, y: x @ y),
    infix=True,
    sizes=((17, 17, 17), (16, 32, 8), (1, 129, 3), (48, 48, 48), (2, 141, 3), (141, 3, 2), (3, 1038, 2), (1, 4111, 2)),
    operands=matrices,
)
# x / c for a number c that stands in the formula, which Chainer and XLA multiply by its rounded reciprocal; and its derivative.
_over_number = forms(lambda ops, x, c: x / c, _by_reciprocal)
DIVIDE_BY_NUMBER = Operator(
    "/ number",
    _over_number,
    adjoints=(lambda ops, g, x, c, quotient: _over_number(ops, g, c), None),
    reason="the number is a constant and needs no derivative",
    public=False,
)
