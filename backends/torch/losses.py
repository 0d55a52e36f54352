"""The losses of torch.nn."""

from __future__ import annotations

from collections.abc import Callable

import torch

from backends.base import Backend, NativeLoss
from vocabulary.tensors import Tensor
from vocabulary.words import Words

OBJECTIVES = Words(
    "objective",
    {
        "binary cross-entropy": torch.nn.BCEWithLogitsLoss,
        "softmax cross-entropy": torch.nn.CrossEntropyLoss,
        "squared error": torch.nn.MSELoss,
    },
)

REDUCTIONS = Words("reduction", {"sum": "sum", "mean": "mean"})


class Losses(Backend):
    """The framework's own losses."""

    native_losses = tuple(
        NativeLoss(f"{loss.__name__}(reduction={reduction!r})", objective, reduction, loss(reduction=reduction))
        for objective, loss in OBJECTIVES.items()
        for reduction in REDUCTIONS
    )

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        return OBJECTIVES[name](reduction=REDUCTIONS[reduction])
