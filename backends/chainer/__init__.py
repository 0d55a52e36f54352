"""Chainer: Variables, cleargrads and backward; chainer.Sequential, Chain, links and optimizers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from backends.chainer.deviations import DEVIATIONS
from backends.chainer.framework import F, chainer
from backends.chainer.layers import Layers
from backends.chainer.losses import Losses
from backends.chainer.optimizers import Optimizers
from vocabulary.tensors import Formula, Tensor, Tensors


class Chainer(Layers, Losses, Optimizers):
    name = "chainer"
    deviations = DEVIATIONS
    namespaces = (F,)

    @property
    def version(self) -> str:
        return chainer.__version__

    def tensor(self, array: np.ndarray) -> Tensor:
        return chainer.Variable(np.array(array))

    def array(self, tensor: Tensor) -> np.ndarray:
        return tensor.array

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        leaves = {name: chainer.Variable(tensor.array.copy()) for name, tensor in params.items()}
        value = loss(self, leaves, data)
        value.backward()
        return value, {name: leaf.grad_var for name, leaf in leaves.items()}

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = {name: chainer.Parameter(tensor.array.copy()) for name, tensor in params.items()}
        for data in batches:
            for w in weights.values():
                w.cleargrad()
            value = loss(self, weights, data)
            value.backward()
            for w in weights.values():
                w.array -= rate * w.grad
            yield value, {name: w.grad_var for name, w in weights.items()}, weights
