"""MXNet from 1.6, its numpy interface: attach_grad, record, backward; Gluon's Sequential, Block, losses and Trainer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy

from backends.mxnet.deviations import DEVIATIONS
from backends.mxnet.framework import autograd, mxnet, np, npx
from backends.mxnet.layers import Layers
from backends.mxnet.losses import Losses
from backends.mxnet.optimizers import Optimizers
from vocabulary.tensors import Formula, Tensor, Tensors


class Mxnet(Layers, Losses, Optimizers):
    name = "mxnet"
    deviations = DEVIATIONS
    namespaces = (np, npx)
    unsupported: ClassVar = {("float16", "@"): "the CPU build multiplies matrices in float32 and float64 only"}

    @property
    def version(self) -> str:
        return mxnet.__version__

    def tensor(self, array: numpy.ndarray) -> Tensor:
        return np.array(array, dtype=array.dtype)  # without the dtype everything becomes float32

    def array(self, tensor: Tensor) -> numpy.ndarray:
        return tensor.asnumpy()

    def leaves(self, params: Tensors) -> Tensors:
        leaves = {name: tensor.copy() for name, tensor in params.items()}
        for leaf in leaves.values():
            leaf.attach_grad()
        return leaves

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        leaves = self.leaves(params)
        with autograd.record():
            value = loss(self, leaves, data)
        value.backward()
        return value, {name: leaf.grad for name, leaf in leaves.items()}

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = self.leaves(params)
        for data in batches:
            with autograd.record():
                value = loss(self, weights, data)
            value.backward()
            for w in weights.values():
                w -= rate * w.grad
            yield value, {name: w.grad for name, w in weights.items()}, weights
