"""The exact training run: the path that no rounding disturbs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from arithmetic.balls import Balls
from arithmetic.tape import Taped
from backends.training import Training
from oracle.rules import Stepping


@dataclasses.dataclass(frozen=True)
class ExactRun:
    """The exact losses and the parameters after them of the kept steps of a run, as float64. Shapes: (n,) and (n, ...)."""

    losses: np.ndarray
    after: dict[str, np.ndarray]


def exact_run(trainings: Sequence[Training], conventions: Mapping[str, str] | None = None) -> list[ExactRun]:
    """Return the exact runs of trainings that differ in their starts and data alone.

    Midpoints go on from step to step: balls would grow with every step, whether or not errors do.
    """
    exact, first = Balls(), trainings[0]
    wanted = set(first.keep.tolist())
    params = {name: exact.points(np.stack([run.params[name] for run in trainings])) for name in first.params}
    data: dict[str, Taped] = {}
    points, losses = [], []
    with exact.precision():
        step_rule = Stepping(exact, first.optimizer, conventions or {})
        for step in range(first.steps):
            if first.batches is not None or not data:
                seen = [run.seen(step) for run in trainings]
                data = {name: exact.points(np.stack([one[name] for one in seen])) for name in seen[0]}
            value, gradient = exact.value_and_grad(first.loss, params, data)
            # To a rule all runs together are one step: along the first axis it would take them for steps of one run.
            together = ({name: tensor.value[None] for name, tensor in tensors.items()} for tensors in (params, gradient))
            after = step_rule.updated(*together)
            params = {name: Taped(exact.midpoints(w[0]), exact) for name, w in after.items()}
            if step in wanted:
                points.append(params)
                losses.append(_floats(value.value))
    return [
        ExactRun(
            np.stack(losses)[:, k],
            {name: np.stack([_floats(point[name].value[k]) for point in points]) for name in first.params},
        )
        for k in range(len(trainings))
    ]


def _floats(balls: np.ndarray) -> np.ndarray:
    return np.asarray(balls, dtype=object).astype(float)
