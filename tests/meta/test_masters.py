"""Weights that go on in a wider dtype than they are shown in are no run of that dtype: they deviate, and can be declared."""

import pytest

from backends import declarations
from tests.meta import masters
from vocabulary.words import TRAINING_DTYPE

MASTERS = "tests.meta.masters:"
DECLARED = f"declared {TRAINING_DTYPE}"
# More steps would find no more; fewer find less.
SHORT = """
from cases import xor

SHORT = xor.XOR.but("xor-short", steps=200, goal=lambda *run: True)
"""


@pytest.fixture(scope="module")
def run(shared_suite, shared_file):
    """Return a run of all adapters that keep or declare master weights."""
    names = ("Masters", "Declared", "DeclaredAndFaulty", "DeclaredTooWide", "DeclaredInVain", "DeclaredElsewhere")
    options = [word for name in names for word in ("--backend", MASTERS + name)]
    levels = ("--level", "autodiff", "--level", "modules")
    return shared_suite(
        *options, "--cases", shared_file(SHORT), "--case", "xor-short", *levels, "-k", "every_step or declarations"
    )


def stepped(run, name, **wanted):
    """Return the verdicts on the weights of a run after each step, and what declares them."""
    checks = [check for check in run.checks(backend=MASTERS + name, **wanted) if check["quantity"].startswith("updated")]
    assert checks
    return {(check["verdict"], check["declared"]) for check in checks} - {("conforms", None)}


@pytest.mark.parametrize("level", ["autodiff", "modules"])
def test_master_weights_deviate(run, level):
    """In float32 a step does not start from the weights that are shown before it; in float64 it does."""
    assert stepped(run, "Masters", level=level, dtype="float32") == {("deviates", None)}
    assert stepped(run, "Masters", level=level, dtype="float64") == set()


@pytest.mark.parametrize("level", ["autodiff", "modules"])
def test_master_weights_can_be_declared(run, level):
    """The declaration explains the weights, and is tested to be needed."""
    assert stepped(run, "Declared", level=level, dtype="float32") == {("deviates", TRAINING_DTYPE)}
    assert stepped(run, "Declared", level=level, dtype="float64") == set()
    [check] = run.checks(backend=MASTERS + "Declared", quantity=DECLARED)
    assert (check["verdict"], check["dtype"]) == ("conforms", "float32")


def test_a_fault_beside_master_weights_is_found(run):
    """A learning rate that is a thousandth too large is no matter of the declaration."""
    assert ("deviates", None) in stepped(run, "DeclaredAndFaulty", level="autodiff", dtype="float32")
    assert stepped(run, "DeclaredAndFaulty", level="modules", dtype="float32") == {("deviates", TRAINING_DTYPE)}


@pytest.mark.parametrize(
    ("name", "dtype", "words"),
    [
        ("DeclaredTooWide", "float32", "excuses too much in float32: passes_through='float32' would do"),
        ("DeclaredInVain", "float32", "explains nothing in float32 any more: delete it"),
        ("DeclaredElsewhere", "float64", "explains nothing in float64 any more: delete 'float64' from its dtypes"),
    ],
)
def test_a_declaration_of_master_weights_is_no_wider_than_needed(run, name, dtype, words):
    """One that explains nothing, or that a weaker one could stand for, is named."""
    [check] = run.checks(backend=MASTERS + name, quantity=DECLARED, dtype=dtype)
    assert (check["verdict"], check["declared"]) == ("deviates", None)
    assert words in check["message"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"values": ("rate",)}, "has values 'rate'; known: 'weights'"),
        ({"rules": ("adam",)}, "has rules 'adam'; known: 'sgd'"),
        ({"values": ()}, "which stand together, and lacks 'values'"),
        ({"widens": True}, "sets 'widens', which this subject cannot have"),
    ],
)
def test_training_by_hand_keeps_weights_and_nothing_else(changed, words):
    """Words that mean something of an optimiser mean nothing of a step that is written out."""
    adapter = type("Adapter", (masters.Masters,), {"deviations": masters.keeps_masters(("float32",), **changed)})
    [fault] = declarations.read(adapter())[1]
    assert words in fault


def test_a_backend_without_optimizers_may_keep_masters():
    """The declaration is about training by hand, which every backend has."""
    adapter = type(
        "Adapter", (masters.Declared,), {"unsupported_levels": dict.fromkeys(("modules", "optimizer", "class"), "none")}
    )
    assert declarations.read(adapter())[1] == []
