"""An exact zero is judged by the size of what cancels, and not given up."""

import flint
import numpy as np
import pytest
from flint import arb

from arithmetic.sizes import sizes
from backends.numpy import Numpy
from backends.transport.engine import Engine
from oracle.comparison import BY_CANCELLATION
from oracle.judge import Oracle
from vocabulary.words import CONFORMS, DEVIATES, UNINFORMATIVE

X = np.array([0.3, -1.7, 2.9])
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def centred(ops, params, data):
    """sum(x - mean(x)), whose gradient is 0."""
    return ops.sum(params["x"] - ops.mean(params["x"]))


def shifted(ops, params, data):
    """sum((x + b - mean(x + b))^2): the loss does not depend on a bias in front of a normalisation."""
    x = data["x"] + params["b"]
    centred = x - ops.mean(x)
    return ops.sum(centred * centred)


def judged(formula, dtype, params, data, change=lambda name, g: g):
    params, data = ({name: np.asarray(array, dtype) for name, array in arrays.items()} for arrays in (params, data))
    [(value, gradient)] = Engine(Numpy()).gradients(formula, [params], data)
    results = {"value": [value]} | {f"gradient {name}": [change(name, g)] for name, g in gradient.items()}
    return Oracle(formula, data, dtype).judge([params], results)


@every_dtype
@pytest.mark.parametrize(
    ("formula", "params", "data", "name"),
    [(centred, {"x": X}, {}, "x"), (shifted, {"b": 0.7}, {"x": X}, "b")],
    ids=["centred", "bias"],
)
def test_an_exact_zero_conforms(formula, params, data, name, dtype):
    """What rounding leaves of terms that cancel conforms, in so many words."""
    judgement = judged(formula, dtype, params, data)[f"gradient {name}"]
    assert (judgement.verdict, judgement.message) == (CONFORMS, BY_CANCELLATION)
    assert judgement.truth.tolist() == [0.0] * judgement.truth.size
    assert judgement.error_ulp < 100


@every_dtype
def test_a_term_too_few_deviates(dtype):
    """A gradient that lacks the term of the mean is 1 where it has to be 0."""
    judgement = judged(centred, dtype, {"x": X}, {}, lambda name, g: np.ones_like(g))["gradient x"]
    assert judgement.verdict == DEVIATES
    assert "got 1.0, expected 0.0" in judgement.message


def test_a_small_wrong_number_deviates():
    """An error far below the terms, and above what rounding makes of them, is found."""
    judgement = judged(centred, "float64", {"x": X}, {}, lambda name, g: g + 1e-10)["gradient x"]
    assert judgement.verdict == DEVIATES


def test_a_bound_as_wide_as_what_cancels_gives_no_verdict():
    """Where rounding may explain half of the terms, nothing can be said."""

    def lost(ops, params, data):
        large = params["x"] * data["large"]
        return ops.sum((params["x"] + large - large - params["x"]) * data["weight"])

    data = {"large": np.array(1e9), "weight": np.array(1.0)}
    params = {"x": np.array([1.0])}
    results = {"value": [np.array(0.0, "float32")]}
    numbers = ({name: np.asarray(array, "float32") for name, array in arrays.items()} for arrays in (params, data))
    point, seen = numbers
    judgement = Oracle(lost, seen, "float32").judge([point], results)["value"]
    # The terms of the value have the size of ``large``, of which the bound is a small part.
    assert (judgement.verdict, judgement.message) == (CONFORMS, BY_CANCELLATION)

    def hidden(ops, params, data):
        return ops.exp(params["x"] * data["large"] - params["x"] * data["large"]) - 1

    judgement = Oracle(hidden, seen, "float32").judge([{"x": np.array(1.0, "float32")}], results)["value"]
    assert judgement.verdict == UNINFORMATIVE


def test_sizes_are_sums_of_absolute_values():
    """Of a difference the sum, of a product the product, of a function its value; a gradient has the sizes of its terms."""
    found = sizes(lambda ops, p, d: ops.sum(p["x"] * d["y"] - ops.exp(p["x"])), {"x": X}, {"y": -X})
    assert found["value"] == (np.abs(X * X) + np.exp(X)).sum()
    assert found["gradient x"].tolist() == (np.abs(X) + np.exp(X)).tolist()


def test_every_operator_has_sizes():
    """What any formula may be made of can be judged by what cancels: reductions, the largest entry, kinks and losses."""

    def formula(ops, p, d):
        x = p["x"]
        terms = ops.tanh(x) + ops.relu(x) + ops.sigmoid(x) / (1 + ops.exp(x))
        rows = ops.sum(ops.softmax_cross_entropy(x @ d["w"], d["y"])) + ops.sum(ops.binary_cross_entropy(x, d["z"]))
        return ops.mean(terms) + rows + ops.sum(ops.logsumexp(x, -1)) + ops.log(ops.sum(x * x))

    random = np.random.default_rng(1)
    data = {"w": random.normal(size=(3, 2)), "y": np.eye(2), "z": np.ones((2, 3))}
    found = sizes(formula, {"x": random.normal(size=(2, 3))}, data)
    assert np.isfinite(found["value"])
    assert found["gradient x"].shape == (2, 3)
    assert (found["gradient x"] > 0).all()


def test_a_size_that_is_not_finite_warns_nobody():
    """A pole in a formula is no trouble of the judge's own."""
    found = sizes(lambda ops, p, d: ops.log(p["x"]) + 1 / p["x"], {"x": np.array(0.0)}, {})
    assert not np.isfinite(found["value"])


@pytest.mark.parametrize("size", [100, 250, 400, 700])
def test_a_number_far_below_the_terms_is_no_zero(size):
    """1 - sigmoid(w) is exp(-w) to rounding, which float64 holds: 0 in its place is no zero by cancellation."""

    def formula(ops, params, data):
        return 1 - ops.sigmoid(params["w"])

    judgement = judged(formula, "float64", {"w": float(size)}, {})["value"]
    assert judgement.verdict == UNINFORMATIVE
    with flint.ctx.workprec(2000):
        assert judgement.truth.tolist() == [float(1 - 1 / (1 + (-arb(size)).exp()))]
