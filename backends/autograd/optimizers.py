"""The optimisers of autograd.misc."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from backends.autograd.framework import autograd, optimizers
from backends.base import Backend
from backends.training import Training
from vocabulary.tensors import Tensor, Tensors
from vocabulary.words import Words

OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *run, rate: optimizers.sgd(*run, rate, mass=0.0),
        "momentum": lambda *run, rate, momentum: optimizers.sgd(*run, rate, mass=momentum),
        "adam": lambda *run, rate, beta1, beta2, epsilon: optimizers.adam(*run, rate, b1=beta1, b2=beta2, eps=epsilon),
    },
)


class Optimizers(Backend):
    """The framework's own optimisers."""

    rules = tuple(OPTIMIZERS)
    conventions: ClassVar = {"momentum": "average"}

    def fit(self, training: Training) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        match training.level:
            case "optimizer":
                return self._optimize(training)
            case _:
                return super().fit(training)  # which raises

    def _optimize(self, training: Training) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        """The optimisers run by themselves and tell a callback; a step is known when the next one begins."""
        batches = list(training.each_step(self.tensor))
        losses: list[Tensor] = []
        told: list[tuple[Tensors, Tensors]] = []

        def gradient(params: Tensors, step: int) -> Tensors:
            value, g = autograd.value_and_grad(lambda leaves: training.loss(self, leaves, batches[step]))(params)
            losses.append(value)
            return g

        def callback(params: Tensors, step: int, g: Tensors) -> None:
            told.append((params, g))

        end = training.optimizer.passed_to(OPTIMIZERS, gradient, training.start(self.tensor), callback, len(batches))
        ends = [params for params, _ in told[1:]] + [end]
        yield from ((value, g, after) for value, (_, g), after in zip(losses, told, ends, strict=True))
