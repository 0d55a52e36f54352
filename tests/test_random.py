"""No false alarm: random variants of every family of cases, at every level, and the smallest that deviates."""

import dataclasses

import hypothesis
import pytest

from backends.base import AUTODIFF
from oracle.verdict import CONFORMS, DEVIATES, UNINFORMATIVE
from tests.subject import training
from tests.variants import variants, written

GRAVITY = (CONFORMS, UNINFORMATIVE, DEVIATES)


class Alarm(Exception):
    """A variant that deviates, undeclared."""

    def __init__(self, variant, judgements):
        super().__init__()
        self.variant, self.judgements = variant, judgements


@pytest.mark.random
@pytest.mark.quantity("random variants")
def test_random_variants(subject, case, level):
    """Loss, gradient and, where the case trains, two steps of any variant of the case are exact to rounding."""
    plan = subject.lab.plan
    tally = {}

    @hypothesis.seed(plan.seed)
    @hypothesis.settings(
        max_examples=plan.random,
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
        judgements = judged(subject, variant, level)
        for quantity, judgement in judgements.items():
            tally[quantity] = merged(tally[quantity], judgement) if quantity in tally else judgement
        if any(judgement.verdict == DEVIATES and not judgement.declared for judgement in judgements.values()):
            raise Alarm(variant, judgements)

    try:
        explore()
    except Alarm as alarm:
        file = written(alarm.variant, case.name)
        message = f"in the smallest variant that was found; save as shrunk.py and judge with --cases shrunk.py:\n{file}"
        tally |= {
            quantity: dataclasses.replace(judgement, message=f"{judgement.message}, {message}")
            for quantity, judgement in alarm.judgements.items()
            if judgement.verdict == DEVIATES
        }
    subject.conclude({f"{quantity} of random variants": judgement for quantity, judgement in tally.items()})


def judged(subject, variant, level):
    """Judge a variant: at the level of autodiff its loss and gradient at the start, and at every level its steps."""
    judgements = {}
    params, data = variant.at(subject.dtype)
    if level == AUTODIFF:
        results = subject.call("gradients", variant.loss, [params], data)
        columns = {"value": [results[0][0]]} | {f"gradient {name}": [g] for name, g in results[0][1].items()}
        judgements |= subject.oracle(variant.loss, data).judge([params], columns)
    if variant.steps:
        program = training(variant, subject.dtype, level)
        path = subject.call("path", program)
        layered = level != AUTODIFF and "modules" not in subject.describe()["lacks"]
        found = subject.judge_path(path, variant.network.loss if layered else variant.loss, program)
        judgements |= {f"{quantity} each step": judgement for quantity, judgement in found.items()}
    return {
        f"loss{quantity.removeprefix('value')}" if quantity.startswith("value") else quantity: judgement
        for quantity, judgement in judgements.items()
    }


def merged(one, other):
    """Return the graver of two judgements of a quantity, with what both have counted."""
    worse = max(one, other, key=lambda judgement: (GRAVITY.index(judgement.verdict), judgement.used or 0.0))
    if {one.verdict, other.verdict} == {CONFORMS, UNINFORMATIVE}:  # the variants that can be judged are what counts
        worse = one if one.verdict == CONFORMS else other
    counted = {name: getattr(one, name) + getattr(other, name) for name in ("entries", "blind", "rows", "uninformative")}
    return dataclasses.replace(worse, **counted, bits="", where="")
