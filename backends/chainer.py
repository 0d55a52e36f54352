"""Chainer: Variables, cleargrads and backward."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backends.base import Backend, Deviation, Formula, Tensor, Tensors
from backends.legacy import removed_numpy_names

with removed_numpy_names():
    import chainer
    import chainer.functions as F


def _sigmoid(dtypes: tuple[str, ...], size: str, absolute: float) -> Deviation:
    return Deviation(
        "sigmoid",
        dtypes,
        reason="computed as 0.5 * tanh(x / 2) + 0.5, whose error does not shrink with the value",
        size=size,
        link="https://github.com/chainer/chainer/blob/v7.8.1/chainer/functions/activation/sigmoid.py",
        absolute=absolute,
    )


class Chainer(Backend):
    name = "chainer"
    deviations = (
        _sigmoid(("float32", "float64"), "44 % of the value at x = -17 in float32, and 0 from -17.4 on", absolute=0.75),
        _sigmoid(("float16",), "100 % of the value at x = -9", absolute=0.2),
    )

    exp = staticmethod(F.exp)
    log = staticmethod(F.log)
    tanh = staticmethod(F.tanh)
    sigmoid = staticmethod(F.sigmoid)
    relu = staticmethod(F.relu)
    sum = staticmethod(F.sum)
    mean = staticmethod(F.mean)

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

    def train(self, loss: Formula, params: Tensors, data: Tensors, rate: float) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = {name: chainer.Parameter(tensor.array.copy()) for name, tensor in params.items()}
        while True:
            for w in weights.values():
                w.cleargrad()
            value = loss(self, weights, data)
            value.backward()
            for w in weights.values():
                w.array -= rate * w.grad
            yield value, {name: w.grad_var for name, w in weights.items()}, weights
