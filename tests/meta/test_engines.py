"""Which engine computes is measured, as its version and mode are; what can only be stated is called so."""

import types

import numpy as np
import pytest

import backends
from backends import FRAMEWORKS, is_installed
from backends.transport.process import Process
from report.page import build

FILE = "tests/meta/lying.py"
LYING = "tests.meta.lying:"
OWN = "tests.meta.own_engine:"
ALIKE = "no agreement is claimed: no two of the backends that ran have separate engines: "


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_is_measured_to_be_itself(name):
    """Each adapter of this repository has imported its framework and no other, and states the version that is installed."""
    if reason := backends.missing(name):
        pytest.skip(reason)
    process = Process(name, limit=100)
    description = process.call("describe")
    process.stop()
    assert description["measured"] == {name: backends.installed_version(name)}
    assert is_installed(description["version"], description["measured"][name])
    assert description["faults"] == []


@pytest.mark.parametrize(
    ("adapter", "name", "measured"),
    [(LYING + "Renamed", "mine", ["numpy"]), (OWN + "Own", "own", []), ("tests.meta.layered:Layered", "numpy", ["numpy"])],
)
def test_an_adapter_from_outside_is_measured(adapter, name, measured):
    """What derives from an adapter of ours computes with its framework, whatever it is called; an engine of its own is none."""
    process = Process(adapter, limit=60)
    description = process.call("describe")
    process.stop()
    assert (description["engine"], [*description["measured"]], description["faults"]) == (name, measured, [])


@pytest.mark.parametrize(
    ("imported", "holder", "expected"),
    [
        ((), {}, []),
        (("torch", "autograd"), {}, ["autograd", "torch"]),
        (("tensorflow", "jax"), {}, ["tensorflow"]),
        (("tensorflow", "jax"), {"keras.callbacks": "module"}, ["tensorflow"]),
        (("tensorflow", "jax"), {"my_adapter": "module"}, ["jax", "tensorflow"]),
        (("tensorflow", "jax"), {"my_adapter": "function"}, ["jax", "tensorflow"]),
        (("jax",), {}, ["jax"]),
        (("arithmetic.tape", "torch"), {}, ["numpy", "torch"]),
        (("numpy",), {}, []),
    ],
)
def test_engines_are_what_is_imported(imported, holder, expected):
    """numpy counts where the suite's tape does, and JAX beside TensorFlow, which brings it, where anything else holds it."""

    def function():
        """Stand for one of JAX."""

    function.__module__ = "jax._src.api"
    modules = {name: types.ModuleType(name) for name in (*imported, *holder)}
    for name, kind in holder.items():
        modules[name].held = modules["jax"] if kind == "module" else function
    assert [*backends.engines(modules)] == expected


@pytest.mark.parametrize(
    ("stated", "installed", "same"),
    [
        ("2.13.0", "2.13.0", True),
        ("2.13.0+cpu", "2.13.0", True),
        ("2.13.0", "2.13.0+cpu", True),
        ("2.13.0+cpu", "2.13.0+cu130", False),
        ("2.21.0-rc1", "2.21.0rc1", True),
        ("7.8.1.post1", "7.8.1", False),
        ("2.13", "2.13.1", False),
        ("none", "none", True),
        ("none", "2.13.0", False),
    ],
)
def test_versions_that_are_one(stated, installed, same):
    """Spellings of one version are one; the local part counts where both have it."""
    assert is_installed(stated, installed) is same


def test_a_false_name_stops_the_run(suite):
    """An adapter that is called like a framework which it has not imported is refused with its file, before any test."""
    names = (LYING + "CalledTorch", OWN + "CalledTorch", "numpy")
    outcome = suite(*(option for name in names for option in ("--backend", name)), "--case", "line")
    assert outcome.status == 4, outcome.text
    words = "name is 'torch', but the adapter computes with"
    assert (
        f"ERROR: backend '{LYING}CalledTorch': tests/meta/lying.py: {words} 'numpy'; set name to the framework that computes"
        in outcome.text
    )
    assert f"tests/meta/own_engine.py: {words} none of the known frameworks" in outcome.text
    assert " passed" not in outcome.text


# The adapter, the check that fails, and words of its message.
LIES = (
    ("tests.meta.lying:OtherVersion", "version", f"states version 0.0.1 in {FILE}; installed: numpy {np.__version__}"),
    (
        "tests.meta.lying:Compiled",
        "gradient mode",
        f"got [1, 1, 1] calls of the formula in 3 computations (gradient), which is eager; expected 'compiled', as `modes` "
        f"states in {FILE}",
    ),
    ("tests.meta.lying:Compiled", "training mode", "(training), which is eager; expected 'compiled'"),
    (
        "tests.meta.lying:NowAndThen",
        "gradient mode",
        "got [1, 0, 1] calls of the formula in 3 computations (gradient), which is neither",
    ),
    (
        "tests.meta.lying_jax:Eager",
        "gradient mode",
        "got [1, 0, 0] calls of the formula in 3 computations (gradient), which is compiled; expected 'eager'",
    ),
    (
        "tests.meta.lying_jax:Eager",
        "training mode",
        "got [1, 0, 0] calls of the formula in 3 computations (training), which is compiled",
    ),
    ("tests.meta.lying_autograd:ImportsLate", "engine", "were recorded; import it at the top of the adapter"),
)


def needs(adapter):
    """The framework that a module of adapters is named after."""
    return adapter.partition(":")[0].rpartition("_")[2]


CAUGHT = [lie for lie in LIES if needs(lie[0]) not in FRAMEWORKS or not backends.missing(needs(lie[0]))]


@pytest.fixture(scope="module")
def lies(shared_suite):
    """Return a run over adapters that say what is not so, beside a sound one."""
    names = dict.fromkeys([LYING + "Renamed", *(name for name, *_ in CAUGHT), "numpy"])
    options = [option for name in names for option in ("--backend", name)]
    return shared_suite(*options, "--case", "line", "--dtype", "float64", "-k", "version or modes")


@pytest.mark.parametrize(("adapter", "quantity", "words"), CAUGHT)
def test_a_lie_deviates(lies, adapter, quantity, words):
    """The check of the contract says what was measured, what is stated, and where."""
    [check] = lies.checks(backend=adapter, quantity=quantity)
    assert (check["verdict"], check["declared"]) == ("deviates", None)
    assert words in check["message"]
    assert lies.status == 1


def test_a_sound_adapter_tells_no_lie(lies):
    """What it states is what is measured, whatever it is called."""
    for name in ("numpy", LYING + "Renamed"):
        assert lies.verdicts(backend=name) == {"conforms"}


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            [LYING + "Renamed", "numpy"],
            f"{ALIKE}numpy computes with numpy; {LYING}Renamed computes with numpy",
        ),
        ([OWN + "Own", OWN + "Renamed"], ALIKE),
        ([OWN + "Own", "numpy"], f"agreement of all 2 backends (numpy, {OWN}Own), as far as they have the level, on 2 of 2"),
    ],
)
def test_agreement_needs_two_engines(suite, tmp_path, names, words):
    """Two names of one engine agree on nothing; an engine of its own counts, and is called stated in the terminal and page."""
    file = f"--results={tmp_path}/results.json"
    options = [option for name in names for option in ("--backend", name)]
    outcome = suite(*options, "--case", "line", file, "-k", "not declarations")
    assert outcome.status == 0, outcome.text
    assert words in outcome.text
    page, *_ = build([tmp_path / "results.json"], tmp_path)
    text = page.read_text()
    stated = f"{OWN}Own: its engine is stated as own 0.1 and cannot be measured: of the known frameworks it uses none"
    assert (stated in outcome.text) is (OWN + "Own" in names)
    assert ("| stated: own | stated: 0.1 | eager | eager |" in text) is (OWN + "Own" in names)
    assert (f"| numpy | numpy {np.__version__} | {np.__version__} | eager | eager |" in text) is ("numpy" in names)
