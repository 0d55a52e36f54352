"""HIPS autograd: numpy code, traced as it runs; its optimisers in autograd.misc."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from backends.autograd.deviations import DEVIATIONS
from backends.autograd.framework import anp, autograd, special
from backends.autograd.optimizers import Optimizers
from vocabulary.tensors import Formula, Tensor, Tensors


class Autograd(Optimizers):
    name = "autograd"
    deviations = DEVIATIONS
    namespaces = (anp, special)
    names: ClassVar = {"sigmoid": "expit"}
    slope_at_kink = 0.5  # numpy.maximum shares the slope of a tie
    unsupported_levels: ClassVar = {
        "modules": "autograd differentiates numpy code and has no layers",
        "class": "autograd differentiates numpy code and has no base class for models",
    }

    @property
    def version(self) -> str:
        return importlib.metadata.version("autograd")

    def tensor(self, array: np.ndarray) -> Tensor:
        return np.array(array)

    def array(self, tensor: Tensor) -> np.ndarray:
        return np.asarray(tensor)

    def relu(self, x: Tensor) -> Tensor:
        return anp.maximum(x, anp.zeros_like(x))

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        return autograd.value_and_grad(lambda leaves: loss(self, leaves, data))(params)

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        step = autograd.value_and_grad(lambda leaves, data: loss(self, leaves, data))
        for data in batches:
            value, gradient = step(params, data)
            # The rate takes the dtype of the weight: see deviations.py.
            params = {name: w - w.dtype.type(rate) * gradient[name] for name, w in params.items()}
            yield value, gradient, params
