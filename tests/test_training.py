"""Training runs: every step on its own, where the whole run ends, and what the sources print."""

import dataclasses

import numpy as np
import pytest

from oracle.trace import PROBE, Probed, ValueOf
from oracle.verdict import CONFORMS, DEVIATES, Comparison, Judgement
from tests.figures import printed
from tests.plan import reference_goal


def trains(case):
    return case.steps > 0


@pytest.mark.quantity("each step")
@pytest.mark.only(cases=trains)
def test_every_step(subject, case):
    """From the backend's own parameters before each step: loss, gradient and updated parameters are exact to rounding."""
    path = subject.path()
    points = [{name: array[step] for name, array in path.params.items()} for step in range(case.steps)]
    results = {"value": path.losses}
    results |= {f"gradient {name}": array for name, array in path.gradients.items()}
    results |= {f"updated {name}": array[1:] for name, array in path.params.items()}
    judgements = subject.oracle(case.loss, subject.data, case.rate).judge(points, results, row="step")
    steps = {f"{'loss' if name == 'value' else name} each step": judgement for name, judgement in judgements.items()}
    subject.conclude(steps, points)


@pytest.mark.quantity("goal")
@pytest.mark.only(cases=trains)
def test_goal(subject, case):
    """The run ends where the exact run ends: at the goal, or, for a start known not to get there, not."""
    path, exact = subject.path(), subject.lab.exact_path(case, subject.dtype)
    reached = reference_goal(case, {name: array[-1] for name, array in path.params.items()}, subject.dtype)
    expected = reference_goal(case, {name: array[-1] for name, array in exact.items()}, subject.dtype)
    agrees = reached == expected == case.reaches_goal
    message = f"reaches the goal: {reached}; the exact run does: {expected}; the case says: {case.reaches_goal}"
    judgement = Judgement(CONFORMS) if agrees else Judgement(DEVIATES, message)
    subject.conclude({"goal": judgement}, drift=drift(path.params, exact))


def drift(params, exact):
    """Decimal digits on which all parameters agree with the exact path, relative to the largest of them."""
    joined, truth = (
        np.concatenate([array.reshape(len(array), -1).astype(float) for array in (arrays[name] for name in params)], axis=1)
        for arrays in (params, exact)
    )
    steps = np.isfinite(joined).all(axis=1) & np.isfinite(truth).all(axis=1)
    distance = np.abs(joined - truth)[steps].max(axis=1)
    with np.errstate(all="ignore"):
        digits = np.where(distance == 0, np.inf, -np.log10(distance / np.abs(truth)[steps].max(axis=1)))
    worst = int(np.argmin(digits))
    return {"end": float(digits[-1]).hex(), "worst": float(digits[worst]).hex(), "worst_step": worst}


@pytest.mark.quantity("printed figures")
@pytest.mark.only(cases=lambda case: case.figures)
def test_printed_figures(subject, case):
    """Every printed digit that the dtype holds comes out."""
    judgements = {}
    for figure in case.figures:
        if subject.dtype in figure.runs:
            comparison = Comparison(figure.quantity, subject.dtype, np.shape(figure.text.split()))
            got = printed_quantity(subject, case, figure.quantity)
            digits = min(np.finfo(dtype).precision for dtype in (subject.dtype, figure.printed_by))
            comparison.add(0, got.ravel().tolist(), *printed(figure.text, digits))
            judgement = comparison.judge()
            # A print is not the truth: no error in ulp is to be had from it.
            judgements[f"printed {figure.quantity}"] = dataclasses.replace(judgement, error_ulp=None, used=None, rows=0)
    subject.conclude(judgements)


def printed_quantity(subject, case, quantity):
    kind, _, name = quantity.partition(" ")
    if kind == "final":
        last = {name: array[-1] for name, array in subject.path().params.items()}
        return last[name] if name != "loss" else subject.call("apply", case.loss, last, subject.data)
    if kind == "prediction":
        return subject.call("apply", case.predict, subject.params, subject.data)
    if kind == "node":
        return subject.call("apply", ValueOf(case.loss, int(name) - 1), subject.params, subject.data)
    if kind == "adjoint":
        _, gradient = subject.call("gradients", Probed(case.loss), [subject.with_probes(case.loss)], subject.data)[0]
        return gradient[f"{PROBE}{name}"]
    value, gradient = subject.call("gradients", case.loss, [subject.params], subject.data)[0]
    return value if kind == "loss" else gradient[name]
