"""TensorFlow 2: GradientTape, eagerly for a gradient and inside tf.function for training; Keras above it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow import keras

from backends.base import Backend, Deviation, Model, Setting
from backends.training import Training
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import FLUSHED, HYPERPARAMETERS, NUMERIC, Words

ACTIVATIONS = Words("activation", {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "": None})
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
OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *, rate: keras.optimizers.SGD(rate),
        "adam": lambda *, rate, beta1, beta2, epsilon: keras.optimizers.Adam(rate, beta1, beta2, epsilon),
    },
)


def _dense(layer: Dense) -> keras.layers.Dense:
    dense = keras.layers.Dense(layer.kernel.shape[1], activation=ACTIVATIONS[layer.activation])
    dense.build((None, layer.kernel.shape[0]))
    dense.set_weights([layer.kernel, layer.bias])
    return dense


LAYERS: Words[Callable[[Any], Tensor]] = Words("layer", {"dense": _dense})


def _sequential(layers: Sequence[Layer]) -> keras.Sequential:
    return keras.Sequential([LAYERS[layer.word](layer) for layer in layers])


class Net(keras.Model):
    """A model class as a user of Keras writes it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.denses = [LAYERS[layer.word](layer) for layer in layers]

    def call(self, x: Tensor) -> Tensor:
        for dense in self.denses:
            x = dense(x)
        return x


MODELS = Words("level", {"modules": _sequential, "optimizer": _sequential, "class": Net})


def _use(dtype: str) -> None:
    """Make Keras' losses and learning rates (floatx) and its layers (the policy) compute in ``dtype``.

    Without it float64 data are cast to float32; and the policy follows floatx only as long as no layer has been made.
    """
    keras.backend.set_floatx(dtype)  # under names that Keras 2 has as well
    keras.mixed_precision.set_global_policy(dtype)


def _reduced(objective: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
    loss, to = OBJECTIVES[objective], REDUCTIONS[reduction]

    def compute(z: Tensor, y: Tensor) -> Tensor:
        _use(z.dtype.name)
        return loss(to)(y, z)

    return compute


def _of_probabilities(z: Tensor, y: Tensor) -> Tensor:
    _use(z.dtype.name)
    return keras.losses.BinaryCrossentropy()(y, tf.sigmoid(z))


if keras.__version__.startswith("2."):  # up to TensorFlow 2.15
    _CLIPS = Deviation(
        OF_PROBABILITIES,
        ("float32", "float64"),
        reason="Keras 2 clips probabilities at its epsilon, 1e-7, and adds it to them, before it takes their logarithm",
        size="the mean over sixteen examples with logits in (-25, 25) is 5.53 in place of 6.90; far out its gradient is 0",
        link="https://github.com/keras-team/keras/blob/v2.12.0/keras/backend.py",
        instead="mean with probabilities clipped at 1e-07, which is also added to them",
    )
else:
    _CLIPS = Deviation(
        OF_PROBABILITIES,
        ("float32", "float64"),
        reason="Keras clips probabilities at its epsilon, 1e-7, before it takes their logarithm",
        size="12 % of the mean over sixteen examples with logits in (-25, 25); no loss exceeds 16.1 and its gradient is 0",
        link="https://github.com/keras-team/keras/blob/v3.15.1/keras/src/backend/tensorflow/nn.py",
        instead="mean with probabilities clipped at 1e-07",
    )


class Tensorflow(Backend):
    name = "tensorflow"
    namespaces = (tf, tf.math, tf.nn, tf.linalg)
    names: ClassVar = {"sum": "reduce_sum", "mean": "reduce_mean"}
    numeric: ClassVar = NUMERIC | {"float32 subnormals": FLUSHED, "float64 subnormals": FLUSHED}  # in its thread pool
    adam = "epsilon hat"
    deviations = (
        Deviation(
            HYPERPARAMETERS,
            ("float64",),
            reason="Keras' Adam casts its betas, which TensorFlow first makes float32",
            size="the first step of Adam is off by 6e-6 of its size",
            link="https://github.com/keras-team/keras/blob/v3.15.1/keras/src/optimizers/adam.py",
            through="float32",
            what=("powers",),
            of=("adam",),
        ),
        _CLIPS,
    )
    settings = (
        *(
            Setting(f"{objective} of Keras, reduction={REDUCTIONS[to]!r}", objective, to, _reduced(objective, to))
            for objective in OBJECTIVES
            for to in REDUCTIONS
        ),
        Setting(OF_PROBABILITIES, "binary cross-entropy", "mean", _of_probabilities),
    )
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

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        _use(layers[0].arrays[0].dtype.name)
        return MODELS[level](layers)

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        return _reduced(name, reduction)

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
