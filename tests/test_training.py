"""Training runs: every step on its own, where the whole run ends, and what the sources print."""

import dataclasses

import numpy as np
import pytest

from oracle.form import form
from oracle.trace import PROBE, Probed, ValueOf
from oracle.verdict import Comparison, Judgement
from runner.figures import printed, shape
from runner.plan import reference_goal
from vocabulary.words import AUTODIFF, CONFORMS, DEVIATES

# Printed quantities that a training run shows, at whatever level.
STEPPED = ("loss", "gradient", "final")


def trains(case):
    return case.steps > 0


@pytest.mark.quantity("each step")
@pytest.mark.only(cases=trains)
def test_every_step(subject, case, level):
    """From the backend's own parameters before each step: loss, gradient and updated parameters are exact to rounding."""
    path = subject.path()
    judgements = subject.judge_path(path, subject.formula, subject.training)
    steps = {f"{'loss' if name == 'value' else name} each step": judgement for name, judgement in judgements.items()}
    subject.conclude(steps, path=path)


@pytest.mark.quantity("goal")
@pytest.mark.only(cases=trains)
def test_goal(subject, case, level):
    """The run ends where the exact run ends: at the goal, or, for a start known not to get there, not."""
    path = subject.path()
    exact = subject.lab.exact_path(case, subject.dtype, subject.conventions)
    reached = reference_goal(case, {name: array[-1] for name, array in path.after.items()}, subject.dtype)
    expected = reference_goal(case, {name: array[-1] for name, array in exact.items()}, subject.dtype)
    agrees = reached == expected == case.reaches_goal
    message = f"reaches the goal: {reached}; the exact run does: {expected}; the case says: {case.reaches_goal}"
    judgement = Judgement(CONFORMS) if agrees else Judgement(DEVIATES, message)
    subject.conclude({"goal": judgement}, drift=drift(path.after, exact, path.steps))


def drift(params, exact, numbers):
    """Decimal digits on which all parameters after steps ``numbers`` agree with the exact path, relative to the largest."""
    joined, truth = (
        np.concatenate([array.reshape(len(array), -1).astype(float) for array in (arrays[name] for name in params)], axis=1)
        for arrays in (params, exact)
    )
    steps = np.isfinite(joined).all(axis=1) & np.isfinite(truth).all(axis=1)
    if not steps.any():
        return {"end": "nan", "worst": "nan", "worst_step": 0}
    distance = np.abs(joined - truth)[steps].max(axis=1)
    with np.errstate(all="ignore"):
        digits = np.where(distance == 0, np.inf, -np.log10(distance / np.abs(truth)[steps].max(axis=1)))
    worst = int(np.argmin(digits))
    return {"end": float(digits[-1]).hex(), "worst": float(digits[worst]).hex(), "worst_step": int(numbers[steps][worst])}


@pytest.mark.quantity("printed figures")
@pytest.mark.only(cases=lambda case: case.figures)
def test_printed_figures(subject, case, level):
    """Every printed digit that the dtype holds comes out."""
    judgements = {}
    for figure in case.figures:
        if subject.dtype in figure.runs and (level == AUTODIFF or figure.quantity.startswith(STEPPED)):
            got = printed_quantity(subject, case, figure.quantity)
            judgements[f"printed {figure.quantity}"] = judge_figure(subject, case, figure, got)
    subject.conclude(judgements)


def judge_figure(subject, case, figure, got):
    """Judge what was printed; a print is not the truth: no error in ulp is to be had from it."""
    expected = shape(case, figure.quantity, subject.params, subject.data)
    if wrong := form([got], expected, subject.dtype)[0]:
        return Judgement(DEVIATES, wrong)
    comparison = Comparison(figure.quantity, subject.dtype, expected)
    digits = min(np.finfo(dtype).precision for dtype in (subject.dtype, figure.printed_by))
    comparison.add(0, got.ravel().tolist(), *printed(figure.text, digits))
    judgement = comparison.judge()
    message = judgement.message
    if judgement.verdict == DEVIATES:
        got, truth, bound = (float(column[judgement.entry]) for column in (judgement.got, judgement.truth, judgement.bound))
        message = (
            f"{judgement.where}: got {got!r}, expected {figure.text.split()[judgement.entry]} as the source prints it, off by "
            f"{abs(got - truth):.3g}, allowed {bound:.3g} (half a unit in the last printed digit that {subject.dtype} can show)"
        )
    return dataclasses.replace(judgement, message=message, error_ulp=None, share=None, points=0)


def printed_quantity(subject, case, quantity):
    kind, _, name = quantity.partition(" ")
    if kind == "final":
        last = {name: array[-1] for name, array in subject.path().after.items()}
        return last[name] if name != "loss" else subject.call("apply", case.loss, last, subject.data)
    if subject.level != AUTODIFF:
        path = subject.path()
        return path.losses[0] if kind == "loss" else path.gradients[name][0]
    if kind == "prediction":
        return subject.call("apply", case.predict, subject.params, subject.data)
    if kind == "node":
        return subject.call("apply", ValueOf(case.loss, int(name) - 1), subject.params, subject.data)
    if kind == "adjoint":
        _, gradient = subject.call(
            "gradients", Probed(case.loss), [subject.with_probes(case.loss, subject.params, subject.data)], subject.data
        )[0]
        return gradient[f"{PROBE}{name}"]
    value, gradient = subject.call("gradients", case.loss, [subject.params], subject.data)[0]
    return value if kind == "loss" else gradient[name]
