"""Training with Gluon and its Trainer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from backends.base import Backend
from backends.mxnet.framework import autograd, gluon
from backends.training import Training
from vocabulary.tensors import Tensor
from vocabulary.words import Words

# What a Trainer is told: the name of the optimiser and its options.
OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *, rate: ("sgd", {"learning_rate": rate}),
        "momentum": lambda *, rate, momentum: ("sgd", {"learning_rate": rate, "momentum": momentum}),
        "adam": lambda *, rate, beta1, beta2, epsilon: (
            "adam",
            {"learning_rate": rate, "beta1": beta1, "beta2": beta2, "epsilon": epsilon},
        ),
    },
)


class Optimizers(Backend):
    """The framework's own optimisers."""

    rules = tuple(OPTIMIZERS)
    conventions: ClassVar = {"adam": "epsilon hat"}

    def fit(self, training: Training) -> Iterator[tuple[Tensor, list[Tensor], list[Tensor]]]:
        model = self.model(training.level, training.layers)
        params = list(model.collect_params().values())  # weight and bias of each layer, in order
        objective = self.objective(training.objective, training.reduction)
        trainer = gluon.Trainer(params, *training.optimizer.passed_to(OPTIMIZERS), kvstore=None)
        for x, y in training.examples(self.tensor):
            with autograd.record():
                value = objective(model(x), y)
            value.backward()
            if training.native:
                trainer.step(1)  # not the batch's size: the loss is reduced already
            else:
                for p in params:
                    p.set_data(p.data() - training.optimizer.rate * p.grad())
            yield value, [p.grad().T for p in params], [p.data().T for p in params]
