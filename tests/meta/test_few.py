"""An adapter of the obligatory part alone: what it has is judged, what is absent is unsupported by name, and nothing is red."""

import numpy as np
import pytest

from backends.base import Backend, absent_operations, unsupported_levels
from backends.transport.process import Process
from tests.meta.few import Few, Number
from tests.meta.layered import Layered
from vocabulary.operators import public
from vocabulary.words import DTYPES, LEVELS

FEW, FAULTY = "tests.meta.few:Few", "tests.meta.few:Faulty"
HAS = {"exp", "sum", "mean", "+", "-", "*", "/"}


@pytest.fixture(scope="module")
def few(shared_suite):
    """Return a run of the adapter over programs some of which it has the operations for."""
    cases = ("nand", "deep", "thermometer-generic", "line", "square")
    return shared_suite("--backend", FEW, *(word for case in cases for word in ("--case", case)), "--nodes", "--random", "2")


def test_nothing_is_red(few):
    """What is absent excuses itself, and no test of something else breaks over it."""
    assert few.status == 0, few.text
    assert few.verdicts() <= {"conforms", "unsupported", "uninformative"}


def test_each_operation_is_judged_or_unsupported(few):
    """Those that it has conform with their derivatives, the others are unsupported, and say where they were looked for."""
    found = {check["quantity"]: check for check in few.checks(case="contract", dtype="float64")}
    assert {name for name in public() if found[name]["verdict"] == "conforms"} == HAS
    assert {name for name in public() if found[name]["verdict"] == "unsupported"} == {*public()} - HAS
    assert found["tanh"]["message"].startswith(f"there is no operation 'tanh': {FEW} has none, and its namespaces (")
    assert "have no __matmul__; it raises TypeError" in found["@"]["message"]


def test_programs_are_judged_or_unsupported(few):
    """A program of operations that it has conforms at every step, trained by the contract's loop; another is unsupported."""
    assert few.verdicts(case="thermometer-generic", level="autodiff") == {"conforms"}
    assert any(check["quantity"].startswith("updated") for check in few.checks(case="thermometer-generic"))
    assert few.verdicts(case="nand", level="autodiff") == {"unsupported"}
    assert {level for level in LEVELS[1:] if few.verdicts(level=level) == {"unsupported"}} == {*LEVELS[1:]}


def test_it_is_described():
    """The record has a row for each absent operation in every dtype, the levels, the loop and the version that nobody knows."""
    process = Process(FEW, limit=60)
    description = process.call("describe")
    process.stop()
    rows = {(dtype, operation) for dtype, operation, _ in description["unsupported"]}
    assert rows == {(dtype, operation) for dtype in DTYPES for operation in {*public()} - HAS}
    assert (description["loop"], description["version"], [*description["unsupported_levels"]]) == (
        "suite",
        "unknown",
        [*LEVELS[1:]],
    )
    assert description["faults"] == []


def test_what_is_there_can_be_wrong(suite):
    """That much is absent excuses no wrong derivative."""
    run = suite("--backend", FAULTY, "--case", "line", "--dtype", "float64", "-k", "test_operation")
    assert run.status == 1
    assert {check["quantity"] for check in run.checks(verdict="deviates")} == {"gradient x of exp"}


def test_an_own_attribute_wins():
    """An operation is the adapter's own, or else the first that a namespace has under the framework's name."""

    class Own(Few):
        def exp(self, x):
            return "own"

    assert Own().exp(Number(1.0)) == "own"
    assert Own().sum(Number(np.ones(3))).value == 3
    with pytest.raises(
        AttributeError, match=r"there is no operation 'log': .*:Own has none, and its namespaces .* have no 'log'"
    ):
        Own().log(Number(1.0))
    with pytest.raises(AttributeError, match="has no attribute 'logarithm'"):
        Own().logarithm(Number(1.0))


@pytest.mark.parametrize(
    ("methods", "absent"),
    [
        ((), ["modules", "optimizer", "class"]),
        (("model", "objective"), ["modules", "optimizer", "class"]),
        (("fit",), ["modules", "class"]),
        (("fit", "model"), ["modules", "class"]),
        (("fit", "model", "objective"), []),
    ],
)
def test_levels_follow_from_methods(methods, absent):
    """Fit alone makes the level of optimisers; with a model and an objective it makes all."""
    adapter = type("Adapter", (Few,), {name: getattr(Layered, name) for name in methods})()
    assert [*unsupported_levels(adapter)] == absent
    reasoned = type("Adapter", (type(adapter),), {"unsupported_levels": {"class": "a reason"}})()
    assert unsupported_levels(reasoned)["class"] == "a reason"


def test_the_loop_of_the_contract_makes_the_steps_of_the_tape():
    """It rounds as w - rate * gradient does in the dtype of w: the bits are those of a loop over arrays."""
    for dtype in DTYPES:
        few, w = Few(), np.asarray(0.7, dtype)
        [(*_, after)] = Backend.train(
            few,
            lambda ops, params, data: params["w"] * data["x"],
            {"w": few.tensor(w)},
            [{"x": few.tensor(np.asarray(1.7, dtype))}],
            0.3,
        )
        expected = w - w.dtype.type(0.3) * np.asarray(1.7, dtype)
        assert (after["w"].value.dtype, after["w"].value.tobytes()) == (w.dtype, np.asarray(expected).tobytes())


def test_frameworks_lack_no_operation():
    """Of an adapter that has all of them, nothing is called absent."""
    assert absent_operations(Layered()) == {}
