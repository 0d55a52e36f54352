"""Adapters with a fault that no node of the graph has, or that cannot be traced to one."""

from __future__ import annotations

from typing import Any

import numpy as np

from arithmetic.tape import Taped
from backends.training import Training
from oracle.trace import PROBE
from tests.meta.fleet.gradients import Changed
from tests.meta.layered import Layered


class ParametersOff(Changed):
    """The gradients of parameters are 0.5 % too large; those of probes are ``probed``."""

    def probed(self, g: np.ndarray) -> Any:
        return g

    def changed(self, name: str, g: np.ndarray) -> Any:
        return self.probed(g) if name.startswith(PROBE) else g * g.dtype.type(1.005)


class ZeroForProbes(ParametersOff):
    def probed(self, g: np.ndarray) -> Any:
        return np.zeros_like(g)


class OneForProbes(ParametersOff):
    def probed(self, g: np.ndarray) -> Any:
        return np.ones_like(g)


class LeavesProbesOut(ParametersOff):
    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        value, gradient = super().value_and_grad(loss, params, data)
        return value, {name: g for name, g in gradient.items() if not name.startswith(PROBE)}


class Reports(Layered):
    """From the third step on, the loss and gradient that training reports are so many times themselves."""

    factors = 1.0, 1.0

    def train(self, *arguments: Any) -> Any:
        for step, (value, gradient, params) in enumerate(super().train(*arguments)):
            changed = {name: self.times(g, self.factors[1], step) for name, g in gradient.items()}
            yield self.times(value, self.factors[0], step), changed, params

    def fit(self, training: Training) -> Any:
        for step, (value, gradient, params) in enumerate(super().fit(training)):
            changed = [self.times(g, self.factors[1], step) for g in gradient]
            yield self.times(value, self.factors[0], step), changed, params

    def times(self, x: Taped, factor: float, step: int) -> Taped:
        return Taped(np.asarray(x.value * x.value.dtype.type(factor if step > 1 else 1)), self)


class ReportsLoss(Reports):
    factors = 1.01, 1.0


class ReportsGradient(Reports):
    factors = 1.0, 1.01


class ReportsBoth(Reports):
    factors = 1.01, 1.01
