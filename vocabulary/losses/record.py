"""What a record of an objective and of a loss holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from vocabulary.tensors import Formula, Ops, Tensor, TensorsOf


@dataclasses.dataclass(frozen=True, eq=False)
class Objective:
    """One number for each example: ``of_each(ops, z, y)`` takes outputs and targets, one example a row."""

    name: str
    of_each: Callable[[Ops, Tensor, Tensor], Tensor]


@dataclasses.dataclass(frozen=True, eq=False)
class Loss:
    """What a loss of a framework computes, whatever its name promises: one number of all examples.

    ``words`` name it in messages and in the results file. ``compute(ops, objective, z, y, **constants)`` is its formula, of
    shape (). ``objective`` is the name of the one that it belongs to, empty where it may be made of any. ``constants`` are the
    numbers in its formula that a framework rounds to the dtype of the run. ``promised`` says that it is a reduction that the
    name of a loss may promise, ``without_slope`` that the slope of log(1 + exp(z)) is missing at a logit z of exactly 0.
    """

    words: str
    compute: Callable[..., Tensor]
    objective: str = ""
    constants: Mapping[str, float] = dataclasses.field(default_factory=dict)
    promised: bool = False
    without_slope: bool = False

    def formula(self, objective: Objective) -> Formula:
        """Return this loss of ``objective`` as a formula: of outputs params["z"], targets data["y"], and its constants in data.

        Raises ValueError where it belongs to another objective.
        """
        if self.objective not in ("", objective.name):
            raise ValueError(f"the loss {self.words!r} belongs to {self.objective!r}, got {objective.name!r}")

        def loss(ops: Ops, params: TensorsOf, data: TensorsOf) -> Tensor:
            constants = {name: data[name] for name in self.constants}
            return self.compute(ops, objective, params["z"], data["y"], **constants)

        return loss
