"""Losses of outputs and targets: an objective of each example, and what makes one number of all."""

from __future__ import annotations

from collections.abc import Callable

from vocabulary.tensors import Ops, Tensor
from vocabulary.words import Words


def _squared_error(ops: Ops, outputs: Tensor, targets: Tensor) -> Tensor:
    residual = outputs - targets
    return residual * residual


# Of each example. The entropies are terms that only the exact backends and numpy know.
OBJECTIVES: Words[Callable[[Ops, Tensor, Tensor], Tensor]] = Words(
    "objective",
    {
        "binary cross-entropy": lambda ops, outputs, targets: ops.binary_cross_entropy(outputs, targets),
        "softmax cross-entropy": lambda ops, outputs, targets: ops.softmax_cross_entropy(outputs, targets),
        "squared error": _squared_error,
    },
)
REDUCTIONS: Words[Callable[[Ops, Tensor], Tensor]] = Words(
    "reduction", {"sum": lambda ops, losses: ops.sum(losses), "mean": lambda ops, losses: ops.mean(losses)}
)


def objective(ops: Ops, name: str, reduction: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """The sum or mean of an objective over the examples. Raises ValueError for an unknown word."""
    of_each, reduced = OBJECTIVES[name], REDUCTIONS[reduction]
    return reduced(ops, of_each(ops, outputs, targets))
