"""Numbers as their sources print them."""

from __future__ import annotations

import math

from flint import arb

from arithmetic.floats import Floats
from cases import Case
from oracle.graph import evaluated, graph
from vocabulary.tensors import Arrays


def printed(text: str, digits: int) -> tuple[list[arb], list[arb]]:
    """Return printed numbers as exact values and as balls of half a unit in the last of at most ``digits`` digits."""
    truth: list[arb] = []
    balls: list[arb] = []
    for number in text.split():
        value = float(number)
        decimals = digits - 1 - math.floor(math.log10(abs(value))) if value else digits
        if "." in number:
            decimals = min(decimals, len(number.partition(".")[2]))
        half_unit = arb(10) ** -decimals / 2 if value or "." in number else arb(0)
        truth.append(arb(number).mid())
        balls.append(arb(arb(number).mid(), half_unit))
    return truth, balls


def shape(case: Case, quantity: str, params: Arrays, data: Arrays) -> tuple[int, ...]:
    """Return the shape of what a figure of ``case`` prints. Raises ValueError for what it does not have."""
    kind, _, name = quantity.partition(" ")
    if kind in ("node", "adjoint"):
        nodes = graph(case.loss, params, data)
        if int(name) > len(nodes):
            raise ValueError(f"it has no {quantity} to print; the nodes of its loss are 1 to {len(nodes)}")
        node_shape: tuple[int, ...] = nodes[int(name) - 1].tensor.shape
        return node_shape
    if kind == "prediction":
        if case.predict is None:
            raise ValueError("it has no prediction to print; give the case a predict, or leave out this figure")
        predicted: tuple[int, ...] = evaluated(Floats(), case.predict, params, data).shape
        return predicted
    return () if quantity in ("loss", "final loss") else params[name].shape
