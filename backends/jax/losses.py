"""The losses of Optax."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
import optax

from backends.base import Backend, NativeLoss
from vocabulary.tensors import Tensor
from vocabulary.words import Words

OBJECTIVES = Words(
    "objective",
    {
        "binary cross-entropy": optax.sigmoid_binary_cross_entropy,
        "softmax cross-entropy": optax.softmax_cross_entropy,
        "squared error": optax.squared_error,
    },
)

REDUCTIONS = Words("reduction", {"sum": jnp.sum, "mean": jnp.mean})


def _reduced(loss: Callable[[Tensor, Tensor], Tensor], reduction: Callable[[Tensor], Tensor], z: Tensor, y: Tensor) -> Tensor:
    return reduction(loss(z, y))


class Losses(Backend):
    """The framework's own losses."""

    native_losses = tuple(
        NativeLoss(f"{reduction} of optax.{loss.__name__}", objective, reduction, partial(_reduced, loss, to))
        for objective, loss in OBJECTIVES.items()
        for reduction, to in REDUCTIONS.items()
    )

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        return partial(_reduced, OBJECTIVES[name], REDUCTIONS[reduction])
