"""PyTorch: eager tensors, backward() into .grad."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from backends.base import Backend, Formula, Tensor, Tensors


class Torch(Backend):
    name = "torch"

    exp = staticmethod(torch.exp)
    log = staticmethod(torch.log)
    tanh = staticmethod(torch.tanh)
    sigmoid = staticmethod(torch.sigmoid)
    relu = staticmethod(torch.relu)
    sum = staticmethod(torch.sum)
    mean = staticmethod(torch.mean)

    @property
    def version(self) -> str:
        return torch.__version__

    def tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array)  # copies; from_numpy would let training write into the case

    def array(self, tensor: Tensor) -> np.ndarray:
        return tensor.detach().numpy()

    def leaves(self, params: Tensors) -> Tensors:
        return {name: tensor.detach().clone().requires_grad_() for name, tensor in params.items()}

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        leaves = self.leaves(params)
        value = loss(self, leaves, data)
        value.backward()
        return value, {name: leaf.grad for name, leaf in leaves.items()}

    def train(self, loss: Formula, params: Tensors, data: Tensors, rate: float) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = self.leaves(params)
        while True:
            for w in weights.values():
                w.grad = None
            value = loss(self, weights, data)
            value.backward()
            with torch.no_grad():
                for w in weights.values():
                    w -= rate * w.grad
            yield value, {name: w.grad for name, w in weights.items()}, weights
