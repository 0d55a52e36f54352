"""PyTorch, trained by somebody who forgot zero_grad: gradients pile up from step to step."""

from __future__ import annotations

from typing import Any

import torch

from backends.torch import Torch


class ForgetfulTorch(Torch):
    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        weights = self.leaves(params)
        for data in batches:
            value = loss(self, weights, data)
            value.backward()
            with torch.no_grad():
                for w in weights.values():
                    w -= rate * w.grad
            yield value, {name: w.grad for name, w in weights.items()}, weights
