"""Training with Chainer's links and optimizers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from backends.base import Backend
from backends.chainer.framework import F, L, chainer
from backends.training import Training
from vocabulary.tensors import Tensor
from vocabulary.words import Words

OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *, rate: chainer.optimizers.SGD(lr=rate),
        "momentum": lambda *, rate, momentum: chainer.optimizers.MomentumSGD(lr=rate, momentum=momentum),
        "adam": lambda *, rate, beta1, beta2, epsilon: chainer.optimizers.Adam(
            alpha=rate, beta1=beta1, beta2=beta2, eps=epsilon
        ),
    },
)


class Optimizers(Backend):
    """The framework's own optimisers."""

    rules = tuple(OPTIMIZERS)
    conventions: ClassVar = {"adam": "epsilon hat"}

    def fit(self, training: Training) -> Iterator[tuple[Tensor, list[Tensor], list[Tensor]]]:
        model = self.model(training.level, training.layers)
        # In the order of the layers. Sequential.links() of four layers gives the first, the last, the third and the second.
        links = [link for link in model if isinstance(link, L.Linear)]
        params = [p for link in links for p in (link.W, link.b)]
        objective = self.objective(training.objective, training.reduction)
        optimizer = training.optimizer.passed_to(OPTIMIZERS)
        optimizer.setup(model)
        for x, y in training.examples(self.tensor):
            model.cleargrads()
            value = objective(model(x), y)
            value.backward()
            if training.native:
                optimizer.update()
            else:
                for p in params:
                    p.array -= training.optimizer.rate * p.grad
            yield value, [F.transpose(p.grad_var) for p in params], [F.transpose(p) for p in params]
