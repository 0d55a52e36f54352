"""Losses of outputs and targets, one record each; the folder is the registry.

An objective is one number for each example, a loss is one number of all. ``OBJECTIVES`` and ``LOSSES`` hold the records by
name, ``REDUCTIONS`` those losses that the name of a native loss may promise. To look up another word raises ValueError.
"""

from __future__ import annotations

import sys

from vocabulary.losses.binary import (
    CLIPPED_AND_ADDED_MEAN,
    CLIPPED_MEAN,
    MEAN_WITHOUT_SLOPE_AT_0,
    SUM_WITHOUT_SLOPE_AT_0,
)
from vocabulary.losses.record import Loss, Objective
from vocabulary.losses.reductions import HALF_OF_MEAN, HALF_OF_SUM, MEAN, SUM
from vocabulary.registry import found_in
from vocabulary.tensors import Ops, Tensor
from vocabulary.words import Words

__all__ = [
    "CLIPPED_AND_ADDED_MEAN", "CLIPPED_MEAN", "HALF_OF_MEAN", "HALF_OF_SUM", "LOSSES", "MEAN", "MEAN_WITHOUT_SLOPE_AT_0",
    "OBJECTIVES", "REDUCTIONS", "SUM", "SUM_WITHOUT_SLOPE_AT_0", "Loss", "Objective", "objective", "possible",
]  # fmt: skip

OBJECTIVES: Words[Objective] = Words("objective", found_in(sys.modules[__name__], Objective, lambda found: found.name))
LOSSES: Words[Loss] = Words("loss", found_in(sys.modules[__name__], Loss, lambda found: found.words))
REDUCTIONS: Words[Loss] = Words("reduction", {words: loss for words, loss in LOSSES.items() if loss.promised})


def objective(ops: Ops, name: str, reduction: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """The sum or mean of an objective over the examples. Raises ValueError for an unknown word."""
    of_each, reduced = OBJECTIVES[name], REDUCTIONS[reduction]
    return reduced.compute(ops, of_each, outputs, targets)


def possible(name: str) -> list[Loss]:
    """Return what a loss of the objective ``name`` may be: what any may be, then what is its own.

    Raises ValueError for an unknown objective.
    """
    OBJECTIVES.check(name)
    return [loss for own in ("", name) for loss in LOSSES.values() if loss.objective == own]
