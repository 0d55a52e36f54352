"""Faults that users of MXNet make, in MXNet."""

from __future__ import annotations

from typing import Any

from backends.mxnet import Mxnet
from backends.mxnet.framework import gluon

SOUND = "mxnet"


class GradReqAdd(Mxnet):
    """Gradients are attached with grad_req='add', and never reset."""

    family = "accumulated"

    def leaves(self, params: Any) -> Any:
        leaves = {name: tensor.copy() for name, tensor in params.items()}
        for leaf in leaves.values():
            leaf.attach_grad(grad_req="add")
        return leaves


class StepOfBatch(Mxnet):
    """Trainer.step is given a batch size of four, after a loss that is reduced already."""

    family = "reduction"

    def fit(self, training: Any) -> Any:
        step = gluon.Trainer.step
        try:
            gluon.Trainer.step = lambda trainer, one: step(trainer, 4)
            yield from super().fit(training)
        finally:
            gluon.Trainer.step = step
