"""PyTorch: eager tensors, backward() into .grad; torch.nn.Sequential, torch.nn.Module and torch.optim."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from backends.torch.deviations import DEVIATIONS
from backends.torch.layers import Layers
from backends.torch.losses import Losses
from backends.torch.optimizers import Optimizers
from vocabulary.tensors import Formula, Tensor, Tensors


class Torch(Layers, Losses, Optimizers):
    name = "torch"
    deviations = DEVIATIONS
    namespaces = (torch, torch.special, torch.nn.functional, torch.linalg)

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

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = self.leaves(params)
        for data in batches:
            for w in weights.values():
                w.grad = None
            value = loss(self, weights, data)
            value.backward()
            with torch.no_grad():
                for w in weights.values():
                    w -= rate * w.grad
            yield value, {name: w.grad for name, w in weights.items()}, weights
