"""Training with float64 master weights: loss and gradient in the dtype of the run, from the rounded weights that are shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from arithmetic.tape import Taped
from backends.base import Deviation
from backends.training import Training
from tests.meta.layered import Layered
from vocabulary.words import TRAINING_DTYPE

NONE = {"reason": "none", "size": "none", "link": "none"}


def keeps_masters(dtypes: tuple[str, ...], **changed: Any) -> tuple[Deviation, ...]:
    stated = {"passes_through": "float32", "values": ("weights",), "rules": ("sgd",)}
    return (Deviation(TRAINING_DTYPE, dtypes, **{**NONE, **stated, **changed}),)


class Masters(Layered):
    """Keeps float64 weights, as mixed precision does, and declares nothing."""

    rated = 1.0

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        masters = {name: w.value.astype(np.float64) for name, w in params.items()}
        for data in batches:
            value, gradient = self.value_and_grad(loss, params, data)
            masters = {name: w - self.rated * rate * gradient[name].value for name, w in masters.items()}
            params = {name: Taped(w.astype(params[name].value.dtype), self) for name, w in masters.items()}
            yield value, gradient, params

    def fit(self, training: Training) -> Any:
        if training.level != "modules":
            yield from super().fit(training)
            return
        shown = [part for layer in training.layers for part in layer.arrays]
        masters = [w.astype(np.float64) for w in shown]
        for x, y in training.examples(self.tensor):
            leaves = [Taped(np.asarray(w), self, leaf=True) for w in shown]
            value = self.reduced(training, self.forward(training.layers, leaves, x), y)
            adjoints = self.adjoints(value)
            gradient = [adjoints[id(leaf)] for leaf in leaves]
            masters = [w - training.optimizer.rate * g for w, g in zip(masters, gradient, strict=True)]
            shown = [w.astype(before.dtype) for w, before in zip(masters, shown, strict=True)]
            yield value, [Taped(g, self) for g in gradient], [Taped(w, self) for w in shown]


class Declared(Masters):
    """Declares them."""

    deviations = keeps_masters(("float32",))


class DeclaredAndFaulty(Declared):
    """Declares them; and its learning rate by hand is a thousandth too large."""

    rated = 1.001


class DeclaredTooWide(Masters):
    """Declares masters that half precision would explain."""

    deviations = keeps_masters(("float32",), passes_through="float16")


class DeclaredInVain(Layered):
    """Declares masters, and keeps none."""

    deviations = keeps_masters(("float32",))


class DeclaredElsewhere(Masters):
    """Declares masters in float64 as well, where they are the weights themselves."""

    deviations = keeps_masters(("float32", "float64"))
