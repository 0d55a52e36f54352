"""Keras: dense layers, in a Sequential or in a Model of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensorflow import keras

from backends.base import Backend, Model
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Tensor
from vocabulary.words import Words

ACTIVATIONS = Words("activation", {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "": None})


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


def use(dtype: str) -> None:
    """Make Keras' losses and learning rates (floatx) and its layers (the policy) compute in ``dtype``.

    Without it float64 data are cast to float32; and the policy follows floatx only as long as no layer has been made.
    """
    keras.backend.set_floatx(dtype)  # under names that Keras 2 has as well
    keras.mixed_precision.set_global_policy(dtype)


class Layers(Backend):
    """The framework's own layers."""

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        use(layers[0].arrays[0].dtype.name)
        return MODELS[level](layers)
