"""What an adapter declares is so still, or the line to delete is named; words that mean nothing are refused at once."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from backends import declarations
from backends.base import HYPERPARAMETERS, OPTIMIZER_DTYPE, Deviation, Setting
from backends.numpy import Numpy
from tests.meta import declaring
from tests.meta.declaring import NONE

DECLARING = "tests.meta.declaring:"
FILE = "tests/meta/declaring.py"
NOTHING = "explains nothing in float64 any more: delete it"
# The adapter, the check that fails, the line that is named (by words of it) and what is to be done with it.
STALE = (
    ("Operation", "declared tanh", '("tanh", ("float32"', "in float64 any more: delete 'float64' from its dtypes"),
    ("OtherDtype", "declared tanh in float16", '("tanh", ("float16"', "explains nothing in float16 any more: delete it"),
    ("WidensOperation", "declared @", '("@", ', NOTHING),
    ("Scalars", "declared scalars keep the dtype", "(SCALARS_KEEP_DTYPE, ", NOTHING),
    ("WidensOptimizer", "declared optimizers keep the dtype", '(OPTIMIZER_DTYPE, ("float64",), **NONE, widens', NOTHING),
    ("BesideAnother", "declared optimizers keep the dtype", '(OPTIMIZER_DTYPE, ("float64",), **NONE, through', NOTHING),
    ("TwoRules", "declared hyperparameters keep the dtype", "deviations = (Deviation(HYPERPARAMETERS", "of=('sgd',) would do"),
    ("Objective", "declared softmax cross-entropy", '("softmax cross-entropy"', NOTHING),
    ("Instead", "declared sum of binary cross-entropy", '("sum of binary cross-entropy"', NOTHING),
    ("Twice", "declared sigmoid", "absolute=60)", NOTHING),
    ("Works", "log", "", "delete ('float64', 'log') from 'unsupported' in"),
    ("WorksElsewhere", "unsupported exp in float16", "", "delete ('float16', 'exp') from 'unsupported' in"),
    ("HasLevels", "lacks modules", "", "delete 'modules' from 'lacks' in"),
    ("HasOptimizers", "lacks optimizer", "", "delete 'optimizer' from 'lacks' in"),
)


def place(name, words):
    """Return file and line of the one line of adapter ``name`` that holds ``words``, or the file alone."""
    if not words:
        return FILE
    lines, start = inspect.getsourcelines(getattr(declaring, name))
    [number] = (number for number, line in enumerate(lines, start) if words in line)
    return f"{FILE}:{number}"


@pytest.fixture(scope="module")
def stale_run(suite):
    """Return a run over all adapters whose declarations do not hold."""
    options = [option for name, *_ in STALE for option in ("--backend", DECLARING + name)]
    return suite(*options, "--dtype", "float64", "-k", "declarations_hold or test_operation or test_optimizer")


@pytest.mark.parametrize(("name", "quantity", "line", "words"), STALE)
def test_a_declaration_that_does_not_hold_is_named(stale_run, name, quantity, line, words):
    """The check fails, undeclared, and the message has the file and line, and what to delete there."""
    [check] = stale_run.checks(backend=DECLARING + name, quantity=quantity)
    assert (check["verdict"], check["declared"]) == ("deviates", None)
    assert place(name, line) in check["message"]
    assert words in check["message"]
    assert stale_run.status == 1


def test_no_other_declaration_is_blamed(stale_run):
    """A declaration that is needed conforms beside one that is not."""
    quantity = "declared hyperparameters keep the dtype"
    assert stale_run.verdicts(backend=DECLARING + "BesideAnother", quantity=quantity) == {"conforms"}


def test_a_declaration_knows_its_line():
    """It is the line of the class or module, behind functions that help to make it, and goes along into copies."""

    def helping(subject):
        return Deviation(subject, ("float64",), **NONE, absolute=1)

    class Adapter(Numpy):
        deviations = (
            helping("exp"),
            helping("log"),
        )

    lines = Path(__file__).read_text().splitlines()
    expected = [lines.index(f'            helping("{name}"),') + 1 for name in ("exp", "log")]
    assert [d.place for d in Adapter.deviations] == [f"tests/meta/test_declarations.py:{line}" for line in expected]
    copy = dataclasses.replace(Adapter.deviations[0], absolute=2)
    assert copy.place == Adapter.deviations[0].place
    assert Deviation(**dataclasses.asdict(copy)) == copy


def declared(**fields):
    return {"deviations": (Deviation(**{"subject": "tanh", "dtypes": ("float64",), **NONE} | fields),)}


SQUARES = Setting("squares", "squared error", "sum", max)
RATE = {"subject": HYPERPARAMETERS, "through": "float32", "what": ("rate",), "of": ("sgd",)}
LEVELS = {"lacks": {}}


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"adam": "epsilon_hat"}, "adam names 'epsilon_hat'; known: 'epsilon', 'epsilon hat'"),
        ({"lacks": {"module": "none"}}, "lacks names 'module'; known: 'modules', 'optimizer', 'class'"),
        ({"unsupported": {("float64", "gamma"): "none"}}, "unsupported names 'gamma'; known: 'exp', 'log'"),
        ({"unsupported": {("double", "exp"): "none"}}, "unsupported names 'double'; known: 'float32', 'float64', 'float16'"),
        ({"settings": (SQUARES, SQUARES)}, "two settings have the same name, of 'squares', 'squares'"),
        ({"settings": (Setting("a", "squares", "sum", max),)}, "settings names 'squares'; known: 'binary cross-entropy'"),
        ({"settings": (Setting("a", "squared error", "total", max),)}, "settings names 'total'; known: 'sum', 'mean'"),
        (declared(subject="tangent", absolute=1), "the Deviation of 'tangent' names nothing; known: 'exp', 'log'"),
        (declared(subject="squares", instead="mean"), "the Deviation of 'squares' names nothing"),
        (declared(dtypes=("double",), absolute=1), "has dtypes 'double'; known: 'float32', 'float64', 'float16'"),
        (declared(dtypes=(), absolute=1), "has no dtypes; known: 'float32', 'float64', 'float16'"),
        (declared(), "says in none of its fields how it deviates; known: 'absolute', 'widens', 'through', 'instead'"),
        (
            declared(subject="relu", absolute=1),
            "has 'absolute', which is no matter of its subject; those of which it is: 'exp'",
        ),
        (declared(subject=HYPERPARAMETERS, widens=True) | LEVELS, "has 'widens', which is no matter of its subject"),
        (declared(instead="mean"), "has 'instead', which is no matter of its subject"),
        (declared(**RATE | {"of": ("rmsprop",)}) | LEVELS, "has of 'rmsprop'; known: 'sgd', 'adam'"),
        (declared(**RATE | {"what": ("momentum",)}) | LEVELS, "has what 'momentum'; known: 'rate', 'beta1'"),
        (declared(**RATE | {"through": "float64"}) | LEVELS, "has through 'float64'; known: 'float32', 'float16'"),
        (
            declared(**RATE | {"of": ()}) | LEVELS,
            "has some of 'through', 'what' and 'of', which mean nothing without each other",
        ),
        (declared(subject=OPTIMIZER_DTYPE, widens=True, what=("rate",)) | LEVELS, "mean nothing without each other"),
        (declared(**RATE), "is one of optimisers, and the level 'optimizer' is declared to be lacking"),
    ],
)
def test_words_that_mean_nothing_are_faults(attributes, words):
    """Each is said with its file, and with the words that mean something."""
    [fault] = declarations.faults(type("Adapter", (Numpy,), attributes | {"__module__": __name__})())
    assert re.match(r"tests/meta/test_declarations\.py(:\d+)?: ", fault)
    assert words in fault


def test_words_that_mean_something_are_none():
    """No fault is found in declarations that can be tested."""
    for name, *_ in STALE:
        assert declarations.faults(getattr(declaring, name)()) == []


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_an_unknown_word_stops_the_run(suite, tmp_path, workers):
    """Exit status 4 before any test, whatever the other backends do; results of before are kept."""
    kept = tmp_path / "kept.json"
    kept.write_text("kept")
    names = ("declaring:Unknown", "dies_at_import:Any", "broken_import:Any", "declaring:Speechless", "adapters:Sound")
    options = [option for name in names for option in ("--backend", f"tests.meta.{name}")]
    outcome = suite(*options, "--case", "line", "--time-limit", "6", f"--results={kept}", *workers)
    assert outcome.status == 4, outcome.text
    line = place("Unknown", 'Deviation("tangent"')
    assert f"ERROR: backend '{DECLARING}Unknown': {line}: the Deviation of 'tangent' names nothing; known: " in outcome.text
    assert kept.read_text() == "kept"
    assert " passed" not in outcome.text
    assert " failed" not in outcome.text


def test_a_backend_without_introduction_is_judged(suite):
    """One that hangs when it is asked what it declares is no usage error: its checks say that it timed out."""
    outcome = suite("--backend", DECLARING + "Speechless", "--case", "line", "--time-limit", "3", "-k", "loss")
    assert outcome.status == 1
    assert outcome.verdicts() == {"timed out"}


def test_listing_tests_imports_nothing(suite, tmp_path, monkeypatch):
    """Backends introduce themselves when tests are about to run, once, in the process that then is judged."""
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    options = ("--backend", DECLARING + "Counted", "--case", "line", "--dtype", "float64")
    for others in (("--collect-only", f"--results={tmp_path}/none.json"), ("-k", "by_hand")):
        assert suite(*options, *others).status == 0
    assert not (tmp_path / "counted").exists()
    assert suite(*options).status == 0
    assert (tmp_path / "counted").read_text() == "made\n"
