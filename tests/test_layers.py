"""The framework's own losses and models by themselves: what a training run uses, at points that no run comes to."""

import dataclasses
import itertools

import numpy as np
import pytest

from cases import nand, thermometer
from oracle.comparison import Judgement
from oracle.layout import wrong_layout
from runner import losses
from runner.judging import clause, judge_native_loss
from runner.processes import training
from vocabulary.losses import OBJECTIVES, REDUCTIONS
from vocabulary.words import AT_ZERO, DEVIATES, LEVELS

# Steps of the runs that are made twice.
REPEATED = 10


@pytest.mark.quantity("losses of training runs")
def test_objective(candidate):
    """Each loss of training runs, under each reduction, and its slope: at outputs of all sizes, at 0 and far out."""
    judgements = {}
    for name in OBJECTIVES if "modules" not in candidate.unsupported_levels else ():
        for reduction in REDUCTIONS:
            judgements |= judge_objective(candidate, name, reduction)
    candidate.conclude(judgements)


def judge_objective(candidate, name, reduction):
    """Judge a loss of training runs. What is declared of the same native loss, at 0, is declared of it."""
    params, data = losses.sweep(name, candidate.dtype, candidate.processes.plan.seed)
    native = [each for each, *meaning in candidate.describe()["native_losses"] if meaning == [name, reduction]]
    at_zero = AT_ZERO.format(native[0]) if native else ""
    words = f"{reduction} of {name} in training"
    judgements = {}
    for where, z in (("", params["z"]), (" at 0", np.zeros_like(params["z"])), (" far out", losses.far_out(params["z"]))):
        got = candidate.call("objective", name, reduction, z, data["y"])
        judgements |= judge_native_loss(
            candidate, candidate.deviations, at_zero, words + where, name, reduction, {"z": z}, data, got
        )
    return judgements


@pytest.mark.family
@pytest.mark.quantity("model")
@pytest.mark.only(cases=lambda case: case.network and case.predict)
def test_model(candidate, case, level):
    """What the model of a case gives out at its start, and its loss, both forward only, are exact to rounding."""
    if candidate.unsupported_level:
        candidate.path()  # which has to raise, and is recorded as unsupported
    [loss], [scores] = candidate.call("evaluate", candidate.training, case.predict, [candidate.params], candidate.data)
    judgements = {}
    if candidate.formula != case.loss and (inputs := candidate.data[case.network.inputs]).ndim == 1:
        if wrong := wrong_layout([scores], (len(inputs), 1), candidate.dtype)[0]:
            candidate.conclude({"model": Judgement(DEVIATES, wrong)})
            return
        scores = scores[:, 0]  # one number an example, where layers have a column of them
    for name, formula, value in (("loss of the model", candidate.formula, loss), ("model", candidate.scores, scores)):
        judgements[name] = candidate.oracle(formula, candidate.data).judge([candidate.params], {"value": [value]})["value"]
    candidate.conclude(judgements)


@pytest.mark.quantity("training repeats itself")
def test_training_repeats_itself(candidate):
    """At every level, a second run from the same start in the same process makes the same steps, bit for bit."""
    judgements = {}
    for level, case in itertools.product(LEVELS, (thermometer.SCALED_GENERIC, nand.ADAM)):
        if level not in candidate.unsupported_levels and not case.levels[level]:
            program = dataclasses.replace(training(case, candidate.dtype, level), steps=REPEATED, keep=np.arange(REPEATED))
            runs = [arrays_of(candidate.call("path", program)) for _ in range(2)]
            changed = [name for name, array in runs[0].items() if array.tobytes() != runs[1][name].tobytes()]
            message = (
                f"{changed} differ in bits between two runs from the same start, within the first {REPEATED} steps; look for "
                "state that a run leaves to the next (moments, caches), random numbers, or sums whose order depends on threads"
            )
            judgements[f"training repeats itself: {level}, {case.optimizer}"] = clause(not changed, message, runs[0].values())
    candidate.conclude(judgements)


def arrays_of(path):
    return {
        "loss": path.losses,
        **{f"gradient {name}": array for name, array in path.gradients.items()},
        **{f"updated {name}": array for name, array in path.after.items()},
    }
