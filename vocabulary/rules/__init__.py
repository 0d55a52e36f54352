"""The update rules, one record each; the folder is the registry."""

from __future__ import annotations

import sys
from functools import cache

from vocabulary.registry import found_in
from vocabulary.rules.record import Optimizer, Rule, Step
from vocabulary.words import Words

__all__ = ["MASTER_WEIGHTS", "Optimizer", "Rule", "Step", "builtin", "by_hand", "conventions_of_rules", "values"]


@cache
def builtin() -> Words[Rule]:
    """Return the rules of this folder by name, in the order of files. To look up another raises ValueError."""
    return Words("rule", found_in(sys.modules[__name__], Rule, lambda found: found.name))


def conventions_of_rules() -> dict[str, tuple[str, ...]]:
    """Map the rules that are read in several ways to these conventions, the first published first."""
    return {name: tuple(rule.conventions) for name, rule in builtin().items() if len(rule.conventions) > 1}


def by_hand() -> tuple[str, ...]:
    """Return the rules whose step is also written by hand, where a level has no optimiser."""
    return tuple(name for name, rule in builtin().items() if rule.by_hand)


# What a deviation of training by hand is about that keeps its weights in a wider dtype than it shows, as mixed precision does.
MASTER_WEIGHTS = {"values": ("weights",), "rules": by_hand()}


def values() -> tuple[str, ...]:
    """Return what may pass through a narrower dtype in an optimiser: hyperparameters, what is made of them, and weights."""
    named = [name for rule in builtin().values() for name in rule.hyperparameters]
    return tuple(dict.fromkeys([*named, *(name for rule in builtin().values() for name in rule.values)]))
