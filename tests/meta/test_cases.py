"""Cases that cannot be dealt out, or do not fit their layers, are refused with their name and both shapes."""

import numpy as np
import pytest

import cases
from cases import Batches, Case, CaseError, Dense, Network, shuffled
from cases.nand import NAND
from cases.xor import XOR
from oracle.graph import graph
from runner.validation import validate


def layers(*parts, objective="binary cross-entropy", reduction="sum"):
    return {"network": Network(parts, objective, reduction)}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (layers(Dense("w1"), Dense("w2", "b2")), ""),
        (layers(Dense("w1"), Dense("w2")), r"its layers use the parameters \['w1', 'w2'\], it has \['b2', 'w1', 'w2'\]"),
        (layers(Dense("w2", "b2"), Dense("w1")), r"layer 1 takes 3 inputs, params\['w2'\] has shape \(2, 1\)"),
        (layers(Dense("w1", "b2"), Dense("w2")), r"layer 1 has 2 units, params\['b2'\] has shape \(1, 1\)"),
        (layers(Dense("w2", "b2")), r"its layers use the parameters \['b2', 'w2'\]"),
        (layers(Dense("w1"), Dense("w2", "b2"), objective="hinge"), "objective 'hinge'; known: binary cross-entropy"),
        (layers(Dense("w1"), Dense("w2", "b2"), reduction="max"), "reduction 'max'; known: sum, mean"),
        (layers(Dense("w1", activation="swish"), Dense("w2", "b2")), "activation 'swish'; known: sigmoid, tanh, relu"),
    ],
)
def test_layers_that_do_not_fit(changes, words):
    """The error names the case, and what it has beside what the layers need."""
    if not words:
        assert XOR.but("mine", **changes).network
        return
    with pytest.raises(CaseError, match=rf"case 'mine': .*{words}"):
        XOR.but("mine", **changes)


def test_targets_that_do_not_fit():
    """Outputs and targets of other shapes would broadcast: they are refused."""
    for shape in ((4, 2), (4,), (3, 1)):
        with pytest.raises(CaseError, match=r"its layers give the shape \(4, 1\), data\['y'\] has shape ") as error:
            NAND.but("mine", data=NAND.data | {"y": np.ones(shape)})
        assert str(shape) in str(error.value)


def test_labels_are_labels():
    """Frameworks cast labels to whole numbers: what is none is refused, and so is more than one output of a sum."""
    with pytest.raises(CaseError, match="case 'mine': a binary cross-entropy takes labels 0 and 1"):
        NAND.but("mine", data=NAND.data | {"y": np.full((4, 1), 0.5)})
    two = {"params": {"w": np.ones((3, 2))}, "data": NAND.data | {"y": np.ones((4, 2))}}
    with pytest.raises(CaseError, match="takes one output an example, its last layer has 2 units"):
        NAND.but("mine", **two)
    with pytest.raises(CaseError, match="takes one-hot rows of two classes or more"):
        NAND.but("mine", **two, **layers(Dense("w"), objective="softmax cross-entropy"))


@pytest.mark.parametrize(
    "network",
    [
        Network((Dense("w"),), "binary cross-entropy", "mean"),
        Network((Dense("w", activation="sigmoid"),), "binary cross-entropy", "sum"),
        Network((Dense("w"),), "squared error", "sum"),
    ],
)
def test_two_truths_are_refused(network):
    """A network that is not the formula would be held to itself: the error has both numbers."""
    with pytest.raises(CaseError, match=r"its formula has the loss 2\.59\S+, its network has \d"):
        validate(NAND.but("mine", network=network), ["float64"])


def test_every_batch_has_to_fit():
    """What breaks in a batch only, or on the data held out, is found before work starts."""
    with pytest.raises(CaseError, match="case 'mine': its formula raises ValueError"):
        validate(NAND.but("mine", network=None, batches=Batches(3, shuffled(4, 1, 1), rows=("X",))), ["float64"])
    digits = cases.builtin()["digits"]
    with pytest.raises(CaseError, match="the data held out do not fit: layer 1 takes 3 inputs"):
        digits.but("mine", held_out=digits.held_out | {"X": np.ones((540, 3))})


def small(**arrays):
    """A case of one parameter w, or of the ``arrays`` given."""
    return Case(name="mine", title="t", source="s", loss=lambda ops, p, d: -p["w"], **({"params": {"w": 1.0}} | arrays))


@pytest.mark.parametrize("field", ["params", "data", "held_out"])
@pytest.mark.parametrize("name", ["node 1", "", "3", "w 1", "w.1", "w-1", " w", "w\n", 1, None], ids=repr)
def test_names_that_are_no_identifiers_are_refused(field, name):
    """They would be taken for a node, a number or nothing: the error names the case, the name and what is allowed."""
    with pytest.raises(CaseError) as error:
        small(**{field: {"w": 1.0, name: 0.5}})
    assert str(error.value) == (
        f"case 'mine': {field} has the name {name!r}; a parameter or array of data has a name of letters, digits and '_' that "
        "does not begin with a digit, as Python's own names"
    )


@pytest.mark.parametrize("name", ["w", "W1", "_", "t_c", "lambda", "\N{GREEK SMALL LETTER BETA}1", "node_1"])
def test_identifiers_are_names(name):
    """Of parameters and of data, in any script, with a digit behind."""
    assert set(small(params={name: 1.0}).params) == set(small(data={name: 1.0}).data) == {name}


def test_no_parameter_has_the_name_of_a_probe():
    """The probes of a trace stand among the parameters, and no case can have one of their names."""
    [node] = graph(small().loss, small().params, {})
    with pytest.raises(CaseError, match=f"params has the name '{node.name}'"):
        small(params={"w": 1.0, node.name: 0.0})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network": "dense"}, "network is a Network or None, got 'dense'"),
        ({"batches": [[0, 1]]}, r"batches is a Batches or None, got \[\[0, 1\]\]"),
        ({"network": Network((Dense("w")), "binary cross-entropy", "sum")}, "are a tuple of Dense, got Dense"),
        ({"rate": "0.5"}, "a rate is a number, got '0.5'"),
        ({"optimizer": "adam", "network": None}, "trains layers: give the case a network"),
        ({"held_out": NAND.data}, "data held out, for which it also needs batches"),
    ],
)
def test_fields_of_another_kind(changes, words):
    """The error names the case and what it got."""
    with pytest.raises(CaseError, match=f"case 'mine': .*{words}"):
        NAND.but("mine", **changes)


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        (Batches(0, shuffled(4, 2, 1)), "at least one, got the size 0"),
        (Batches(2.5, shuffled(4, 2, 1)), "at least one, got the size 2.5"),
        (Batches(2, [[0, 1, 2, 3], [0, 1]]), "the order of its batches is ragged"),
        (Batches(2, [[0, 1, 2, 3], [0, 1, 2, 2]]), r"must hold each of the 4 examples once, got \[0, 1, 2, 2\]"),
        (Batches(2, [[0.0, 1.0, 2.9, 3.0]]), "is whole numbers, got float64"),
        (Batches(2, np.zeros((0, 4), int)), "must hold each of the 4 examples once"),
        (Batches(2, shuffled(5, 2, 1)), "must hold each of the 4 examples once"),
        (Batches(2, shuffled(4, 2, 1), rows=("X", "z")), r"its batches are rows of \['X', 'z'\], its data are \['X', 'y'\]"),
    ],
)
def test_batches_that_do_not_deal_out_the_data(batches, words):
    """Empty and ragged batches, and orders that repeat or lack an example, are refused."""
    with pytest.raises(CaseError, match=f"case 'mine': .*{words}"):
        NAND.but("mine", batches=batches)


def test_ragged_data_are_refused():
    """Data of different lengths cannot be dealt out together."""
    data = NAND.data | {"y": np.ones((3, 1))}
    with pytest.raises(CaseError, match=r"ragged or empty: the data have \{'X': 4, 'y': 3\} rows"):
        NAND.but("mine", data=data, network=None, batches=Batches(2, shuffled(4, 1, 1)))


def test_every_epoch_sees_every_example():
    """Fifty points in fours make twelve batches of four and one of two, each point once an epoch, in another order."""
    case = cases.builtin()["blobs"]
    seen = list(case.batches)[: 2 * case.batches.an_epoch]
    assert [len(rows) for rows in seen[:13]] == [4] * 12 + [2]
    first, second = np.concatenate(seen[:13]), np.concatenate(seen[13:])
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()
    assert case.steps == 13_000


def test_judged_steps_are_spread_on_a_logarithmic_scale():
    """At least 200 steps are judged, the first and the last among them, and as many in the first tenth as elsewhere."""
    case = cases.builtin()["circles"]
    steps = case.judged
    assert len(steps) >= 200
    assert (steps[0], steps[-1]) == (0, case.steps - 1)
    assert (steps < case.steps / 10).sum() > len(steps) / 2


def test_an_unknown_optimizer_is_refused():
    """There are SGD and Adam."""
    with pytest.raises(CaseError, match="case 'mine' has the optimizer 'lbfgs'; known: adam, "):
        NAND.but("mine", optimizer="lbfgs")


def test_held_out_data_have_the_names_of_the_data():
    """A classifier is evaluated on the same quantities that it is trained on."""
    digits = cases.builtin()["digits"]
    with pytest.raises(CaseError, match=r"held_out has the names of data: got \['X'\], expected \['X', 'ones', 'y'\]"):
        digits.but("mine", held_out={"X": digits.held_out["X"]})


def test_blobs_are_those_of_the_source():
    """The first points and labels are the ones that the source prints, in float32."""
    data = cases.builtin()["blobs"].data
    printed = [["2.4885", "-7.4323"], ["1.4338", "-8.7279"], ["2.1874", "-8.8029"], ["1.1995", "-4.6490"]]
    assert [[f"{np.float32(x):.4f}" for x in row[:2]] for row in data["X"][:4]] == printed
    assert data["y"][:4, 0].tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (
            lambda loss: loss < 0.1,
            r"its goal raises TypeError: .*takes 1 positional argument but 3 were given; goal\(loss, pred",
        ),
        (lambda loss, prediction, data: 1 / 0, r"its goal raises ZeroDivisionError: .*test_cases.py, line \d+\); goal\(loss, "),
        (lambda loss, prediction, data: prediction > 0.5, r"returns True or False, got array"),
    ],
    ids=["arguments", "raises", "array"],
)
def test_a_goal_is_tried_before_the_run(goal, words):
    """One that raises, or gives no truth value, is refused with the case, and the line of it."""
    with pytest.raises(CaseError, match=f"case 'mine': .*{words}"):
        validate(NAND.but("mine", goal=goal), ["float64"])


def test_axes_that_leave_out_what_changes_with_them_are_refused():
    """An array whose axis has no name keeps its size, and does not fit variants of the others."""
    axes = {"X": "n 3", "w": "3 1"}
    with pytest.raises(CaseError, match=r"arrays that it leaves out, \['y'\], keep their shapes: name all axes that change"):
        validate(NAND.but("mine", axes=axes, network=None), ["float64"])
    validate(NAND.but("mine", axes=axes | {"y": "n 1"}, network=None), ["float64"])


@pytest.mark.parametrize(
    ("long", "memory", "words"),
    [
        (
            False,
            1e-6,
            r"truth and bound of the 91 values that its formula computes, at 200 points at once, may take 0\.00678 GiB, and "
            "the limit is 1e-06",
        ),
        (True, 0.05, r"1,000,000 judged steps of 2 parameters may take 0\.134 GiB, and the limit is 0\.05 GiB; make"),
    ],
    ids=["formula", "steps"],
)
def test_what_does_not_fit_into_memory_is_refused(long, memory, words):
    """Before any work, with its size and the limit; a run that is sampled may fit where all its steps do not."""
    thermometer = cases.builtin()["thermometer"].but("mine", steps=1_000_000)
    with pytest.raises(CaseError, match=f"case 'mine' is too large to be judged: {words}"):
        validate(thermometer, ["float64"], memory, long=long)
    if long:
        validate(thermometer, ["float64"], memory)
