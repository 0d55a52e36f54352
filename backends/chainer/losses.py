"""The losses among Chainer's functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from backends.base import Backend, NativeLoss
from backends.chainer.framework import F
from vocabulary.tensors import Tensor
from vocabulary.words import Words

REDUCTIONS = Words("reduction", {"sum": F.sum, "mean": F.mean})


def _binary(z: Tensor, y: Tensor, **options: object) -> Tensor:
    return F.sigmoid_cross_entropy(z, y.array.astype(np.int32), **options)


def _softmax(z: Tensor, y: Tensor, **options: object) -> Tensor:
    return F.softmax_cross_entropy(z, y.array.argmax(axis=1).astype(np.int32), **options)


def _squared(z: Tensor, y: Tensor, **options: object) -> Tensor:
    return F.squared_error(z, y)


OBJECTIVES = Words("objective", {"binary cross-entropy": _binary, "softmax cross-entropy": _softmax, "squared error": _squared})


class Losses(Backend):
    """The framework's own losses."""

    native_losses = (
        NativeLoss("sigmoid_cross_entropy(normalize=True)", "binary cross-entropy", "mean", _binary),
        NativeLoss("sigmoid_cross_entropy(normalize=False)", "binary cross-entropy", "sum", partial(_binary, normalize=False)),
        NativeLoss("softmax_cross_entropy(normalize=True)", "softmax cross-entropy", "mean", _softmax),
        NativeLoss(
            "softmax_cross_entropy(normalize=False)", "softmax cross-entropy", "sum", partial(_softmax, normalize=False)
        ),
        NativeLoss("mean_squared_error", "squared error", "mean", F.mean_squared_error),
    )

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        """Chainer's own reduction is the mean, whatever ``normalize`` says: see deviations.py."""
        loss, reduced = OBJECTIVES[name], REDUCTIONS[reduction]
        return lambda z, y: reduced(loss(z, y, reduce="no"))
