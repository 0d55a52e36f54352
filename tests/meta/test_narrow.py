"""Where an optimiser passes values through a narrower dtype, the declaration explains that and nothing else."""

import numpy as np
import pytest

from backends.base import Deviation
from oracle.judge import Oracle, Steps
from tests.meta.test_training import CONVENTIONS, adam_run, half_square, judged, linear
from vocabulary.rules import Optimizer, builtin, values
from vocabulary.words import CONFORMS, DEVIATES, HYPERPARAMETERS, UNINFORMATIVE


def narrowed(*parts, rules=("adam",)):
    """Return the declaration that parts of an optimiser pass through float32."""
    return Deviation(
        HYPERPARAMETERS, ("float64",), "reason", "size", "link", passes_through="float32", values=parts, rules=rules
    )


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("part", [*builtin()["adam"].hyperparameters, *builtin()["adam"].values])
def test_a_narrow_part_of_a_rule_is_explained_by_its_declaration(part, convention):
    """It is found without, and where the declaration is about another part or rule, or no optimiser of the framework ran."""
    slopes = np.array([1.3e-6, 0.7])  # the first so small that epsilon counts
    run = adam_run("float64", convention, slopes, [0.31, -1.7], 6, lerp=False, narrow=(part,))

    def declared(*deviations, native=True):
        judgement = judged("float64", convention, slopes, run, half_square, deviations, native=native)
        assert judgement.verdict == DEVIATES
        return judgement.declared

    assert declared(narrowed(part)) == HYPERPARAMETERS
    assert declared() is None
    assert declared(narrowed(part), native=False) is None
    assert declared(narrowed(part, rules=("sgd",))) is None
    assert declared(narrowed()) is None
    if part != "epsilon":
        assert declared(narrowed("epsilon")) is None


def test_a_declaration_is_judged_with_what_a_rule_remembers():
    """Where the last step alone is narrow, the wider bound of that step still knows the steps before it."""
    slopes = np.array([1.3, 0.7])
    points, gradients, after = adam_run("float64", "epsilon", slopes, [0.31, -1.7], 6, lerp=False)
    after[-1] = after[-1] - points[-1]["w"] + np.float32(points[-1]["w"])
    run = points, gradients, after
    plain, explained = (
        judged("float64", "epsilon", slopes, run, half_square, deviations, native=True)
        for deviations in ([], [narrowed("weights")])
    )
    assert (plain.first, plain.declared) == (5, None)
    assert (explained.first, explained.declared) == (5, HYPERPARAMETERS)


def sgd_step(rate, deviations, **options):
    """Judge a step of gradient descent from 0 against a gradient of 1, said to have the rate 1 + 2^-24."""
    steps = Steps(Optimizer("sgd", 1 + 2.0**-24), **options)
    oracle = Oracle(linear, {"slope": np.ones(1)}, "float64", deviations, steps)
    judgement = oracle.judge([{"w": np.zeros(1)}], {"updated w": [np.array([-rate])]})["updated w"]
    return judgement.verdict, judgement.declared


def test_a_narrower_dtype_explains_one_rounding():
    """float32 may turn the rate 1 + 2^-24 into 1, which is half a unit off, and not into the number below 1."""
    declared = [narrowed("rate", rules=("sgd",))]
    assert sgd_step(1 + 2.0**-24, declared, native=True) == (CONFORMS, None)
    assert sgd_step(1.0, declared, native=True) == (DEVIATES, HYPERPARAMETERS)
    assert sgd_step(1 - 2.0**-24, declared, native=True) == (DEVIATES, None)
    assert sgd_step(1.0, declared) == (DEVIATES, None), "a step by hand has no optimiser to excuse it"
    assert sgd_step(1.0, [], native=True) == (DEVIATES, None)


def test_where_a_narrow_optimizer_admits_a_wrong_step_there_is_no_verdict():
    """Entries whose steps differ by less than float32 can tell are not told apart beside a rate that passed through it."""
    slope = np.array([1, 1 + 2.0**-30])
    oracle = Oracle(
        linear, {"slope": slope}, "float64", [narrowed("rate", rules=("sgd",))], Steps(Optimizer("sgd", 0.1), native=True)
    )

    def judged_step(step):
        return oracle.judge([{"w": np.zeros(2)}], {"updated w": [-step]})["updated w"]

    assert judged_step(0.1 * slope).verdict == CONFORMS
    for step in (np.float32(0.1) * slope, np.float32(0.1) * slope[::-1]):
        judgement = judged_step(step)
        assert (judgement.verdict, judgement.declared) == (UNINFORMATIVE, None)
        beginning = (
            f"outside its bound; when the bound is widened by the declared deviation of {HYPERPARAMETERS}, there is no "
            "verdict (a wrong result"
        )
        assert judgement.message.startswith(beginning)
    assert judged_step(0.1001 * slope).verdict == DEVIATES


def test_a_narrow_optimizer_explains_no_gradient():
    """What an optimiser passes through a narrower dtype is after the gradient."""
    steps = Steps(Optimizer("sgd", 0.1), native=True)
    oracle = Oracle(linear, {"slope": np.ones(1)}, "float64", [narrowed(*values(), rules=("sgd",))], steps)
    off = np.array([1 + 2.0**-26])
    judgements = oracle.judge([{"w": np.ones(1)}], {"gradient w": [off], "updated w": [1 - 0.1 * off]})
    assert [(j.verdict, j.declared) for j in judgements.values()] == [(DEVIATES, None), (DEVIATES, HYPERPARAMETERS)]
