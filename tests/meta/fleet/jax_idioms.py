"""Faults that users of JAX make, in JAX."""

from __future__ import annotations

from typing import Any

import jax

from backends.jax import Jax

SOUND = "jax"


class X64Off(Jax):
    """JAX left in its default mode: float64 is float32."""

    family = "precision"

    def __init__(self) -> None:
        jax.config.update("jax_enable_x64", False)


class StopGradient(Jax):
    """A stop_gradient is left around the sigmoid of the output."""

    family = "detached"

    def sigmoid(self, x: Any) -> Any:  # type: ignore[override]
        y = jax.nn.sigmoid(x)
        return jax.lax.stop_gradient(y) if y.ndim == 2 and y.shape[1] > 1 else y
