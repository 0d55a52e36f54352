"""Faults that only a level can have are found there, and said to be what they are."""

import pytest

import backends
from tests.meta import declaring
from tests.meta.fleet import fleet

SOUND = "tests.meta.layered:Layered"
ADAPTERS = {fault.name: fault.adapter for fault in fleet()} | {"Layered": SOUND}


def adapter(name):
    room = "declaring" if hasattr(declaring, name) else "adapters"
    return ADAPTERS.get(name, f"tests.meta.{room}:{name}")


FAULTS = (
    ("MeanObjective", "loss each step", "modules", "nand"),
    ("MeanObjective", "gradient w each step", "optimizer", "nand"),
    ("ShortBatchAsFull", "loss each step", "modules", "nand-batches"),
    ("FrozenBias", "updated b2 each step", "class", "xor-short"),
    ("TransposedKernel", "loss each step", "modules", "xor-short"),
    ("Uncorrected", "updated w of adam", "autodiff", "contract"),
    ("Uncorrected", "updated w each step", "optimizer", "nand-adam"),
    ("EpsilonHat", "updated w each step", "optimizer", "nand-adam"),
    ("EpsilonHat", "convention of adam", "autodiff", "contract"),
    ("EpsilonInside", "updated w each step", "class", "nand-adam"),
    ("SwappedBetas", "updated w each step", "optimizer", "nand-adam"),
    ("OptimizerFloat32", "updated w each step", "optimizer", "nand-adam"),
    ("OptimizerFloat32", "updated w of sgd", "autodiff", "contract"),
    ("StaleOptimizer", "declared hyperparameters keep the dtype", "autodiff", "contract"),
    ("LooseOptimizer", "declared hyperparameters keep the dtype", "autodiff", "contract"),
    ("IgnoresBetas", "updated w of adam with other numbers", "autodiff", "contract"),
    ("MeanObjective", "sum of binary cross-entropy", "autodiff", "contract"),
    ("Instead", "declared sum of binary cross-entropy", "autodiff", "contract"),
    ("FalselyLacking", "each step", "class", "nand"),
)
BATCHES = """
from cases import xor

SHORT = xor.XOR.but("xor-short", steps=50)
"""
TESTS = "every_step or optimizer or native_losses or declarations"


@pytest.fixture(scope="module")
def run(shared_suite, shared_file):
    """Return a run over all of them, and the sound one."""
    names = ["Layered", "MissingLayer", *dict.fromkeys(name for name, *_ in FAULTS)]
    options = [option for name in names for option in ("--backend", adapter(name))]
    chosen = [option for name in ("nand", "nand-adam", "xor-short", "nand-batches") for option in ("--case", name)]
    return shared_suite(*options, *chosen, "--cases", shared_file(BATCHES), "--dtype", "float64", "-k", TESTS)


def test_a_sound_adapter_conforms_at_every_level(run):
    """Layers, optimisers and batches of the adapter that the faulty ones are made of have no fault."""
    assert run.verdicts(backend=SOUND) == {"conforms"}
    assert {check["level"] for check in run.checks(backend=SOUND)} == {
        "autodiff",
        "modules",
        "optimizer",
        "class",
    }


@pytest.mark.parametrize(("name", "quantity", "level", "case"), FAULTS)
def test_a_fault_of_a_level_deviates(run, name, quantity, level, case):
    """The fault fails the run in the quantity, at the level and in the case that show it, undeclared."""
    [check] = run.checks(backend=adapter(name), quantity=quantity, level=level, case=case)
    assert (check["verdict"], check["declared"]) == ("deviates", None)


def test_batches_that_weigh_too_much_are_counted(run):
    """Of batches of four and one, every second one deviates, and the message counts the steps."""
    [check] = run.checks(backend=adapter("ShortBatchAsFull"), quantity="loss each step", level="modules", case="nand-batches")
    assert "20 of 40 steps are outside" in check["message"]


def test_parameters_that_do_not_fit_are_both_printed(run):
    """Layers that hold other parameters than the case fail, with the shapes of both."""
    [check] = run.checks(backend=adapter("MissingLayer"), quantity="each step", level="modules", case="xor-short")
    assert check["verdict"] == "failed"
    assert "hold parameters of shapes [(2, 2), (2,)]; those of the case have [(2, 2), (2,), (2, 1), (1,)]" in check["message"]


@pytest.mark.parametrize(
    ("package", "adapter"),
    [("chainer", "tests.meta.notebook_chainer:NotebookChainer"), ("keras", "tests.meta.notebook_keras:NotebookKeras")],
)
def test_a_silent_mean_is_called_by_its_name(suite, package, adapter):
    """A loss that is the mean where the sum is asked for is reported as just that, at every level that uses it."""
    if reason := backends.missing(package):
        pytest.skip(reason)
    outcome = suite("--backend", adapter, "--case", "nand", "--dtype", "float64", "-k", "every_step")
    for level in ("modules", "optimizer", "class"):
        [check] = outcome.checks(quantity="gradient w each step", level=level)
        assert (check["verdict"], check["declared"]) == ("deviates", None)
        assert "got is the mean over the 4 examples, where the case asks for the sum" in check["message"]
    assert outcome.verdicts(level="autodiff") == {"conforms"}


def test_what_is_stated_of_a_logit_of_zero_excuses_that_alone(suite, tmp_path):
    """A slope that is lacking at a logit of 0 is red undeclared, no verdict where stated, and excuses no other wrong slope."""
    file = tmp_path / "zero.py"
    file.write_text('from cases import nand\nZERO = nand.NAND.but("zero", params={"w": ((0,), (0,), (0,))})\n')
    names = ("NoSlopeAtZero", "StatesNoSlope", "StatesNoSlopeAndFlips")
    options = [word for name in names for word in ("--backend", adapter(name))]
    outcome = suite(
        *options, "--cases", str(file), "--case", "zero", "--dtype", "float64", "--level", "modules", "-k", "every_step"
    )
    found = {}
    for name in names:
        [check] = outcome.checks(backend=adapter(name), quantity="gradient w each step")
        found[name] = check["verdict"], bool(check["declared"])
    assert found["NoSlopeAtZero"] == ("deviates", False)
    assert found["StatesNoSlope"] == ("uninformative", False)
    assert found["StatesNoSlopeAndFlips"] == ("deviates", False)
