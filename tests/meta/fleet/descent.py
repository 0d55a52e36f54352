"""Faults of training by hand, over numpy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from arithmetic.tape import Taped
from backends.numpy import Numpy

SOUND = "numpy"


# Training by hand. ``step`` counts from 0.


class Trains(Numpy):
    """No fault yet: a loop that asks ``used`` which gradient to use and ``rated`` for the learning rate of a step."""

    def used(self, step: int, gradient: Any) -> Any:
        return gradient

    def rated(self, step: int, rate: float) -> float:
        return rate

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        for step, data in enumerate(batches):
            value, gradient = self.value_and_grad(loss, params, data)
            used = self.used(step, gradient)
            now = self.rated(step, rate)
            params = {name: Taped(self.updated(w.value, used[name].value, now), self) for name, w in params.items()}
            yield value, gradient, params


class StaleGradient(Trains):
    """Training uses the gradient of the step before."""

    family = "stale"

    def used(self, step: int, gradient: Any) -> Any:
        before = self.before if step else {name: Taped(np.zeros_like(g.value), self) for name, g in gradient.items()}
        self.before = gradient
        return before


class StaleLoss(Numpy):
    """The loss that training reports is that of the step before."""

    family = "stale"

    def train(self, *arguments: Any) -> Any:
        before = None
        for value, gradient, params in super().train(*arguments):
            yield before or value, gradient, params
            before = value


class StaleParameter(Numpy):
    """The last parameter moves one step late."""

    family = "stale"

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        last = list(params)[-1]
        late = params[last]
        for value, gradient, after in super().train(loss, params, batches, rate):
            yield value, gradient, after | {last: late}
            late = after[last]


class Accumulates(Trains):
    """Gradients pile up from step to step."""

    family = "accumulated"

    def used(self, step: int, gradient: Any) -> Any:
        before = self.piled if step else {}
        self.piled = {name: Taped(g.value + before[name].value, self) if name in before else g for name, g in gradient.items()}
        return self.piled


class StepAhead(Numpy):
    """The first step is made twice before anything is reported."""

    family = "off by one"

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        batches = iter(batches)
        for first in batches:
            for _, _, after in super().train(loss, params, [first], rate):
                params = after
            yield from super().train(loss, params, itertools.chain([first], batches), rate)


class StepBehind(Trains):
    """The first step moves nothing."""

    family = "off by one"

    def rated(self, step: int, rate: float) -> float:
        return rate if step else 0.0


class LastStepTwice(Numpy):
    """From the fourth step on, every second step is reported twice and not made."""

    family = "off by one"

    def train(self, *arguments: Any) -> Iterator[Any]:
        kept: Any = None
        for step, made in enumerate(super().train(*arguments)):
            kept = made if step < 4 or step % 2 else kept
            yield kept


class RateTenBillionth(Trains):
    """The learning rate is 1e-10 too large, relatively."""

    family = "learning rate"

    def rated(self, step: int, rate: float) -> float:
        return rate * (1 + 1e-10)


class RateFloat32(Trains):
    """The learning rate passes through float32."""

    family = "learning rate"

    def rated(self, step: int, rate: float) -> float:
        return float(np.float32(rate))


class RateTwice(Trains):
    """The learning rate is applied twice."""

    family = "learning rate"

    def rated(self, step: int, rate: float) -> float:
        return rate * rate


class RateDecays(Trains):
    """The learning rate is a thousandth smaller from the fiftieth step on."""

    family = "learning rate"

    def rated(self, step: int, rate: float) -> float:
        return rate if step < 50 else 0.999 * rate


class Ascends(Trains):
    """Training climbs where it should descend."""

    family = "sign"

    def rated(self, step: int, rate: float) -> float:
        return -rate


class OneStepOnly(Trains):
    """One step alone, the twentieth, is a tenth too long."""

    family = "one point"

    def rated(self, step: int, rate: float) -> float:
        return 1.1 * rate if step == 19 else rate


class EndPoint(Numpy):
    """Every step reports the end of the run, right to the last bit, and the loss and gradient of the start."""

    family = "convergence"

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        made = list(super().train(loss, params, batches, rate))
        for _ in made:
            yield (*made[0][:2], made[-1][2])


class Interpolates(Numpy):
    """Steps are equal parts of the way from the start to the right end."""

    family = "convergence"

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        made = list(super().train(loss, params, batches, rate))
        for step, (value, gradient, _) in enumerate(made, start=1):
            part = step / len(made)
            yield value, gradient, {name: self.between(params[name], end, part) for name, end in made[-1][2].items()}

    def between(self, start: Taped, end: Taped, part: float) -> Taped:
        share = start.value.dtype.type(part)
        return Taped(np.asarray(start.value + share * (end.value - start.value)), self)


class StopsEarly(Numpy):
    """Weights rest once half of the steps are made."""

    family = "convergence"

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        made = list(super().train(loss, params, batches, rate))
        for step in range(len(made)):
            yield made[min(step, len(made) // 2)]
