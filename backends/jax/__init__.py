"""JAX: pure functions, value_and_grad under jit; Equinox for layers and Optax for losses and optimisers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from backends.base import Backend
from backends.jax.layers import Layers
from backends.jax.losses import Losses
from backends.jax.optimizers import Optimizers
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import FLUSHED, NUMERIC


@lru_cache(maxsize=16)
def _compiled(ops: Backend, loss: Formula) -> Callable[[Tensors, Tensors], tuple[Tensor, Tensors]]:
    return jax.jit(jax.value_and_grad(lambda params, data: loss(ops, params, data)))


class Jax(Layers, Losses, Optimizers):
    name = "jax"
    namespaces = (jnp, jax.nn, jnp.linalg)
    numeric: ClassVar = NUMERIC | {"float32 subnormals": FLUSHED, "float64 subnormals": FLUSHED}  # on the CPU, by design of XLA
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
