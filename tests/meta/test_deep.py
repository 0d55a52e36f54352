"""Nets of three layers and more: what an adapter hands back stands in the place of its layer."""

import numpy as np
import pytest

import backends
from backends.base import Deviation
from backends.transport.process import Process
from cases import Case, Dense, Network
from oracle.judge import Oracle, Steps
from runner.processes import training
from tests.meta.layered import Layered
from vocabulary.words import CONFORMS, LEVELS

SOUND = "tests.meta.layered:Layered"
# Which layer has how many units, the inputs first: all of the same shape, and all of other shapes.
SIZES = {
    f"{depth} {words}": sizes[: depth + 1]
    for depth in (3, 4, 5)
    for words, sizes in (("equal", (2, 2, 2, 2, 2, 2)), ("other", (2, 3, 4, 2, 5, 3)))
}


def deep(sizes, activations):
    """Return a softmax classifier of dense layers, no two numbers of which are the same."""
    random = np.random.default_rng(1)
    numbers = range(1, len(sizes))
    words = [*activations[: len(sizes) - 2], ""]
    network = Network(
        tuple(Dense(f"w{n}", f"b{n}", word) for n, word in zip(numbers, words, strict=True)), "softmax cross-entropy", "sum"
    )

    def loss(ops, params, data):
        z = network.outputs(ops, params, data)
        return ops.sum(ops.log(ops.exp(z) @ data["ones"]) - (data["y"] * z) @ data["ones"])

    params = {}
    for n in numbers:
        params |= {f"w{n}": random.uniform(0.1, 1, sizes[n - 1 : n + 1]), f"b{n}": random.uniform(0.1, 1, sizes[n])}
    data = {"X": random.uniform(0.1, 1, (4, sizes[0])), "y": np.eye(sizes[-1])[[0, 1, 1, 0]], "ones": np.ones((sizes[-1], 1))}
    return Case(
        "deep", "", "", loss, params, data, rate=0.5, steps=1, goal=lambda *run: True, network=network
    )  # the rate is one that MXNet's float32 holds


@pytest.fixture(scope="module", params=[name for name in backends.FRAMEWORKS if name != "numpy"])
def process(request):
    """Return the process of a framework that has a level above autodiff."""
    if reason := backends.missing(request.param):
        pytest.skip(f"{request.param}: {reason}")
    process = Process(request.param, 300.0)
    yield process
    process.stop()


def misplaced(process, case, level):
    """Return the quantities of a step from the parameters of ``case`` that do not conform."""
    description = process.call("describe")
    program = training(case, "float64", level)
    path = process.call("path", program)
    results = {"value": list(path.losses)}
    results |= {f"gradient {name}": list(array) for name, array in path.gradients.items()}
    results |= {f"updated {name}": list(array) for name, array in path.after.items()}
    formula = case.loss if "modules" in description["unsupported_levels"] else case.network.loss
    declared = [Deviation.of_record(fields) for fields in description["deviations"]]
    oracle = Oracle(formula, program.data, "float64", declared, Steps.of(program, description["conventions"]))
    judgements = oracle.judge([program.params], results)
    return [name for name, judgement in judgements.items() if judgement.verdict != CONFORMS]


@pytest.mark.parametrize("activations", [("", "", "", ""), ("tanh", "relu", "tanh", "relu")], ids=["linear", "activated"])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_what_comes_back_stands_in_its_place(process, sizes, activations):
    """At every level the loss, each gradient and each parameter after a step are those of the layers that were given."""
    case = deep(sizes, activations)
    levels = [level for level in LEVELS[1:] if level not in process.call("describe")["unsupported_levels"]]
    assert {level: misplaced(process, case, level) for level in levels} == {level: [] for level in levels}
    assert levels


class OutOfOrder(Layered):
    """Hands back its layers in the order of Chainer's Sequential.links(): the first, and then the last to the second."""

    def fit(self, program):
        for value, *both in super().fit(program):
            pairs = [list(zip(arrays[::2], arrays[1::2], strict=True)) for arrays in both]
            yield value, *([part for pair in (first, *rest[::-1]) for part in pair] for first, *rest in pairs)


def test_layers_out_of_order_are_the_adapters_fault(suite):
    """The contract names the parameters, at the levels that have layers; a fault of the framework is none there."""
    wrong, detached = "tests.meta.test_deep:OutOfOrder", "tests.meta.fleet.layers:DetachedHidden"
    options = [word for name in (SOUND, detached, wrong) for word in ("--backend", name)]
    run = suite(*options, "--dtype", "float64", "-k", "in_place")
    assert run.verdicts(backend=SOUND) == run.verdicts(backend=detached) == {"conforms"}
    found = {check["quantity"].rpartition(" ")[2]: check for check in run.checks(backend=wrong)}
    assert {level: check["verdict"] for level, check in found.items()} == dict.fromkeys(LEVELS[1:], "deviates")
    assert "got {'w1': [[2.375, 2.5], [2.625, 2.75]]," in found["modules"]["message"]
    assert "look at the order in which the adapter reads the parameters of its model" in found["modules"]["message"]
