"""No false alarm: random variants of every family of cases, at every level, and the smallest that deviates."""

import dataclasses
import shlex

import hypothesis
import numpy as np
import pytest

from backends.transport.process import BackendError
from oracle.comparison import Judgement
from runner.processes import training
from runner.variants import variants, written
from vocabulary.words import AUTODIFF, CONFORMS, DEVIATES, UNINFORMATIVE, UNSUPPORTED

GRAVITY = (CONFORMS, UNINFORMATIVE, DEVIATES)


class Alarm(Exception):
    """A variant that deviates, undeclared, or that the backend gives no answer to."""


@pytest.mark.family
@pytest.mark.random
@pytest.mark.quantity("random variants")
def test_random_variants(candidate, case, level):
    """Loss, gradient and, where the case trains, two steps of any variant of the case are exact to rounding."""
    if candidate.unsupported_level:
        candidate.path()  # which has to raise, and is recorded as unsupported
    if level == AUTODIFF and (reason := candidate.absent(case.loss, candidate.params, candidate.data)):
        candidate.conclude({candidate.quantity: Judgement(UNSUPPORTED, reason)})
        return
    tally = {}
    alarm = explored(candidate, case, level, tally)
    if alarm is not None:
        variant, judgements = alarm
        options = ["--backend", candidate.backend, "--dtype", candidate.dtype, "--case", "shrunk", "--cases", "shrunk.py"]
        file = written(variant, case.name, candidate.processes.plan.files.get(case.name, ""))
        message = f"in the smallest variant found; save as shrunk.py and judge with {shlex.join(options)}:\n{file}"
        worst, *others = (quantity for quantity, judgement in judgements.items() if is_alarm(judgement))
        judgements[worst] = dataclasses.replace(judgements[worst], message=f"{judgements[worst].message}, {message}")
        tally |= {quantity: judgements[quantity] for quantity in (worst, *others)}
    candidate.conclude({f"{quantity} of random variants": judgement for quantity, judgement in tally.items()})


def explored(candidate, case, level, tally):
    """Judge variants, add what is found to ``tally``, and return the smallest that alarms and its judgements, or None."""
    last = None

    @hypothesis.seed(candidate.processes.plan.seed)
    @hypothesis.settings(
        max_examples=candidate.processes.plan.random,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(variants(case))
    def explore(variant):
        nonlocal last
        judgements = judged(candidate, variant, level)
        for quantity, judgement in judgements.items():
            tally[quantity] = merged(tally[quantity], judgement) if quantity in tally else judgement
        if any(map(is_alarm, judgements.values())):
            last = variant, judgements
            raise Alarm

    try:
        explore()
    except (Alarm, hypothesis.errors.Flaky):  # an alarm that does not come back is one too
        return last
    return None


def is_alarm(judgement):
    return judgement.verdict not in (CONFORMS, UNINFORMATIVE) and not judgement.declared


def judged(candidate, variant, level):
    """Judge a variant: at the level of autodiff its loss and gradient at the start, and at every level its steps."""
    try:
        judgements = answered(candidate, variant, level)
    except BackendError as error:
        return {"answer": Judgement(error.verdict, str(error), cause=error.cause)}
    return {
        f"loss{quantity.removeprefix('value')}" if quantity.startswith("value") else quantity: judgement
        for quantity, judgement in judgements.items()
    }


def answered(candidate, variant, level):
    judgements = {}
    params, data = variant.at(candidate.dtype)
    # A process that has answered once and then dies, dies of the variant, and is started anew for the next.
    candidate.ask("follows", np.zeros(1))
    if level == AUTODIFF:
        [(value, gradient)] = candidate.ask("gradients", variant.loss, [params], data)
        columns = {"value": [value]} | {f"gradient {name}": [g] for name, g in gradient.items()}
        judgements |= candidate.oracle(variant.loss, data).judge([params], columns)
    if variant.steps:
        program = training(variant, candidate.dtype, level)
        path = candidate.ask("path", program)
        layered = level != AUTODIFF and "modules" not in candidate.unsupported_levels
        found = candidate.judge_path(path, variant.network.loss if layered else variant.loss, program)
        judgements |= {f"{quantity} each step": judgement for quantity, judgement in found.items()}
    return judgements


def merged(one, other):
    """Return the graver of two judgements of a quantity, with what both have counted."""
    if not {one.verdict, other.verdict} <= set(GRAVITY):  # no answer, which has counted nothing
        return other
    worse = max(one, other, key=lambda judgement: (GRAVITY.index(judgement.verdict), judgement.share or 0.0))
    if {one.verdict, other.verdict} == {CONFORMS, UNINFORMATIVE}:  # the variants that can be judged are what counts
        worse = one if one.verdict == CONFORMS else other
    counts = ("entries", "too_wide", "points", "points_without_verdict")
    counted = {name: getattr(one, name) + getattr(other, name) for name in counts}
    return dataclasses.replace(worse, **counted, bits="", where="")
