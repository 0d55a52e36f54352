"""What an adapter declares is so still, or the line to delete is named; words that mean nothing are refused at once."""

import dataclasses
import inspect
import json
import re
from pathlib import Path

import numpy as np
import pytest

from backends import declarations
from backends.base import Backend, Deviation, NativeLoss
from backends.numpy import Numpy
from tests.meta import declaring
from tests.meta.declaring import NONE
from tests.meta.layered import Layered
from vocabulary import losses
from vocabulary.losses import LOSSES
from vocabulary.words import HYPERPARAMETERS, OPTIMIZER_DTYPE

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
    ("BesideAnother", "declared optimizers keep the dtype", '(OPTIMIZER_DTYPE, ("float64",), **NONE, passes_through', NOTHING),
    ("TwoRules", "declared hyperparameters keep the dtype", "Deviation(HYPERPARAMETERS, ", "rules=('sgd',) would do"),
    ("Objective", "declared softmax cross-entropy", '("softmax cross-entropy"', NOTHING),
    ("Instead", "declared sum of binary cross-entropy", '("sum of binary cross-entropy"', NOTHING),
    ("Twice", "declared sigmoid", "absolute=60)", NOTHING),
    ("Works", "log", "", "delete ('float64', 'log') from 'unsupported' in"),
    ("WorksElsewhere", "unsupported exp in float16", "", "delete ('float16', 'exp') from 'unsupported' in"),
    ("HasLevels", "lacks modules", "", "delete 'modules' from 'unsupported_levels' in"),
    ("HasOptimizers", "lacks optimizer", "", "delete 'optimizer' from 'unsupported_levels' in"),
)


def place(name, words):
    """Return file and line of the one line of adapter ``name`` that holds ``words``, or the file alone."""
    if not words:
        return FILE
    lines, start = inspect.getsourcelines(getattr(declaring, name))
    [number] = (number for number, line in enumerate(lines, start) if words in line)
    return f"{FILE}:{number}"


@pytest.fixture(scope="module")
def stale_run(shared_suite):
    """Return a run over all adapters whose declarations do not hold."""
    options = [option for name, *_ in STALE for option in ("--backend", DECLARING + name)]
    return shared_suite(*options, "--dtype", "float64", "-k", "declarations_hold or test_operation or test_optimizer")


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
    assert Deviation.of_record(copy.record) == copy


@pytest.mark.parametrize("loss", [None, *LOSSES.values()], ids=lambda loss: loss.words if loss else "none")
def test_a_loss_travels_by_its_words(loss):
    """What a loss computes instead is a record on both sides of the pipe, and its words in between and in the results file."""
    stated = Deviation("squares", ("float64",), **NONE, computes=loss)
    record = json.loads(json.dumps(stated.record))
    assert record["computes"] == (loss.words if loss else "")
    assert Deviation.of_record(record | {"dtypes": ("float64",), "values": (), "rules": ()}) == stated


def test_words_of_no_loss_raise():
    """They stand for no formula, and the known ones are named."""
    record = Deviation("squares", ("float64",), **NONE).record | {"computes": "twice the mean"}
    with pytest.raises(ValueError, match=r"unknown loss 'twice the mean'; known: .*half the mean"):
        Deviation.of_record(record)


def declared(**fields):
    return {"deviations": (Deviation(**{"subject": "tanh", "dtypes": ("float64",), **NONE} | fields),)}


def adapter(attributes):
    """Return an adapter that declares ``attributes``."""
    kind = type("Adapter", (Numpy,), {"__module__": __name__})
    for name, value in attributes.items():  # and not at once, as ABC asks each whether it is abstract
        setattr(kind, name, value)
    return kind()


def faults_of(attributes):
    return declarations.read(adapter(attributes))[1]


SQUARES = NativeLoss("squares", "squared error", "sum", max)
RATE = {"subject": HYPERPARAMETERS, "passes_through": "float32", "values": ("rate",), "rules": ("sgd",)}
LEVELS = {"unsupported_levels": {}} | {name: getattr(Layered, name) for name in ("model", "objective", "fit")}
STEPS = {"gradient": "eager", "training": "eager"}


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"conventions": {"adam": "epsilon_hat"}}, "conventions names 'epsilon_hat'; known: 'epsilon', 'epsilon hat'"),
        ({"conventions": {"adamw": "epsilon"}}, "conventions names 'adamw'; known: 'adam', "),
        ({"rules": ("adamw",)}, "rules names 'adamw'; known: 'adam', "),
        (
            {"unsupported_levels": {"module": "none"}},
            "unsupported_levels names 'module'; known: 'modules', 'optimizer', 'class'",
        ),
        ({"names": {"total": "sum"}}, "names names 'total'; known: 'exp', 'log'"),
        ({"unsupported": {("float64", "gamma"): "none"}}, "unsupported names 'gamma'; known: '+', '-', '*'"),
        ({"unsupported": {("double", "exp"): "none"}}, "unsupported names 'double'; known: 'float32', 'float64', 'float16'"),
        ({"native_losses": (SQUARES, SQUARES)}, "two native losses have the same name, of 'squares', 'squares'"),
        *(
            (
                {"native_losses": (SQUARES, dataclasses.replace(SQUARES, name=name))},
                f"{name!r} may be taken for checks of another",
            )
            for name in ("slope of squares", "squares at 0", "squares far out", "slope of squares one by one")
        ),
        (
            {"native_losses": (NativeLoss("a", "squares", "sum", max),)},
            "native_losses names 'squares'; known: 'binary cross-entropy'",
        ),
        (
            {"native_losses": (NativeLoss("a", "squared error", "total", max),)},
            "native_losses names 'total'; known: 'sum', 'mean'",
        ),
        (declared(subject="tangent", absolute=1), "the Deviation of 'tangent' has an unknown subject; known: 'exp', 'log'"),
        (declared(subject="squares", computes=losses.MEAN), "the Deviation of 'squares' has an unknown subject"),
        (declared(dtypes=("double",), absolute=1), "has dtypes 'double'; known: 'float32', 'float64', 'float16'"),
        (declared(dtypes=(), absolute=1), "has no dtypes; known: 'float32', 'float64', 'float16'"),
        (declared(), "says in none of its fields how it deviates; known: 'absolute', 'widens', 'passes_through', 'computes'"),
        (
            declared(subject="relu", absolute=1),
            "sets 'absolute', which this subject cannot have; subjects that can: 'exp'",
        ),
        (declared(subject=HYPERPARAMETERS, widens=True) | LEVELS, "sets 'widens', which this subject cannot have"),
        (declared(computes=losses.MEAN), "sets 'computes', which this subject cannot have"),
        *(
            (
                {"native_losses": (SQUARES,)} | declared(subject=subject, computes=losses.CLIPPED_MEAN),
                "has computes='mean with probabilities clipped at 1e-07', which is no loss of the objective 'squared error'; "
                "known: 'sum', 'mean', ",
            )
            for subject in ("squares", "squares at 0")
        ),
        (declared(**RATE | {"rules": ("rmsprop",)}) | LEVELS, "has rules 'rmsprop'; known: 'adam', "),
        (declared(**RATE | {"values": ("decay",)}) | LEVELS, "has values 'decay'; known: 'rate', 'beta1'"),
        (
            declared(**RATE | {"passes_through": "float64"}) | LEVELS,
            "has passes_through 'float64'; known: 'float32', 'float16'",
        ),
        (
            declared(**RATE | {"rules": ()}) | LEVELS,
            "sets some of 'passes_through', 'values', 'rules', which stand together, and lacks 'rules'",
        ),
        (declared(subject=OPTIMIZER_DTYPE, widens=True, values=("rate",)) | LEVELS, "and lacks 'passes_through', 'rules'"),
        ({"modes": {"gradient": "lazy", "training": "eager"}}, "modes names 'lazy'; known: 'eager', 'compiled'"),
        ({"modes": {"gradient": "eager"}}, "modes has to state 'gradient', 'training'; missing or unknown: 'training'"),
        ({"modes": STEPS | {"step": "eager"}}, "modes has to state 'gradient', 'training'; missing or unknown: 'step'"),
        ({"numeric": {}}, "numeric has to state 'float32 matmul', 'float64 matmul', "),
        ({"native_losses": (NativeLoss("", "squared error", "sum", max),)}, "a native loss has no name"),
        (declared(reason=" ", absolute=1), "the Deviation of 'tanh' has no reason"),
        (declared(**RATE), "is about optimisers, and the level 'optimizer' is unsupported"),
    ],
)
def test_words_that_mean_nothing_are_faults(attributes, words):
    """Each is said with its file, and with the words that mean something."""
    [fault] = faults_of(attributes)
    assert re.match(r"tests/meta/test_declarations\.py(:\d+)?: ", fault)
    assert words in fault


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"slope_at_kink": np.float32(0)}, r"slope_at_kink: got .*0\.0.* \(float32\); expected a Python number from 0 to 1"),
        (
            {"slope_at_kink": np.array(0.0)},
            r"slope_at_kink: got array\(0\.\) \(ndarray\); expected a Python number from 0 to 1",
        ),
        ({"slope_at_kink": True}, r"slope_at_kink: got True \(bool\); expected a Python number"),
        ({"slope_at_kink": np.nan}, r"slope_at_kink: got nan \(float\); expected a Python number"),
        ({"slope_at_kink": 2}, r"slope_at_kink: got 2 \(int\); expected a Python number from 0 to 1"),
        ({"name": b"numpy"}, r"name: got b'numpy' \(bytes\); expected a str"),
        ({"name": " "}, r"name: got ' ' \(str\); expected a str that says something"),
        ({"version": (1, 2)}, r"version: got \(1, 2\) \(tuple\); expected a str"),
        ({"version": property(lambda self: 1 // 0)}, "version: reading it raises ZeroDivisionError"),
        ({"modes": None}, r"modes: got None \(NoneType\); expected a dict"),
        ({"modes": STEPS | {"gradient": 1}}, r"modes\['gradient'\]: got 1 \(int\); expected a str"),
        ({"modes": {1: "eager"}}, r"modes, a key: got 1 \(int\); expected a str"),
        ({"unsupported_levels": {"class": None}}, r"unsupported_levels\['class'\]: got None \(NoneType\); expected a str"),
        (
            {"unsupported_levels": {"class": ""}},
            r"unsupported_levels\['class'\]: got '' \(str\); expected a str that says something",
        ),
        ({"unsupported": {"exp": "none"}}, r"unsupported, a key: got 'exp' \(str\); expected a pair of str"),
        ({"unsupported": {("float64", "exp"): {1}}}, r"unsupported\[\('float64', 'exp'\)\]: got \{1\} \(set\); expected a str"),
        ({"native_losses": None}, r"native_losses: got None \(NoneType\); expected a tuple"),
        ({"native_losses": ("squares",)}, r"native_losses\[0\]: got 'squares' \(str\); expected a NativeLoss"),
        (
            {"native_losses": (NativeLoss("a", "squared error", "sum", None),)},
            r"native_losses\[0\]\.compute: got None .*; expected a function",
        ),
        ({"conventions": {"adam": ["epsilon"]}}, r"conventions\['adam'\]: got \['epsilon'\] \(list\); expected a str"),
        ({"numeric": {"float32 matmul": 24}}, r"numeric\['float32 matmul'\]: got 24 \(int\); expected a str"),
        ({"deviations": 3}, r"deviations: got 3 \(int\); expected a tuple"),
        ({"deviations": ("tanh",)}, r"deviations\[0\]: got 'tanh' \(str\); expected a Deviation"),
        (declared(dtypes="float64", absolute=1), r"deviations\[0\]\.dtypes: got 'float64' \(str\); expected a tuple"),
        (declared(dtypes=(np.float64,), absolute=1), r"deviations\[0\]\.dtypes\[0\]: got .*float64.*; expected a str"),
        (declared(subject=np.zeros(2), absolute=1), r"deviations\[0\]\.subject: got array\(\[0\., 0\.\]\)"),
        (declared(absolute=np.inf), r"deviations\[0\]\.absolute: got inf \(float\); expected a Python number from 0"),
        (declared(absolute=-1), r"deviations\[0\]\.absolute: got -1 \(int\)"),
        (declared(absolute=10**400), r"deviations\[0\]\.absolute: got 1000+\.\.\.0+ \(int\)"),
        (declared(subject="@", widens=1), r"deviations\[0\]\.widens: got 1 \(int\); expected a bool"),
        (
            declared(computes="mean"),
            r"deviations\[0\]\.computes: got 'mean' \(str\); expected a record of vocabulary/losses; known: .*'half the mean'",
        ),
        (
            declared(computes=dataclasses.replace(losses.MEAN)),
            r"deviations\[0\]\.computes: got Loss.* \(Loss\); expected a record of vocabulary/losses; known: .*'half the mean'",
        ),
        (declared(reason={"a"}, absolute=1), r"deviations\[0\]\.reason: got {'a'} \(set\); expected a str"),
    ],
)
def test_values_of_another_kind_are_faults(attributes, words):
    """One sentence says where, which one, what stands there and what is expected."""
    [fault] = faults_of(attributes)
    assert re.search(words, fault), fault
    line = r":\d+" if "deviations[0]." in fault else ""  # a Deviation knows its line
    assert re.match(rf"tests/meta/test_declarations\.py{line}: ", fault)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x" * 1001, "'xxx"),
        ("two\nlines", r"'two\nlines'"),
        ("\x1b[2Jcleared", r"'\x1b[2Jcleared'"),
        ("\ud800", r"'\ud800'"),
        ("\u202eesrever", r"'\u202eesrever'"),
    ],
    ids=["long", "lines", "escape", "surrogate", "bidi"],
)
def test_text_is_one_printable_line(value, words):
    """What no file could hold, no table could show, or a terminal would obey is refused, and quoted in what it may print."""
    for attributes in ({"name": value}, {"unsupported_levels": {"class": value}}, declared(reason=value, absolute=1)):
        [fault] = faults_of(attributes)
        assert f"got {words}" in fault
        assert "; expected one line of at most 1000 printable characters" in fault
        assert fault.isprintable()
    assert faults_of(declared(reason="x" * 1000, absolute=1)) == []


def test_every_declaration_has_a_kind():
    """Nothing that the contract has an adapter declare is taken as it comes."""
    declared = {*Backend.__annotations__, *(name for name, value in vars(Backend).items() if isinstance(value, property))}
    assert {*declarations.KINDS, "deviations"} == declared


def test_words_that_mean_something_are_none():
    """No fault is found in declarations that can be tested."""
    for name, *_ in STALE:
        assert declarations.read(getattr(declaring, name)())[1] == []


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_a_fault_stops_the_run(suite, tmp_path, workers):
    """An unknown word or a value of another kind, in sentences and with status 4, before any test, whatever the others do.

    Results of before are kept.
    """
    kept = tmp_path / "kept.json"
    kept.write_text("kept")
    faulty = [f"declaring:{name}" for name in ("Unknown", "OtherKinds", "MovesTheCursor", "Unreadable", "Speechless")]
    names = (*faulty, "dies_at_import:Any", "broken_import:Any", "adapters:Sound")
    options = [option for name in names for option in ("--backend", f"tests.meta.{name}")]
    outcome = suite(*options, "--case", "line", "--time-limit", "6", f"--results={kept}", *workers)
    assert outcome.status == 4, outcome.text
    line = place("Unknown", 'Deviation("tangent"')
    assert (
        f"ERROR: backend '{DECLARING}Unknown': {line}: the Deviation of 'tangent' has an unknown subject; known: "
        in outcome.text
    )
    for name, words in (
        ("OtherKinds", "unsupported_levels['modules']: got None (NoneType); expected a str"),
        ("OtherKinds", "slope_at_kink: got "),
        ("MovesTheCursor", r"name: got '\x1b[2Jnumpy' (str); expected one line of at most 1000 printable characters"),
        ("Unreadable", "version: reading it raises LookupError('no version')"),
    ):
        assert f"backend '{DECLARING}{name}': {FILE}: {words}" in outcome.text
    assert "\x1b[2J" not in outcome.text
    assert "INTERNALERROR" not in outcome.text
    assert kept.read_text() == "kept"
    assert " passed" not in outcome.text
    assert " failed" not in outcome.text


def test_a_backend_that_cannot_describe_itself_is_judged(suite):
    """One that hangs when it is asked what it declares is no usage error: its checks say that it timed out."""
    outcome = suite("--backend", DECLARING + "Speechless", "--case", "line", "--time-limit", "3", "-k", "loss")
    assert outcome.status == 1
    assert outcome.verdicts() == {"timed out"}


def test_listing_tests_imports_nothing(suite, tmp_path, monkeypatch):
    """Backends say what they declare when tests are about to run, once, in the process that then is judged."""
    monkeypatch.setenv("COUNTED", str(tmp_path / "counted"))
    options = ("--backend", DECLARING + "Counted", "--case", "line", "--dtype", "float64")
    for others in (("--collect-only", f"--results={tmp_path}/none.json"), ("-k", "by_hand")):
        assert suite(*options, *others).status == 0
    assert not (tmp_path / "counted").exists()
    assert suite(*options).status == 0
    assert (tmp_path / "counted").read_text() == "made\n"


def test_what_is_declared_to_one_worker_alone_is_refused(suite):
    """The tests of the other worker fail, and say which declaration is another one."""
    chosen = ("--backend", f"{DECLARING}InOneWorker", "--case", "nand", "--case", "relu", "--dtype", "float64")
    outcome = suite(*chosen, "-n", "2", "--dist=worksteal")
    assert outcome.status == 1
    failures = {check["message"] for check in outcome.checks(verdict="failed")}
    assert any("declares in this process what it did not declare before: slope_at_kink" in message for message in failures)
