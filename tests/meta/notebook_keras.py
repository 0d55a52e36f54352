"""Keras as the notebooks have it: ``binary_crossentropy`` of probabilities, which is a mean and clips them."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from tensorflow import keras

from backends.tensorflow import Tensorflow


class NotebookKeras(Tensorflow):
    def objective(self, name: str, reduction: str) -> Any:
        loss = keras.losses.BinaryCrossentropy()
        return lambda z, y: loss(y, tf.sigmoid(z))
