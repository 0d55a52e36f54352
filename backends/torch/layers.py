"""torch.nn: linear layers and activations, in a Sequential or in a Module of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from backends.base import Backend, Model
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Tensor
from vocabulary.words import Words

ACTIVATIONS = Words(
    "activation", {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "": torch.nn.Identity}
)


def _linear(layer: Dense) -> torch.nn.Linear:
    kernel, bias = torch.tensor(layer.kernel), torch.tensor(layer.bias)
    linear = torch.nn.Linear(*kernel.shape, dtype=kernel.dtype)
    linear.load_state_dict({"weight": kernel.T, "bias": bias})
    return linear


LAYERS: Words[Callable[[Any], Tensor]] = Words("layer", {"dense": _linear})


def _sequential(layers: Sequence[Layer]) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        *(part for layer in layers for part in (LAYERS[layer.word](layer), ACTIVATIONS[layer.activation]()))
    )


class Net(torch.nn.Module):
    """A model class as a user of PyTorch writes it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.linears = torch.nn.ModuleList(LAYERS[layer.word](layer) for layer in layers)
        self.activations = [ACTIVATIONS[layer.activation]() for layer in layers]

    def forward(self, x: Tensor) -> Tensor:
        for linear, activation in zip(self.linears, self.activations, strict=True):
            x = activation(linear(x))
        return x


MODELS = Words("level", {"modules": _sequential, "optimizer": _sequential, "class": Net})


class Layers(Backend):
    """The framework's own layers."""

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        return MODELS[level](layers)
