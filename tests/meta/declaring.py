"""Adapters that declare what is no longer so, or more than is so, one declaration each."""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar

import numpy as np

from arithmetic.tape import Taped
from backends.base import Deviation
from backends.numpy import Numpy
from tests.meta.fleet.layers import NoSlopeAtZero, OptimizerFloat32, no_slope_at_zero
from tests.meta.layered import Layered
from vocabulary import losses
from vocabulary.words import AT_ZERO, HYPERPARAMETERS, OPTIMIZER_DTYPE, SCALARS_KEEP_DTYPE

NONE = {"reason": "none", "size": "none", "link": "none"}


class Operation(Layered):
    deviations = (Deviation("tanh", ("float32", "float64"), **NONE, absolute=2),)


class OtherDtype(Layered):
    deviations = (Deviation("tanh", ("float16",), **NONE, absolute=2),)


class WidensOperation(Layered):
    deviations = (Deviation("@", ("float64",), **NONE, widens=True),)


class Scalars(Layered):
    deviations = (Deviation(SCALARS_KEEP_DTYPE, ("float64",), **NONE, widens=True),)


class WidensOptimizer(Layered):
    deviations = (Deviation(OPTIMIZER_DTYPE, ("float64",), **NONE, widens=True),)


class BesideAnother(OptimizerFloat32):
    """The learning rate passes through float32; epsilon does not."""

    deviations = (
        Deviation(HYPERPARAMETERS, ("float64",), **NONE, passes_through="float32", values=("rate",), rules=("sgd", "adam")),
        Deviation(OPTIMIZER_DTYPE, ("float64",), **NONE, passes_through="float32", values=("epsilon",), rules=("adam",)),
    )


class TwoRules(OptimizerFloat32):
    """The learning rate of SGD passes through float32, that of Adam does not."""

    deviations = (
        Deviation(HYPERPARAMETERS, ("float64",), **NONE, passes_through="float32", values=("rate",), rules=("sgd", "adam")),
    )

    def fit(self, training: Any) -> Any:
        return super().fit(training) if training.optimizer.name == "sgd" else Layered.fit(self, training)


class Objective(Layered):
    deviations = (Deviation("softmax cross-entropy", ("float64",), **NONE, absolute=50),)


class Instead(Layered):
    deviations = (Deviation("sum of binary cross-entropy", ("float64",), **NONE, computes=losses.MEAN),)


class Twice(Layered):
    """Has a coarse sigmoid, and declares it twice."""

    deviations = (
        Deviation("sigmoid", ("float64",), **NONE, absolute=60),
        Deviation("sigmoid", ("float64",), **NONE, absolute=60.5),
    )

    def function(self, name: str, x: np.ndarray) -> np.ndarray:
        y = super().function(name, x)
        return y + y.dtype.type(5e-15) if name == "sigmoid" and y.dtype == "float64" else y


class Works(Layered):
    unsupported: ClassVar = {("float64", "log"): "not at all"}


class WorksElsewhere(Layered):
    unsupported: ClassVar = {("float16", "exp"): "not at all"}


class HasLevels(Layered):
    unsupported_levels: ClassVar = {"modules": "not at all"}


class HasOptimizers(Layered):
    unsupported_levels: ClassVar = {"optimizer": "not at all"}


class Unknown(Numpy):
    """Declares a deviation of something that does not exist."""

    deviations = (Deviation("tangent", ("float64",), **NONE, absolute=2),)


class OtherKinds(Numpy):
    """Declares values that no results file can hold, or that the report refuses."""

    slope_at_kink = np.float32(0)
    unsupported_levels: ClassVar = dict.fromkeys(Numpy.unsupported_levels)


class MovesTheCursor(Numpy):
    """Declares what a terminal would obey."""

    name = "\x1b[2Jnumpy"


class Unreadable(Numpy):
    """Cannot say which version it is."""

    @property
    def version(self) -> str:
        raise LookupError("no version")


class Counted(Numpy):
    """Writes down that it was made."""

    def __init__(self) -> None:
        with open(os.environ["COUNTED"], "a") as file:
            file.write("made\n")


class Speechless(Numpy):
    """Cannot say its version in time."""

    @property
    def version(self) -> str:
        time.sleep(10_000)
        raise AssertionError


class StaleOptimizer(Layered):
    deviations = (Deviation(HYPERPARAMETERS, ("float64",), **NONE, passes_through="float32", values=("rate",), rules=("sgd",)),)


class LooseOptimizer(OptimizerFloat32):
    """Float32 would do."""

    deviations = (
        Deviation(HYPERPARAMETERS, ("float64",), **NONE, passes_through="float16", values=("rate",), rules=("sgd", "adam")),
    )


class FalselyLacking(Layered):
    unsupported_levels: ClassVar = {"class": "no such thing"}


class StatesNoSlope(NoSlopeAtZero):
    """States what it does at a logit of 0."""

    deviations = tuple(
        Deviation(AT_ZERO.format(f"{to} of binary cross-entropy"), ("float64",), **NONE, computes=loss)
        for to, loss in (("sum", losses.SUM_WITHOUT_SLOPE_AT_0), ("mean", losses.MEAN_WITHOUT_SLOPE_AT_0))
    )


def flipped_slope(ops: Any, g: Taped, z: Taped, y: Taped, loss: Taped) -> Taped:
    """The slope -y at a logit of 0, and elsewhere one of the wrong sign."""
    slope = no_slope_at_zero(ops, g, z, y, loss).value
    return Taped(np.where(z.value == 0, slope, -slope), ops)


class StatesNoSlopeAndFlips(StatesNoSlope):
    """Has another fault beside what it states: the slope has the wrong sign where the logit is not 0."""

    adjoint_rules: ClassVar = {"binary_cross_entropy": (flipped_slope, None)}


class InOneWorker(Numpy):
    """Declares to one worker of pytest-xdist what it does not declare to the other."""

    slope_at_kink: ClassVar = 0.25 if os.environ.get("PYTEST_XDIST_WORKER") == "gw0" else 0.0
