"""Faults that users of TensorFlow and Keras make, in TensorFlow."""

from __future__ import annotations

from typing import Any

from tensorflow import keras

from backends.tensorflow import Tensorflow

SOUND = "tensorflow"


class ForgetsFromLogits(Tensorflow):
    """Keras' binary cross-entropy is given logits and not told so."""

    family = "lying"

    def objective(self, name: str, reduction: str) -> Any:
        if name != "binary cross-entropy":
            return super().objective(name, reduction)
        loss = keras.losses.BinaryCrossentropy(reduction="sum" if reduction == "sum" else "sum_over_batch_size")
        return lambda z, y: loss(y, z)
