"""Numbers as their sources print them."""

import math

from flint import arb

from arithmetic.floats import Floats
from oracle.graph import evaluated, graph


def printed(text, digits):
    """Return printed numbers as exact values and as balls of half a unit in the last of at most ``digits`` digits."""
    truth, balls = [], []
    for number in text.split():
        value = float(number)
        decimals = digits - 1 - math.floor(math.log10(abs(value))) if value else digits
        if "." in number:
            decimals = min(decimals, len(number.partition(".")[2]))
        half_unit = arb(10) ** -decimals / 2 if value or "." in number else arb(0)
        truth.append(arb(number).mid())
        balls.append(arb(arb(number).mid(), half_unit))
    return truth, balls


def shape(case, quantity, params, data):
    """Return the shape of what a figure of ``case`` prints. Raises ValueError for a node that its loss does not have."""
    kind, _, name = quantity.partition(" ")
    if kind in ("node", "adjoint"):
        nodes = graph(case.loss, params, data)
        if int(name) > len(nodes):
            raise ValueError(f"it has no {quantity} to print; the nodes of its loss are 1 to {len(nodes)}")
        return nodes[int(name) - 1].tensor.shape
    if kind == "prediction":
        return evaluated(Floats(), case.predict, params, data).shape
    return () if quantity in ("loss", "final loss") else params[name].shape
