"""JAX: pure functions, value_and_grad under jit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from backends.base import Backend, Formula, Tensor, Tensors


@lru_cache(maxsize=16)
def _compiled(ops: Backend, loss: Formula) -> Callable[[Tensors, Tensors], tuple[Tensor, Tensors]]:
    return jax.jit(jax.value_and_grad(lambda params, data: loss(ops, params, data)))


class Jax(Backend):
    name = "jax"
    modes: ClassVar = {"gradient": "compiled", "training": "compiled"}

    exp = staticmethod(jnp.exp)
    log = staticmethod(jnp.log)
    tanh = staticmethod(jnp.tanh)
    sigmoid = staticmethod(jax.nn.sigmoid)
    relu = staticmethod(jax.nn.relu)
    sum = staticmethod(jnp.sum)
    mean = staticmethod(jnp.mean)

    @property
    def version(self) -> str:
        return jax.__version__

    def tensor(self, array: np.ndarray) -> Tensor:
        return jnp.array(array)

    def array(self, tensor: Tensor) -> np.ndarray:
        return np.asarray(tensor)

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        return _compiled(self, loss)(params, data)

    def train(self, loss: Formula, params: Tensors, data: Tensors, rate: float) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        @jax.jit
        def step(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors, Tensors]:
            value, gradient = jax.value_and_grad(lambda leaves: loss(self, leaves, data))(params)
            return value, gradient, jax.tree.map(lambda w, g: w - rate * g, params, gradient)

        while True:
            value, gradient, params = step(params, data)
            yield value, gradient, params
