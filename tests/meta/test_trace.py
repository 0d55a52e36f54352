"""A trace is the computation: every operation once, in its order, under its name, with its operands and its value."""

import operator

import numpy as np
import pytest

from backends.numpy import Numpy
from oracle.graph import graph, used_by
from oracle.trace import Probed, ValueOf, trace
from vocabulary.operators import named

X = np.array([[2.0, 1.0], [0.5, 4.0]])
Y = np.array([[1.0, 3.0], [5.0, 2.0]])
SYMBOLS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "@": operator.matmul,
}
NUMPY = Numpy()


def tensors(**arrays):
    return {name: NUMPY.tensor(np.asarray(array)) for name, array in arrays.items()}


def only_node(formula):
    """Return the value of ``formula`` of x and y, and its only node."""
    value, [node] = trace(formula, NUMPY, tensors(x=X), tensors(y=Y))
    assert (value.value == node.tensor.value).all()
    return value.value, node


@pytest.mark.parametrize(("symbol", "function"), SYMBOLS.items(), ids=SYMBOLS)
def test_an_operator_is_noted_as_it_stands(symbol, function):
    """Left and right stay left and right, between tensors and where a number stands on either side."""
    forms = [(lambda ops, p, d: function(p["x"], d["y"]), function(X, Y), "x, y")]
    if symbol != "@":
        forms.append((lambda ops, p, d: function(p["x"], 3), function(X, 3), "x, 3"))
        forms.append((lambda ops, p, d: function(3, p["x"]), function(3, X), "3, x"))
    for formula, expected, operands in forms:
        value, node = only_node(formula)
        assert (value == expected).all()
        assert str(node) == f"node 1 = {symbol}({operands})"


@pytest.mark.parametrize("symbol", [symbol for symbol in SYMBOLS if symbol != "@"])
def test_an_array_on_the_left_is_one_operand(symbol):
    """An array leaves the operation to the tensor on its right, and does not make one of each of its entries."""
    value, node = only_node(lambda ops, p, d: SYMBOLS[symbol](Y, p["x"]))
    assert (value == SYMBOLS[symbol](Y, X)).all()
    assert node.operands == (str(Y), "x")


def test_a_sign_is_noted():
    """Negation is an operation of one operand."""
    value, node = only_node(lambda ops, p, d: -p["x"])
    assert (value == -X).all()
    assert str(node) == "node 1 = -(x)"


@pytest.mark.parametrize(("name", "arguments"), [(name, operator.arguments[0]) for name, operator in named().items()])
def test_a_named_operation_is_noted(name, arguments):
    """The operation is the backend's own, under its name."""
    value, node = only_node(lambda ops, p, d: getattr(ops, name)(p["x"], *arguments))
    assert (value == getattr(NUMPY, name)(NUMPY.tensor(X), *arguments).value).all()
    assert str(node) == f"node 1 = {name}({', '.join(map(str, ('x', *arguments)))})"


def test_an_unknown_operation_is_refused():
    """A formula may use the named operations and no other method of a backend; the error lists them."""
    with pytest.raises(AttributeError) as raised:
        trace(lambda ops, p, d: ops.tensor(X), NUMPY, {}, {})
    assert str(raised.value) == f"there is no operation 'tensor'; there are {', '.join(named())}"


def chain(ops, params, data):
    """mean(2 - x y), in three nodes."""
    return ops.mean(2 - params["x"] * data["y"])


def test_a_node_names_the_nodes_before_it():
    """Nodes are numbered from 1 in the order of computation, and are the operands of later ones."""
    lines = ["node 1 = *(x, y)", "node 2 = -(2, node 1)", "node 3 = mean(node 2)"]
    assert [str(node) for node in graph(chain, {"x": X}, {"y": Y})] == lines


def test_a_probe_is_added_to_its_node_alone():
    """A probe shifts the value of its node and what comes after it; the formula does not see it."""
    shift = np.full((2, 2), 8.0)
    values = [X * Y, 2 - X * Y, (2 - X * Y).mean()]
    shifted = [X * Y, 2 - X * Y + shift, (2 - X * Y + shift).mean()]
    plain, probed = tensors(x=X), tensors(x=X, **{"node 2": shift})
    for params, expected in ((plain, values), (probed, shifted)):
        value, nodes = trace(chain, NUMPY, params, tensors(y=Y))
        assert [node.tensor.value.tolist() for node in nodes] == [array.tolist() for array in expected]
        assert Probed(chain)(NUMPY, params, tensors(y=Y)).value == value.value == expected[-1]
        inside = [ValueOf(chain, index)(NUMPY, params, tensors(y=Y)).value for index in range(3)]
        assert [array.tolist() for array in inside] == [array.tolist() for array in expected]
    names = []
    trace(lambda ops, p, d: names.extend(p) or p["x"], NUMPY, probed, {})
    assert names == ["x"]


@pytest.mark.parametrize(
    ("formula", "used"),
    [
        (lambda ops, p, d: p["x"] + d["y"], {"+"}),
        (lambda ops, p, d: p["x"] @ d["y"], {"@"}),
        (lambda ops, p, d: ops.exp(p["x"]), {"exp"}),
        (lambda ops, p, d: 2 * p["x"], {"*"}),
        (lambda ops, p, d: 2 * ops.sum(p["x"]), {"sum", "*", "scalars keep the dtype"}),
        (lambda ops, p, d: ops.binary_cross_entropy(p["x"], d["y"]), {"sigmoid", "binary cross-entropy"}),
        (lambda ops, p, d: ops.softmax_cross_entropy(p["x"], d["y"]), {"softmax cross-entropy"}),
    ],
    ids=["+", "@", "exp", "number", "scalar", "binary cross-entropy", "softmax cross-entropy"],
)
def test_what_a_formula_uses(formula, used):
    """What a backend can lack or declare is found in the formula: operations, and numbers that meet scalars."""
    assert used_by(formula, {"x": X}, {"y": Y}) == used


def test_a_formula_is_looked_at_in_its_numbers():
    """The formula that is looked at computes: a number that it lifts keeps its value."""
    found = []
    formula = lambda ops, p, d: found.append((2 * ops.sum(p["x"])).value.tolist())  # noqa: E731
    used_by(formula, {"x": X}, {})
    assert found == [2 * X.sum()]
