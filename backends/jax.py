"""JAX: pure functions, value_and_grad under jit; Equinox for layers and Optax for losses and optimisers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from backends.base import Backend, Model, Setting
from backends.training import Training
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import FLUSHED, NUMERIC, Words

ACTIVATIONS = Words("activation", {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu, "": lambda x: x})
OBJECTIVES = Words(
    "objective",
    {
        "binary cross-entropy": optax.sigmoid_binary_cross_entropy,
        "softmax cross-entropy": optax.softmax_cross_entropy,
        "squared error": optax.squared_error,
    },
)
REDUCTIONS = Words("reduction", {"sum": jnp.sum, "mean": jnp.mean})
OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *, rate: optax.sgd(rate),
        "adam": lambda *, rate, beta1, beta2, epsilon: optax.adam(rate, beta1, beta2, epsilon),
    },
)


def _linear(layer: Dense) -> eqx.nn.Linear:
    inputs, units = layer.kernel.shape
    linear = eqx.nn.Linear(inputs, units, key=jax.random.key(0))
    return eqx.tree_at(lambda each: (each.weight, each.bias), linear, (jnp.array(layer.kernel.T), jnp.array(layer.bias)))


LAYERS: Words[Callable[[Any], Tensor]] = Words("layer", {"dense": _linear})


def _reduced(loss: Callable[[Tensor, Tensor], Tensor], reduction: Callable[[Tensor], Tensor], z: Tensor, y: Tensor) -> Tensor:
    return reduction(loss(z, y))


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


def _linears(tree: eqx.Module) -> list[Tensor]:
    """Kernel and bias of each layer, of a model or of its gradient."""
    layers = jax.tree_util.tree_leaves(tree, is_leaf=lambda node: isinstance(node, eqx.nn.Linear))
    return [array for layer in layers if isinstance(layer, eqx.nn.Linear) for array in (layer.weight.T, layer.bias)]


@lru_cache(maxsize=16)
def _compiled(ops: Backend, loss: Formula) -> Callable[[Tensors, Tensors], tuple[Tensor, Tensors]]:
    return jax.jit(jax.value_and_grad(lambda params, data: loss(ops, params, data)))


class Jax(Backend):
    name = "jax"
    namespaces = (jnp, jax.nn, jnp.linalg)
    numeric: ClassVar = NUMERIC | {"float32 subnormals": FLUSHED, "float64 subnormals": FLUSHED}  # on the CPU, by design of XLA
    settings = tuple(
        Setting(f"{reduction} of optax.{loss.__name__}", objective, reduction, partial(_reduced, loss, to))
        for objective, loss in OBJECTIVES.items()
        for reduction, to in REDUCTIONS.items()
    )
    modes: ClassVar = {"gradient": "compiled", "training": "compiled"}

    @property
    def version(self) -> str:
        return jax.__version__

    def tensor(self, array: np.ndarray) -> Tensor:
        return jnp.array(np.array(array))  # JAX 0.4.13 takes the memory that it is given

    def array(self, tensor: Tensor) -> np.ndarray:
        return np.asarray(tensor)

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        return _compiled(self, loss)(params, data)

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        @jax.jit
        def step(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors, Tensors]:
            value, gradient = jax.value_and_grad(lambda leaves: loss(self, leaves, data))(params)
            return value, gradient, jax.tree_util.tree_map(lambda w, g: w - rate * g, params, gradient)

        for data in batches:
            value, gradient, params = step(params, data)
            yield value, gradient, params

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        return jax.vmap(MODELS[level](layers))

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        return partial(_reduced, OBJECTIVES[name], REDUCTIONS[reduction])

    def fit(self, training: Training) -> Iterator[tuple[Tensor, list[Tensor], list[Tensor]]]:
        model = MODELS[training.level](training.layers)
        objective = self.objective(training.objective, training.reduction)
        optimizer = training.optimizer.passed_to(OPTIMIZERS)
        state = optimizer.init(eqx.filter(model, eqx.is_array))

        @eqx.filter_jit
        def step(model: eqx.Module, state: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, eqx.Module, eqx.Module, Tensor]:
            value, gradient = eqx.filter_value_and_grad(lambda model: objective(jax.vmap(model)(x), y))(model)
            if training.native:
                updates, state = optimizer.update(gradient, state)
            else:
                updates = jax.tree_util.tree_map(lambda g: -training.optimizer.rate * g, gradient)
            return value, gradient, eqx.apply_updates(model, updates), state

        for x, y in training.examples(self.tensor):
            value, gradient, model, state = step(model, state, x, y)
            yield value, _linears(gradient), _linears(model)
