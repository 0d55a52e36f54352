"""Numbers as their sources print them."""

import math

from flint import arb


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
