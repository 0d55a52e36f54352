"""Sound adapters with layers that lack something, and one that takes any word for another."""

from __future__ import annotations

from typing import Any, NoReturn

from tests.meta.layered import Layered
from vocabulary.losses import OBJECTIVES
from vocabulary.words import Words, unknown


class Lacking(Layered):
    """Has no squared error and no tanh behind a layer."""

    def objective(self, name: str, reduction: str) -> Any:
        Words("objective", {word: word for word in OBJECTIVES if word != "squared error"}).check(name)
        return super().objective(name, reduction)

    def forward(self, layers: Any, leaves: Any, x: Any) -> Any:
        for layer in layers:
            Words("activation", {"sigmoid": 1, "relu": 1, "": 1}).check(layer.activation)
        return super().forward(layers, leaves, x)


Lacking.native_losses = ()


class WithoutMomentum(Layered):
    """Has no optimiser for momentum."""

    rules = ("sgd", "adam")

    def by_momentum(self, **hyperparameters: float) -> NoReturn:
        raise unknown("rule", "momentum", self.rules)


class TakesAnyWord(Layered):
    """Whatever it does not know is something else."""

    def objective(self, name: str, reduction: str) -> Any:
        name = name if name in OBJECTIVES else "squared error"
        return super().objective(name, "sum" if reduction == "sum" else "mean")


TakesAnyWord.native_losses = ()
