"""The losses of Gluon."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from backends.base import Backend, NativeLoss
from backends.mxnet.framework import gluon, np
from vocabulary.tensors import Tensor
from vocabulary.words import Words

# One loss an example. L2Loss is half the squared error unless it is weighted by 2.
OBJECTIVES = Words(
    "objective",
    {
        "binary cross-entropy": gluon.loss.SigmoidBinaryCrossEntropyLoss(),
        "softmax cross-entropy": gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False),
        "squared error": gluon.loss.L2Loss(weight=2.0),
    },
)

REDUCTIONS = Words("reduction", {"sum": np.sum, "mean": np.mean})


def _reduced(loss: Callable[[Tensor, Tensor], Tensor], to: Callable[[Tensor], Tensor], z: Tensor, y: Tensor) -> Tensor:
    return to(loss(z, y))


class Losses(Backend):
    """The framework's own losses."""

    native_losses = tuple(
        NativeLoss(f"{words}.{reduction}()", objective, reduction, partial(_reduced, loss, to))
        for words, objective, loss in (
            ("SigmoidBinaryCrossEntropyLoss()", "binary cross-entropy", OBJECTIVES["binary cross-entropy"]),
            ("SoftmaxCrossEntropyLoss(sparse_label=False)", "softmax cross-entropy", OBJECTIVES["softmax cross-entropy"]),
            ("L2Loss()", "squared error", gluon.loss.L2Loss()),
        )
        for reduction, to in REDUCTIONS.items()
    )

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        return partial(_reduced, OBJECTIVES[name], REDUCTIONS[reduction])
