"""Chainer's links and functions, in a Sequential or in a ChainList of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from backends.base import Backend, Model
from backends.chainer.framework import F, L, chainer
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Tensor
from vocabulary.words import Words

ACTIVATIONS = Words("activation", {"sigmoid": F.sigmoid, "tanh": F.tanh, "relu": F.relu, "": F.identity})


def _linear(layer: Dense) -> Tensor:
    with chainer.using_config("dtype", layer.bias.dtype):
        return L.Linear(*layer.kernel.shape, initialW=layer.kernel.T, initial_bias=layer.bias)


LAYERS: Words[Callable[[Any], Tensor]] = Words("layer", {"dense": _linear})


def _sequential(layers: Sequence[Layer]) -> chainer.Sequential:
    return chainer.Sequential(
        *(part for layer in layers for part in (LAYERS[layer.word](layer), ACTIVATIONS[layer.activation]))
    )


class Net(chainer.ChainList):
    """A model class as a user of Chainer writes it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(*(LAYERS[layer.word](layer) for layer in layers))
        self.activations = [ACTIVATIONS[layer.activation] for layer in layers]

    def forward(self, x: Tensor) -> Tensor:
        for linear, activation in zip(self, self.activations, strict=True):
            x = activation(linear(x))
        return x


MODELS = Words("level", {"modules": _sequential, "optimizer": _sequential, "class": Net})


class Layers(Backend):
    """The framework's own layers."""

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        return MODELS[level](layers)
