"""MXNet 1.9, its numpy interface: attach_grad, record, backward."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy

from backends.base import MATMUL, Backend, Formula, Tensor, Tensors
from backends.legacy import removed_numpy_names

with removed_numpy_names():
    import mxnet
    from mxnet import autograd, np, npx

npx.set_np()  # scalars of shape (), as everywhere else


class Mxnet(Backend):
    name = "mxnet"
    unsupported: ClassVar = {("float16", MATMUL): "the CPU build multiplies matrices in float32 and float64 only"}

    exp = staticmethod(np.exp)
    log = staticmethod(np.log)
    tanh = staticmethod(np.tanh)
    sigmoid = staticmethod(npx.sigmoid)
    relu = staticmethod(npx.relu)
    sum = staticmethod(np.sum)
    mean = staticmethod(np.mean)

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

    def train(self, loss: Formula, params: Tensors, data: Tensors, rate: float) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = self.leaves(params)
        while True:
            with autograd.record():
                value = loss(self, weights, data)
            value.backward()
            for w in weights.values():
                w -= rate * w.grad
            yield value, {name: w.grad for name, w in weights.items()}, weights
