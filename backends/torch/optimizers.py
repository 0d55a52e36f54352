"""Training with torch.nn and torch.optim."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from backends.base import Backend
from backends.training import Training
from vocabulary.tensors import Tensor
from vocabulary.words import Words

OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda params, *, rate: torch.optim.SGD(params, lr=rate),
        "momentum": lambda params, *, rate, momentum: torch.optim.SGD(params, lr=rate, momentum=momentum),
        "adam": lambda params, *, rate, beta1, beta2, epsilon: torch.optim.Adam(
            params, lr=rate, betas=(beta1, beta2), eps=epsilon
        ),
    },
)


class Optimizers(Backend):
    """The framework's own optimisers."""

    rules = tuple(OPTIMIZERS)

    def fit(self, training: Training) -> Iterator[tuple[Tensor, list[Tensor], list[Tensor]]]:
        model = self.model(training.level, training.layers)
        linears = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
        objective = self.objective(training.objective, training.reduction)
        optimizer = training.optimizer.passed_to(OPTIMIZERS, model.parameters())
        for x, y in training.examples(self.tensor):
            optimizer.zero_grad()
            value = objective(model(x), y)
            value.backward()
            if training.native:
                optimizer.step()
            else:
                with torch.no_grad():
                    for p in model.parameters():
                        p -= training.optimizer.rate * p.grad
            yield (
                value,
                [g for linear in linears for g in (linear.weight.grad.T, linear.bias.grad)],
                [p for linear in linears for p in (linear.weight.T, linear.bias)],
            )
