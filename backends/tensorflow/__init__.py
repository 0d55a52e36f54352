"""TensorFlow 2: GradientTape, eagerly for a gradient and inside tf.function for training; Keras above it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np
import tensorflow as tf

from backends.tensorflow.deviations import DEVIATIONS
from backends.tensorflow.layers import Layers
from backends.tensorflow.losses import Losses
from backends.tensorflow.optimizers import Optimizers
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import FLUSHED, NUMERIC


class Tensorflow(Layers, Losses, Optimizers):
    name = "tensorflow"
    deviations = DEVIATIONS
    namespaces = (tf, tf.math, tf.nn, tf.linalg)
    names: ClassVar = {"sum": "reduce_sum", "mean": "reduce_mean", "logsumexp": "reduce_logsumexp"}
    numeric: ClassVar = NUMERIC | {"float32 subnormals": FLUSHED, "float64 subnormals": FLUSHED}  # in its thread pool
    modes: ClassVar = {"gradient": "eager", "training": "compiled"}

    @property
    def version(self) -> str:
        return tf.__version__

    def tensor(self, array: np.ndarray) -> Tensor:
        return tf.constant(np.array(array))  # TensorFlow 2.12 takes memory that is aligned

    def array(self, tensor: Tensor) -> np.ndarray:
        return tensor.numpy()

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        with tf.GradientTape() as tape:
            tape.watch(params)
            value = loss(self, params, data)
        return value, tape.gradient(value, params, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = {name: tf.Variable(tensor) for name, tensor in params.items()}

        @tf.function
        def step(data: Tensors) -> tuple[Tensor, Tensors]:
            with tf.GradientTape() as tape:
                value = loss(self, weights, data)
            gradient = tape.gradient(value, weights)
            for name, w in weights.items():
                w.assign_sub(rate * gradient[name])
            return value, gradient

        for data in batches:
            value, gradient = step(data)
            yield value, gradient, weights
