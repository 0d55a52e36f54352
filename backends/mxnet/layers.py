"""Gluon: dense layers, in a Sequential or in a Block of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from backends.base import Backend, Model
from backends.mxnet.framework import gluon, mxnet, np
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Tensor
from vocabulary.words import Words

ACTIVATIONS = Words("activation", {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "": None})


def _dense(layer: Dense) -> Tensor:
    inputs, units = layer.kernel.shape
    dense = gluon.nn.Dense(units, ACTIVATIONS[layer.activation], in_units=inputs, dtype=layer.kernel.dtype.name)
    dense.initialize(mxnet.init.Zero())  # the default one raises in float64
    dense.weight.set_data(np.array(layer.kernel.T, dtype=layer.kernel.dtype))
    dense.bias.set_data(np.array(layer.bias, dtype=layer.bias.dtype))
    return dense


LAYERS: Words[Callable[[Any], Tensor]] = Words("layer", {"dense": _dense})


def _sequential(layers: Sequence[Layer]) -> gluon.nn.Sequential:
    model = gluon.nn.Sequential()
    model.add(*(LAYERS[layer.word](layer) for layer in layers))
    return model


class Net(gluon.Block):
    """A model class as a user of Gluon writes it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.names = [f"dense{number}" for number, _ in enumerate(layers)]
        for name, layer in zip(self.names, layers, strict=True):
            setattr(self, name, LAYERS[layer.word](layer))

    def forward(self, x: Tensor) -> Tensor:
        for name in self.names:
            x = getattr(self, name)(x)
        return x


MODELS = Words("level", {"modules": _sequential, "optimizer": _sequential, "class": Net})


class Layers(Backend):
    """The framework's own layers."""

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        return MODELS[level](layers)
