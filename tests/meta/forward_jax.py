"""A sound adapter in forward mode: JAX's own, in all directions at once."""

from __future__ import annotations

from typing import Any

import jax

from backends.base import Backend
from backends.jax import Jax


class Jacfwd(Jax):
    lacks = Backend.lacks
    modes = Backend.modes
    settings = ()

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        def value(leaves: Any) -> Any:
            return loss(self, leaves, data)

        return value(params), jax.jacfwd(value)(params)

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        for data in batches:
            value, gradient = self.value_and_grad(loss, params, data)
            params = {name: w - rate * gradient[name] for name, w in params.items()}
            yield value, gradient, params

    def fit(self, program: Any) -> Any:
        return Backend.fit(self, program)
