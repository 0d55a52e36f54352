"""The losses of Keras."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from tensorflow import keras

from backends.base import Backend, NativeLoss
from backends.tensorflow.layers import use
from vocabulary.tensors import Tensor
from vocabulary.words import Words

OBJECTIVES = Words(
    "objective",
    {
        "binary cross-entropy": lambda reduction: keras.losses.BinaryCrossentropy(from_logits=True, reduction=reduction),
        "softmax cross-entropy": lambda reduction: keras.losses.CategoricalCrossentropy(from_logits=True, reduction=reduction),
        "squared error": lambda reduction: keras.losses.MeanSquaredError(reduction=reduction),
    },
)

OF_PROBABILITIES = "BinaryCrossentropy() of probabilities"

REDUCTIONS = Words("reduction", {"sum": "sum", "mean": "sum_over_batch_size"})


def _reduced(objective: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
    loss, to = OBJECTIVES[objective], REDUCTIONS[reduction]

    def compute(z: Tensor, y: Tensor) -> Tensor:
        use(z.dtype.name)
        return loss(to)(y, z)

    return compute


def _of_probabilities(z: Tensor, y: Tensor) -> Tensor:
    use(z.dtype.name)
    return keras.losses.BinaryCrossentropy()(y, tf.sigmoid(z))


class Losses(Backend):
    """The framework's own losses."""

    native_losses = (
        *(
            NativeLoss(f"{objective} of Keras, reduction={REDUCTIONS[to]!r}", objective, to, _reduced(objective, to))
            for objective in OBJECTIVES
            for to in REDUCTIONS
        ),
        NativeLoss(OF_PROBABILITIES, "binary cross-entropy", "mean", _of_probabilities),
    )

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        return _reduced(name, reduction)
