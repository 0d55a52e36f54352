"""Training with Keras inside tf.function."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import tensorflow as tf
from tensorflow import keras

from backends.base import Backend
from backends.training import Training
from vocabulary.tensors import Tensor
from vocabulary.words import Words

OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *, rate: keras.optimizers.SGD(rate),
        "momentum": lambda *, rate, momentum: keras.optimizers.SGD(rate, momentum),
        "adam": lambda *, rate, beta1, beta2, epsilon: keras.optimizers.Adam(rate, beta1, beta2, epsilon),
    },
)


class Optimizers(Backend):
    """The framework's own optimisers."""

    rules = tuple(OPTIMIZERS)
    conventions: ClassVar = {"adam": "epsilon hat"}

    def fit(self, training: Training) -> Iterator[tuple[Tensor, list[Tensor], list[Tensor]]]:
        model = self.model(training.level, training.layers)
        objective = self.objective(training.objective, training.reduction)
        optimizer, native = training.optimizer.passed_to(OPTIMIZERS), training.native

        @tf.function
        def step(x: Tensor, y: Tensor) -> tuple[Tensor, list[Tensor]]:
            with tf.GradientTape() as tape:
                value = objective(model(x), y)
            weights = model.trainable_variables
            gradient = tape.gradient(value, weights)
            if native:
                optimizer.apply_gradients(zip(gradient, weights))  # noqa: B905, AutoGraph of TensorFlow 2.12 knows no strict zip
            else:
                for w, g in zip(weights, gradient):  # noqa: B905
                    w.assign_sub(training.optimizer.rate * g)
            return value, gradient

        for x, y in training.examples(self.tensor):
            value, gradient = step(x, y)
            yield value, gradient, model.trainable_variables
