"""Faults that users of Chainer make, in Chainer."""

from __future__ import annotations

from typing import Any

from backends.chainer import Chainer
from backends.chainer.framework import chainer

SOUND = "chainer"


class NoClearGrads(Chainer):
    """Chainer without cleargrads: gradients pile up from step to step."""

    family = "accumulated"

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        weights = {name: chainer.Parameter(tensor.array.copy()) for name, tensor in params.items()}
        for w in weights.values():
            w.cleargrad()
        for data in batches:
            value = loss(self, weights, data)
            value.backward()
            for w in weights.values():
                w.array -= rate * w.grad
            yield value, {name: w.grad_var for name, w in weights.items()}, weights
