"""The operators, one record each; the folder is the registry."""

from __future__ import annotations

import sys
from functools import cache

from vocabulary.functions import FUNCTIONS
from vocabulary.operators.record import Form, Forms, Operator, forms, operator
from vocabulary.registry import found_in

__all__ = ["Form", "Forms", "Operator", "builtin", "forms", "functions", "named", "operator", "public"]


@cache
def builtin() -> dict[str, Operator]:
    """Return the operators of this folder by name, in the order of files and of definitions in them."""
    return found_in(sys.modules[__name__], Operator, lambda found: found.name)


@cache
def public() -> dict[str, Operator]:
    """Return the operators that formulas may use by name or, where they are infix, by sign."""
    return {name: found for name, found in builtin().items() if found.public}


@cache
def named() -> dict[str, Operator]:
    """Return the operators that formulas may use by name: those that an adapter looks up."""
    return {name: found for name, found in public().items() if not found.infix}


@cache
def functions() -> dict[str, Operator]:
    """Return the operators that are an elementary function of a library, with an accuracy of its own."""
    return {name: found for name, found in named().items() if name in FUNCTIONS}
