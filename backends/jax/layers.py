"""Equinox: linear layers, in a Sequential or in a Module of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from backends.base import Backend, Model
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Tensor
from vocabulary.words import Words

ACTIVATIONS = Words("activation", {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu, "": lambda x: x})


def _linear(layer: Dense) -> eqx.nn.Linear:
    inputs, units = layer.kernel.shape
    linear = eqx.nn.Linear(inputs, units, key=jax.random.key(0))
    return eqx.tree_at(lambda each: (each.weight, each.bias), linear, (jnp.array(layer.kernel.T), jnp.array(layer.bias)))


LAYERS: Words[Callable[[Any], Tensor]] = Words("layer", {"dense": _linear})


def _sequential(layers: Sequence[Layer]) -> eqx.nn.Sequential:
    parts = [part for layer in layers for part in (LAYERS[layer.word](layer), eqx.nn.Lambda(ACTIVATIONS[layer.activation]))]
    return eqx.nn.Sequential(parts)


class Net(eqx.Module):
    """A model class as a user of Equinox writes it, for one example."""

    linears: list[eqx.nn.Linear]
    activations: list[Callable[[Tensor], Tensor]] = eqx.field(static=True)

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.linears = [LAYERS[layer.word](layer) for layer in layers]
        self.activations = [ACTIVATIONS[layer.activation] for layer in layers]

    def __call__(self, x: Tensor) -> Tensor:
        for linear, activation in zip(self.linears, self.activations, strict=True):
            x = activation(linear(x))
        return x


MODELS = Words("level", {"modules": _sequential, "optimizer": _sequential, "class": Net})


def linears(tree: eqx.Module) -> list[Tensor]:
    """Kernel and bias of each layer, of a model or of its gradient."""
    layers = jax.tree_util.tree_leaves(tree, is_leaf=lambda node: isinstance(node, eqx.nn.Linear))
    return [array for layer in layers if isinstance(layer, eqx.nn.Linear) for array in (layer.weight.T, layer.bias)]


class Layers(Backend):
    """The framework's own layers."""

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        return jax.vmap(MODELS[level](layers))
