"""Training runs: every step on its own, where the whole run ends, and what the sources print."""

import dataclasses

import numpy as np
import pytest

from oracle.comparison import Comparison, Judgement
from oracle.expected import beside
from oracle.layout import wrong_layout
from oracle.trace import PROBE, Probed, ValueOf
from runner import shown
from runner.figures import printed, shape
from runner.locating import with_probes
from runner.validation import reference_goal
from vocabulary.words import AUTODIFF, CONFORMS, DEVIATES

# Printed quantities that a training run shows, at whatever level.
STEPPED = ("loss", "gradient", "final")


def trains(case):
    return case.steps > 0


@pytest.mark.quantity("each step")
@pytest.mark.only(cases=trains)
def test_every_step(candidate, case, level):
    """From the backend's own parameters before each step: loss, gradient and updated parameters are exact to rounding."""
    path = candidate.path()
    judgements = candidate.judge_path(path, candidate.formula, candidate.training)
    steps = {f"{'loss' if name == 'value' else name} each step": judgement for name, judgement in judgements.items()}
    candidate.conclude(steps, path=path)


@pytest.mark.quantity("goal")
@pytest.mark.whole
@pytest.mark.only(cases=trains)
def test_goal(candidate, case, level):
    """The run ends where the exact run ends: at the goal, or, for a start known not to get there, not."""
    path = candidate.path()
    exact = candidate.processes.exact_path(case, candidate.dtype, candidate.conventions)
    reached = reference_goal(case, {name: array[-1] for name, array in path.after.items()}, candidate.dtype)
    expected = reference_goal(case, {name: array[-1] for name, array in exact.after.items()}, candidate.dtype)
    agrees = reached == expected == case.reaches_goal
    message = f"reaches the goal: {reached}; the exact run does: {expected}; the case says: {case.reaches_goal}"
    if expected != case.reaches_goal:
        message += "; so the case is wrong, whatever the backend does: change its goal, its steps or its reaches_goal"
    judgement = Judgement(CONFORMS) if agrees else Judgement(DEVIATES, message)
    digits = shown.digits_of(path.after, exact.after)
    candidate.publish_shared(shown.exact_run(case, candidate.dtype, candidate.convention, exact, path.steps))
    candidate.publish("run", **shown.run(path, digits, candidate.convention))
    candidate.conclude({"goal": judgement}, drift=shown.drift(digits, path.steps))


@pytest.mark.quantity("predictions in the plane")
@pytest.mark.whole
@pytest.mark.first
@pytest.mark.only(cases=lambda case: trains(case) and case.is_in_the_plane)
def test_plane(candidate, case, level):
    """At the end of its run, a backend predicts points all over the plane to rounding."""
    path = candidate.path()
    _, data = shown.grid(case, candidate.dtype)
    last = {name: array[-1] for name, array in path.after.items()}
    _, [scores] = candidate.call("evaluate", candidate.training, case.predict, [last], data)
    exact = candidate.processes.exact_path(case, candidate.dtype, candidate.conventions)
    record, p = shown.exact_plane(case, candidate.dtype, candidate.convention, exact)
    candidate.publish_shared(record)
    off = shown.off(scores, p, are_logits=candidate.scores != case.predict)
    candidate.publish("plane", convention=candidate.convention, off=off)
    judged = candidate.oracle(candidate.scores, data).judge([last], {"value": [scores]})
    candidate.conclude({"predictions in the plane": judged["value"]})


@pytest.mark.quantity("printed figures")
@pytest.mark.only(cases=lambda case: case.figures)
def test_printed_figures(candidate, case, level):
    """Every printed digit that the dtype holds comes out."""
    judgements = {}
    for figure in case.figures:
        is_shown = level == AUTODIFF or figure.quantity.startswith(STEPPED)
        is_made = candidate.is_whole or not figure.quantity.startswith("final")
        if candidate.dtype in figure.runs and is_shown and is_made:
            got = printed_quantity(candidate, case, figure.quantity)
            judgements[f"printed {figure.quantity}"] = judge_figure(candidate, case, figure, got)
    candidate.conclude(judgements)


def judge_figure(candidate, case, figure, got):
    """Judge what was printed; a print is not the truth: no error in ulp is to be had from it."""
    expected = shape(case, figure.quantity, candidate.params, candidate.data)
    if wrong := wrong_layout([got], expected, candidate.dtype)[0]:
        return Judgement(DEVIATES, wrong)
    comparison = Comparison(figure.quantity, candidate.dtype, expected)
    digits = min(np.finfo(dtype).precision for dtype in (candidate.dtype, figure.printed_by))
    comparison.add([0], got.reshape(1, -1), beside(*(np.array([balls], object) for balls in printed(figure.text, digits))))
    judgement = comparison.judge()
    message = judgement.message
    if judgement.verdict == DEVIATES:
        got, truth, bound = (float(column[judgement.entry]) for column in (judgement.got, judgement.truth, judgement.bound))
        message = (
            f"{judgement.where}: got {got!r}, expected {figure.text.split()[judgement.entry]} as the source prints it, off by "
            f"{abs(got - truth):.3g}, allowed {bound:.3g} (half a unit in the last printed digit "
            f"that {candidate.dtype} can show)"
        )
    return dataclasses.replace(judgement, message=message, error_ulp=None, share=None, points=0)


def printed_quantity(candidate, case, quantity):
    kind, _, name = quantity.partition(" ")
    if kind == "final":
        last = {name: array[-1] for name, array in candidate.path().after.items()}
        return last[name] if name != "loss" else candidate.call("apply", case.loss, last, candidate.data)
    if candidate.level != AUTODIFF:
        path = candidate.path()
        return path.losses[0] if kind == "loss" else path.gradients[name][0]
    if kind == "prediction":
        return candidate.call("apply", case.predict, candidate.params, candidate.data)
    if kind == "node":
        return candidate.call("apply", ValueOf(case.loss, int(name) - 1), candidate.params, candidate.data)
    if kind == "adjoint":
        _, gradient = candidate.call(
            "gradients",
            Probed(case.loss),
            [with_probes(candidate.dtype, case.loss, candidate.params, candidate.data)],
            candidate.data,
        )[0]
        return gradient[f"{PROBE}{name}"]
    value, gradient = candidate.call("gradients", case.loss, [candidate.params], candidate.data)[0]
    return value if kind == "loss" else gradient[name]
