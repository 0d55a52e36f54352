"""TensorFlow 2: GradientTape, eagerly for a gradient and inside tf.function for training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import tensorflow as tf

from backends.base import Backend, Formula, Tensor, Tensors


class Tensorflow(Backend):
    name = "tensorflow"
    modes: ClassVar = {"gradient": "eager", "training": "compiled"}

    exp = staticmethod(tf.exp)
    log = staticmethod(tf.math.log)
    tanh = staticmethod(tf.tanh)
    sigmoid = staticmethod(tf.sigmoid)
    relu = staticmethod(tf.nn.relu)
    sum = staticmethod(tf.reduce_sum)
    mean = staticmethod(tf.reduce_mean)

    @property
    def version(self) -> str:
        return tf.__version__

    def tensor(self, array: np.ndarray) -> Tensor:
        return tf.constant(array)

    def array(self, tensor: Tensor) -> np.ndarray:
        return tensor.numpy()

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        with tf.GradientTape() as tape:
            tape.watch(params)
            value = loss(self, params, data)
        return value, tape.gradient(value, params, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def train(self, loss: Formula, params: Tensors, data: Tensors, rate: float) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = {name: tf.Variable(tensor) for name, tensor in params.items()}

        @tf.function
        def step() -> tuple[Tensor, Tensors]:
            with tf.GradientTape() as tape:
                value = loss(self, weights, data)
            gradient = tape.gradient(value, weights)
            for name, w in weights.items():
                w.assign_sub(rate * gradient[name])
            return value, gradient

        while True:
            value, gradient = step()
            yield value, gradient, weights
