"""A long run is made in full once and sampled, unless --long asks for all of it; the summary says so."""

import numpy as np
import pytest

import cases
from cases import JUDGED, LONG_RUN

LAYERED = "tests.meta.layered:Layered"
OPTIONS = ("--backend", LAYERED, "--case", "thermometer", "-k", "every_step or goal or figures")
STEPS = cases.builtin()["thermometer"].steps
SUMMARY = "sampled without --long: thermometer; at the first level in "


def judged(outcome):
    """Map where a loss of each step was judged to the number of steps, and list where the goal was."""
    steps = {(check["level"], check["dtype"]): check["points"] for check in outcome.checks(quantity="loss each step")}
    return steps, sorted((check["level"], check["dtype"]) for check in outcome.checks(quantity="goal"))


def test_in_full_once(suite):
    """The full run is sampled, every other one judged over its first steps, and the goal where the run has an end."""
    outcome = suite(*OPTIONS)
    assert outcome.status == 0, outcome.text
    assert SUMMARY + "float64" in " ".join(outcome.text.split())
    steps, goals = judged(outcome)
    assert set(steps.values()) == {JUDGED}
    assert {dtype for _, dtype in steps} == {"float32", "float64"}
    assert len({level for level, _ in steps}) > 1
    assert goals == [("autodiff", "float64")]
    [final] = {(check["level"], check["dtype"]) for check in outcome.checks(quantity="printed final loss")}
    assert final == ("autodiff", "float64")


def test_what_is_chosen_is_made_in_full(suite):
    """Of the levels and dtypes that a run is asked for, the first and the widest."""
    outcome = suite(*OPTIONS, "--level", "modules", "--dtype", "float32")
    assert outcome.status == 0, outcome.text
    assert SUMMARY + "float32" in " ".join(outcome.text.split())
    assert judged(outcome) == ({("modules", "float32"): JUDGED}, [("modules", "float32")])


def test_in_full_everywhere(suite):
    """Under --long, every step at every level in every dtype."""
    outcome = suite(*OPTIONS, "--long", "--level", "autodiff", "--level", "modules")
    assert outcome.status == 0, outcome.text
    assert "sampled" not in outcome.text
    steps, goals = judged(outcome)
    assert set(steps.values()) == {STEPS}
    assert goals == sorted(steps)


def test_quick(suite):
    """Under --quick, one dtype and the short cases; the summary names what is left out, and a case by name is judged."""
    outcome = suite("--backend", LAYERED, "--quick", "-k", "every_step")
    assert outcome.status == 0, outcome.text
    assert {check["dtype"] for check in outcome.checks()} == {"float64"}
    names = {check["case"] for check in outcome.checks()}
    assert names == {name for name, case in cases.builtin().items() if 0 < case.steps <= JUDGED}
    rest = ", ".join(name for name, case in cases.builtin().items() if case.steps > JUDGED)
    assert f"left out by --quick: {rest}" in " ".join(outcome.text.split())
    named = suite("--backend", LAYERED, "--quick", "--case", "xor", "--level", "autodiff", "-k", "every_step")
    assert {check["case"] for check in named.checks()} == {"xor"}
    assert suite("--quick", "--long").status == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("case", cases.builtin().values(), ids=lambda case: case.name)
def test_sampled_steps(case):
    """All of a short run and of a rule that remembers; of a long run both ends among as many as stated or more."""
    steps = case.sampled
    if not case.steps:
        assert not steps.size
    elif case.rule.state or (case.steps < LONG_RUN and case.batches is None):
        assert steps.tolist() == list(range(case.steps))
    else:
        assert (steps[0], steps[-1]) == (0, case.steps - 1)
        assert min(JUDGED, case.steps) <= len(steps) == len(np.unique(steps))
