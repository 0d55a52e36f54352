"""The framework's own losses and models by themselves: what a training run uses, at points that no run comes to."""

import dataclasses
import itertools

import numpy as np
import pytest

from cases import nand, thermometer
from oracle.form import form
from oracle.verdict import Judgement
from runner import losses
from runner.judging import clause, judge_setting
from runner.processes import training
from vocabulary.losses import OBJECTIVES, REDUCTIONS
from vocabulary.words import AT_ZERO, DEVIATES, LEVELS

# Steps of the runs that are made twice.
REPEATED = 10


@pytest.mark.quantity("losses of training runs")
def test_objective(subject):
    """Each loss of training runs, under each reduction, and its slope: at outputs of all sizes, at 0 and far out."""
    judgements = {}
    for name in OBJECTIVES if "modules" not in subject.unsupported_levels else ():
        for reduction in REDUCTIONS:
            judgements |= judge_objective(subject, name, reduction)
    subject.conclude(judgements)


def judge_objective(subject, name, reduction):
    """Judge a loss of training runs. What is declared of the same loss as a setting, at 0, is declared of it."""
    params, data = losses.sweep(name, subject.dtype, subject.lab.plan.seed)
    settings = [setting for setting, *meaning in subject.describe()["native_losses"] if meaning == [name, reduction]]
    at_zero = AT_ZERO.format(settings[0]) if settings else ""
    words = f"{reduction} of {name} in training"
    judgements = {}
    for where, z in (("", params["z"]), (" at 0", np.zeros_like(params["z"])), (" far out", losses.far_out(params["z"]))):
        got = subject.call("objective", name, reduction, z, data["y"])
        judgements |= judge_setting(subject, subject.deviations, at_zero, words + where, name, reduction, {"z": z}, data, got)
    return judgements


@pytest.mark.family
@pytest.mark.quantity("model")
@pytest.mark.only(cases=lambda case: case.network and case.predict)
def test_model(subject, case, level):
    """What the model of a case gives out at its start, and its loss, both forward only, are exact to rounding."""
    if subject.unsupported_level:
        subject.path()  # which has to raise, and is recorded as unsupported
    [loss], [scores] = subject.call("evaluate", subject.training, case.predict, [subject.params], subject.data)
    judgements = {}
    if subject.formula != case.loss and (inputs := subject.data[case.network.inputs]).ndim == 1:
        if wrong := form([scores], (len(inputs), 1), subject.dtype)[0]:
            subject.conclude({"model": Judgement(DEVIATES, wrong)})
            return
        scores = scores[:, 0]  # one number an example, where layers have a column of them
    for name, formula, value in (("loss of the model", subject.formula, loss), ("model", subject.scores, scores)):
        judgements[name] = subject.oracle(formula, subject.data).judge([subject.params], {"value": [value]})["value"]
    subject.conclude(judgements)


@pytest.mark.quantity("training repeats itself")
def test_training_repeats_itself(subject):
    """At every level, a second run from the same start in the same process makes the same steps, bit for bit."""
    judgements = {}
    for level, case in itertools.product(LEVELS, (thermometer.SCALED_GENERIC, nand.ADAM)):
        if level not in subject.unsupported_levels and not case.levels[level]:
            program = dataclasses.replace(training(case, subject.dtype, level), steps=REPEATED, keep=np.arange(REPEATED))
            runs = [arrays_of(subject.call("path", program)) for _ in range(2)]
            changed = [name for name, array in runs[0].items() if array.tobytes() != runs[1][name].tobytes()]
            message = (
                f"{changed} differ in bits between two runs from the same start, within the first {REPEATED} steps; look for "
                "state that a run leaves to the next (moments, caches), random numbers, or sums whose order depends on threads"
            )
            judgements[f"training repeats itself: {level}, {case.optimizer}"] = clause(not changed, message, runs[0].values())
    subject.conclude(judgements)


def arrays_of(path):
    return {
        "loss": path.losses,
        **{f"gradient {name}": array for name, array in path.gradients.items()},
        **{f"updated {name}": array for name, array in path.after.items()},
    }
