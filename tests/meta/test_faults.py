"""Planted faults are found, by the check that is there to find them, with a message that says where and by how much."""

import importlib.util
import re

import pytest

from tests.meta.fleet import fleet

FAULTS = (
    ("SumIsMean", "loss"),
    ("SumIsMean", "gradient w1"),
    ("SumIsMean", "sum"),
    ("SigmoidSlope", "gradient w1"),
    ("SigmoidSlope", "gradient x of sigmoid"),
    ("Clips7", "log"),
    ("Float32Activation", "prediction"),
    ("StaleGradient", "updated w1 each step"),
    ("RateTenBillionth", "updated b2 each step"),
    ("WritesInputs", "inputs untouched"),
    ("Random", "repeatable"),
    ("StaleDeclaration", "declared tanh"),
    ("FalselyUnsupported", "log"),
    ("LooseDeclaration", "declared sigmoid"),
    ("TrainWritesData", "inputs untouched"),
    ("ZeroNumerator", "gradient a of /"),
    ("NanAtZero", "tanh"),
    ("Shares", "memory of its own"),
)


# It cannot be loaded, and so cannot describe itself.
MUTE = "tests.meta.broken_import:Any"
ADAPTERS = {fault.name: fault.adapter for fault in fleet()}


def adapter(name):
    return ADAPTERS.get(name, f"tests.meta.adapters:{name}")


@pytest.fixture(scope="module")
def faulty_run(shared_suite):
    """Return a run over all faulty adapters."""
    options = [option for name in dict.fromkeys(name for name, _ in FAULTS) for option in ("--backend", adapter(name))]
    for name in (*map(adapter, ("ForgetsAName", "ExcusesItself", "Short")), MUTE):
        options += ["--backend", name]
    return shared_suite(*options, "--case", "xor", "--dtype", "float64")


def test_a_sound_adapter_from_outside_conforms(suite):
    """The adapter from which the faulty ones are made has no fault; a single engine claims no agreement."""
    outcome = suite("--backend", adapter("Sound"), "--case", "xor")
    assert outcome.status == 0, outcome.text
    assert outcome.verdicts(level="autodiff") == {"conforms"}
    assert outcome.verdicts(level="class") == {"unsupported"}
    assert "no agreement is claimed: one backend ran: " in outcome.text


@pytest.mark.parametrize(("name", "quantity"), FAULTS)
def test_a_fault_deviates(faulty_run, name, quantity):
    """The fault fails the run, in the quantity that shows it, and the message says how to judge it again."""
    [check] = faulty_run.checks(backend=adapter(name), quantity=quantity)
    assert check["verdict"] == "deviates"
    assert faulty_run.status == 1
    assert f"{quantity}: deviates: {check['message']}" in faulty_run.text
    assert re.search(
        r"to judge this again, all of its numbers into look.json: \S*python\S* -m pytest "
        rf"'\S+' --backend {adapter(name)} --dtype float64",
        faulty_run.text,
    )


def test_a_parameter_without_gradient_is_named(faulty_run):
    """A gradient that lacks a parameter fails and names what came and what should have come."""
    assert faulty_run.verdicts(backend=adapter("ForgetsAName"), quantity="gradient") == {"failed"}
    assert "returned entries ['w1', 'w2'] for parameters ['b2', 'w1', 'w2']" in faulty_run.text


FORWARD = "the first node outside its bound is "
BACKWARD = "all values are right; going back from the loss, the first wrong adjoint is that of "
LOCATED = (
    ("SigmoidSlope", "gradient w1", BACKWARD + "node 4 = +(node 3, b2), used by node 5 = sigmoid(node 4)"),
    ("Float32Activation", "loss", FORWARD + "node 2 = sigmoid(node 1)"),
    ("SumIsMean", "loss", FORWARD + "node 12 = sum(node 11)"),
)


@pytest.mark.parametrize(("name", "quantity", "words"), LOCATED)
def test_the_trace_names_the_operation(faulty_run, name, quantity, words):
    """A message about a wrong loss or gradient says at which node of the graph it goes wrong."""
    [check] = faulty_run.checks(backend=adapter(name), quantity=quantity)
    assert words in check["message"]


@pytest.mark.parametrize("operation", ["exp", "log", "tanh", "sigmoid", "relu"])
def test_a_wrong_derivative_is_traced_to_its_operation(suite, operation):
    """One derivative is off: every other node conforms, and its operand's adjoint does not."""
    case = {"exp": "logistic-graph-generic", "tanh": "tanh-neuron-generic", "relu": "relu-generic"}.get(operation, "nand")
    backend = adapter(f"{operation.capitalize()}Slope")
    outcome = suite("--backend", backend, "--case", case, "--dtype", "float64", "--nodes", "-k", "every_node")
    [first, *_] = reversed(outcome.checks(verdict="deviates"))
    culprit = next(check["quantity"] for check in outcome.checks() if f"= {operation}(" in check["quantity"])
    operand = re.search(r"\((node \d+)\)", culprit)[1]
    assert first["quantity"].startswith(f"adjoint of {operand} = ")


def test_one_lacking_operation_excuses_no_other(faulty_run):
    """An exception is unsupported only where the formula uses what is stated to be lacking."""
    assert faulty_run.verdicts(backend=adapter("ExcusesItself"), quantity="gradient") == {"failed"}


def test_training_that_ends_early_fails(faulty_run):
    """A run of five steps is not a run of a thousand."""
    assert faulty_run.verdicts(backend=adapter("Short"), quantity="each step", level="autodiff") == {"failed"}
    assert "training ended after 5 of 1000 steps" in faulty_run.text


def test_a_backend_that_cannot_describe_itself_fails(faulty_run):
    """Every one of its checks is recorded, none is green."""
    assert faulty_run.verdicts(backend=MUTE) == {"failed"}
    assert len(faulty_run.checks(backend=MUTE)) > 10
    for level in ("autodiff", "modules"):
        [check] = faulty_run.checks(backend=MUTE, quantity="each step", level=level)
        assert check["message"].startswith(f"backend {MUTE!r} cannot be loaded: ImportError: libframework.so.1")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")
def test_a_forgotten_zero_grad_deviates(suite):
    """PyTorch without zero_grad: the first step conforms, the second is outside, and the message says so."""
    outcome = suite("--backend", adapter("ForgetfulTorch"), "--case", "nand", "--dtype", "float32")
    assert outcome.status == 1
    [check] = outcome.checks(quantity="gradient w each step", level="autodiff")
    assert check["verdict"] == "deviates"
    assert "at step 1: got " in check["message"]
    assert "99 of 100 steps are outside, and this is the first; the worst is gradient w[" in check["message"]
    assert check["where"].endswith("at step 1")
    assert (
        "look at what the adapter does to a gradient after computing it: adding it to the one of the step before"
        in check["message"]
    )
    assert outcome.verdicts(quantity="gradient w") == {"conforms"}


HIDDEN = {
    "NanToNum": [
        "the gradient of sum(w v) with respect to v at w = [nan, 0.5]: got [0.0, 0.5], expected nan",
        "w = [inf, 0.5]: got [1.79",
    ],
    "InfinityToNum": ["the gradient of sum(w v) with respect to v at w = [inf, 0.5]: got [1.79"],
    "NanMasked": ["sum(w v) at w = [nan, 0.5]: got 0.0, expected nan"],
    "InfinityMasked": ["sum(w v) at w = [inf, 0.5]: got 1.79"],
    "SumSkipsNan": [
        "sum of [nan, 0.5]: got 0.5, expected nan",
        "mean of [nan, 0.5]: got 0.25",
        "sum(w v) at w = [nan, 0.5]: got 1.0",
    ],
    "ReluHidesNan": ["relu of [nan, 0.5]: got [0.0, 0.5], expected [nan, a finite number]; look for"],
}


@pytest.fixture(scope="module")
def hiding_run(shared_suite):
    """Return a run of all that hide what is not finite."""
    options = [option for name in HIDDEN for option in ("--backend", adapter(name))]
    return shared_suite(*options, "--case", "line", "-k", "non_finite")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", HIDDEN)
def test_what_hides_a_number_that_is_not_finite_is_found(hiding_run, name, dtype):
    """NaN and infinity, in an operation, a loss or a gradient, each on its own; the message says what has become of it."""
    [check] = hiding_run.checks(backend=adapter(name), dtype=dtype)
    assert check["verdict"] == "deviates"
    for words in HIDDEN[name] if dtype == "float64" else ():
        assert words in check["message"]
