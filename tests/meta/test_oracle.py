"""The oracle is right: its derivatives, its bounds, its guard and what it says of the sources."""

import math

import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

import cases
from backends.base import Deviation
from backends.numpy import Numpy
from backends.transport.engine import Engine
from oracle.comparison import Comparison
from oracle.judge import Oracle, Steps
from oracle.layout import wrong_layout
from tests.meta.test_comparison import add
from vocabulary import losses
from vocabulary.rules import Optimizer
from vocabulary.words import CONFORMS, DEVIATES, DTYPES, OPTIMIZER_DTYPE, SCALARS_KEEP_DTYPE, UNINFORMATIVE

every_dtype = pytest.mark.parametrize("dtype", sorted(DTYPES))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["xor", "logistic-graph", "tanh-neuron", "thermometer", "relu-generic"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_bounds_hold_for_numpy(name, dtype, data):
    """Whatever the start, a float evaluation lies inside its ball: no alarm without a fault."""
    case = cases.builtin()[name]
    numbers = st.floats(-30, 30, width=32)
    point = {
        key: np.array(data.draw(st.lists(numbers, min_size=array.size, max_size=array.size)), dtype).reshape(array.shape)
        for key, array in case.params.items()
    }
    for judgement in judge(case, dtype, point).values():
        assert judgement.verdict in (CONFORMS, UNINFORMATIVE), judgement.message


def judge(case, dtype, point=None, fault=lambda results: results, deviations=()):
    """Judge numpy's loss and gradient of ``case`` after ``fault`` has had its way with them."""
    params, data = case.at(dtype)
    params = params if point is None else point
    with np.errstate(all="ignore"):
        [(value, gradient)] = Engine(Numpy()).gradients(case.loss, [params], data)
    results = fault({"value": value} | {f"gradient {name}": array for name, array in gradient.items()})
    return Oracle(case.loss, data, dtype, deviations).judge([params], {name: [array] for name, array in results.items()})


WRONG = {
    "zero": lambda x: 0 * x,
    "sign flipped": lambda x: -x,
    "1.5-fold": lambda x: x + x / 2,
    "permuted": lambda x: np.roll(x.ravel(), 1).reshape(x.shape),
    "nan in one entry": lambda x: np.where(np.arange(x.size).reshape(x.shape) == 0, np.array(np.nan, x.dtype), x),
    "infinite": lambda x: x + np.array(np.inf, x.dtype),
}


@every_dtype
@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_gradients_deviate(wrong, dtype):
    """The four results that the guard promises to throw out, and those that are not numbers, are thrown out."""
    case = cases.builtin()["xor"]

    def fault(results):
        return results | {"gradient w1": wrong(results["gradient w1"])}

    judged = judge(case, dtype, fault=fault)
    assert judged["gradient w1"].verdict == DEVIATES
    assert judged["gradient w2"].verdict == CONFORMS
    assert "gradient w1[" in judged["gradient w1"].message
    for word in ("got", "expected", "off by", "allowed"):
        assert word in judged["gradient w1"].message


def test_wrong_shapes_and_dtypes_deviate():
    """Shape and dtype are compared before values: right numbers in the wrong layout are wrong."""
    case = cases.builtin()["xor"]
    flat = judge(case, "float64", fault=lambda r: r | {"gradient w1": r["gradient w1"].ravel()})
    narrow = judge(case, "float64", fault=lambda r: r | {"value": r["value"].astype("float32")})
    wide = judge(case, "float32", fault=lambda r: r | {"value": r["value"].astype("float64")})
    assert flat["gradient w1"].message == "got shape (6,), expected (3, 2)"
    assert narrow["value"].message == "got dtype float32, expected float64"
    assert wide["value"].message == "got dtype float64, expected float32"
    assert {flat["gradient w1"].verdict, narrow["value"].verdict, wide["value"].verdict} == {DEVIATES}
    assert {flat["gradient w1"].points, narrow["value"].points, wide["value"].points} == {1}
    assert {judgement["value"].entry for judgement in (narrow, wide)} == {0}


@every_dtype
def test_a_dtype_is_that_of_the_run_or_a_wider_one_of_a_run(dtype):
    """Extended precision, complex numbers, text, objects, records, integers and other byte orders are no wider dtype."""
    native = np.dtype(dtype)
    wider = [name for name in DTYPES if np.finfo(name).nmant > np.finfo(dtype).nmant]
    narrower = [name for name in DTYPES if np.finfo(name).nmant < np.finfo(dtype).nmant]
    foreign = ["longdouble", "complex64", "complex128", "U8", "S8", "O", "i8", "?", "M8[s]", [("x", dtype)]]
    other = native.newbyteorder()

    def judged(name):
        results = {"value": [np.ones((), name)], "gradient x": [np.zeros((), dtype)]}
        return Oracle(lambda ops, p, d: 1 + p["x"] * 0, {}, dtype).judge([{"x": np.array(2, dtype)}], results)

    assert {judgement.verdict for judgement in judged(native).values()} == {CONFORMS}
    for name in (*wider, *narrower, *foreign, other):
        got, beside = judged(name).values()
        assert (got.verdict, got.message) == (DEVIATES, f"got dtype {np.dtype(name)}, expected {dtype}")
        assert beside.verdict == CONFORMS
    assert [bool(wrong_layout([np.ones((), name)], (), dtype)[0]) for name in wider] == [False] * len(wider)
    assert all(wrong_layout([np.ones((), name)], (), dtype)[0] for name in (*narrower, *foreign, other))


def test_a_kink_gives_no_verdict():
    """At relu(0) every subgradient is admitted, so that no verdict is possible, and none is given."""
    zero = {"x": np.zeros(2)}
    loss = lambda ops, params, data: ops.sum(ops.relu(params["x"]) * data["weight"])  # noqa: E731
    oracle = Oracle(loss, {"weight": np.array([1.1, 1.7])}, "float64")
    for slope in (0.0, 0.5, 1.0):
        results = {"gradient x": [np.array([1.1, 1.7]) * slope]}
        assert oracle.judge([zero], results)["gradient x"].verdict == UNINFORMATIVE
    beyond = {"gradient x": [np.array([1.1, 1.7]) * 2]}
    assert oracle.judge([zero], beyond)["gradient x"].verdict == DEVIATES


def test_overflow_gives_no_verdict():
    """Where a result may leave the range of the dtype, the bound is infinite and there is no verdict."""
    square = cases.builtin()["square"]
    for size in (1e20, np.finfo("float32").max):
        point = {"x": np.array(size, "float32")}
        with np.errstate(over="ignore"):
            value = point["x"] * point["x"]
        judged = Oracle(square.loss, {}, "float32").judge([point], {"value": [np.asarray(value)]})["value"]
        assert (judged.verdict, judged.message) == (UNINFORMATIVE, "the bound is infinite")


def test_underflow_is_no_fault():
    """A product that a dtype flushes to zero is inside its bound; a wrong exact zero is not excused by that."""
    square = cases.builtin()["square"]
    point = {"x": np.array(1e-25, "float32")}
    judged = Oracle(square.loss, {}, "float32").judge([point], {"value": [np.array(0, "float32")]})["value"]
    assert judged.verdict == UNINFORMATIVE
    zero = {"x": np.array(0, "float32")}
    tiny = {"value": [np.array(1e-40, "float32")]}
    assert Oracle(square.loss, {}, "float32").judge([zero], tiny)["value"].verdict == DEVIATES


def test_an_exact_zero_has_a_bound_of_zero():
    """Where the exact result is zero and no operation rounds, zero alone conforms."""
    judged = judge(cases.builtin()["square-zero"], "float32")
    assert {judgement.verdict for judgement in judged.values()} == {CONFORMS}
    off = judge(
        cases.builtin()["square-zero"], "float32", fault=lambda r: r | {"gradient x": r["gradient x"] + np.float32(1e-30)}
    )
    assert off["gradient x"].verdict == DEVIATES


@pytest.mark.parametrize(
    ("truth", "bound", "verdict"),
    [
        ([1.0, 2.0], [0.1, 0.1], CONFORMS),
        ([1.0, 2.0], [2.5, 2.5], UNINFORMATIVE),  # admits zero
        ([1.0, 1.2], [0.3, 0.3], UNINFORMATIVE),  # tells zero and 1.5-fold apart, but not the permuted result
        ([1.0, 1.0], [0.1, 0.1], CONFORMS),  # permuting makes no difference, so nothing is asked of it
        ([0.0, 0.0], [1e-9, 1e-9], UNINFORMATIVE),  # nothing wrong differs, and something is admitted
        ([0.0, 0.0], [0.0, 0.0], CONFORMS),
        ([1.0, 2.0], [0.1, np.inf], UNINFORMATIVE),
    ],
)
def test_the_guard(truth, bound, verdict):
    """A bound that admits a wrong result gives no verdict, however right the result is."""
    comparison = Comparison("x", "float64", (2,))
    add(comparison, 0, truth, [arb(t) for t in truth], [arb(t, b) for t, b in zip(truth, bound, strict=True)])
    assert comparison.judge().verdict == verdict


def test_a_wrong_update_is_a_wrong_change():
    """Of an updated weight the guard looks at the change: a step lost in rounding is not approved."""
    comparison = Comparison("updated w", "float32", (1,))
    add(comparison, 0, [1.0], [arb(1) + arb(2) ** -30], [arb(1, 2.0**-24)], origin=[1.0])
    assert comparison.judge().verdict == UNINFORMATIVE


def test_one_bad_step_among_many_is_found():
    """A run is as good as its worst step, and the message names it as the only one."""
    comparison = Comparison("gradient w", "float64", (1,), row="step")
    for step in range(100):
        got = 3.0 if step == 57 else 1.0
        add(comparison, step, [got], [arb(1)], [arb(1, 1e-15)])
    judgement = comparison.judge()
    assert judgement.verdict == DEVIATES
    assert "at step 57" in judgement.message
    assert judgement.message.endswith("; no other of 100 steps is outside")


def test_a_deviation_explains_only_what_uses_its_subject():
    """Chainer's sigmoid may be off where a sigmoid is computed, by as much as declared, and nowhere else."""
    sigmoid = Deviation("sigmoid", ("float64",), "reason", "size", "link", absolute=2)

    def shifted(units):
        return lambda results: results | {"value": results["value"] + units * 2.0**-53}

    three = cases.builtin()["logistic-three"]
    assert judge(three, "float64", None, shifted(40))["value"].verdict == DEVIATES
    within = judge(three, "float64", None, shifted(40), [sigmoid])["value"]
    assert (within.verdict, within.declared) == (DEVIATES, None), "40 units are more than declared"
    line = cases.builtin()["line-generic"]
    assert judge(line, "float64", None, shifted(40), [sigmoid])["value"].declared is None
    low = {"w": np.array([-20.0, 1.0, 1.0])}

    def half_tanh(results):
        x = np.float64(-18.0)
        return results | {"value": -np.log(0.5 * np.tanh(x / 2) + 0.5)}

    assert judge(three, "float64", low, half_tanh)["value"].declared is None
    assert judge(three, "float64", low, half_tanh, [sigmoid])["value"].declared == "sigmoid"


def test_a_boundless_declaration_excuses_nothing():
    """A declared error so large that every result is inside it explains none: there is no verdict, and no green."""
    absurd = Deviation("sigmoid", ("float64",), "reason", "size", "link", absolute=1e30)
    judged = judge(cases.builtin()["xor"], "float64", None, lambda r: r | {"gradient w1": 2 * r["gradient w1"]}, [absurd])
    assert (judged["gradient w1"].verdict, judged["gradient w1"].declared) == (UNINFORMATIVE, None)
    beginning = "outside its bound; when the bound is widened by the declared deviation of sigmoid, there is no verdict "
    beginning += "(the bound is infinite): "
    assert judged["gradient w1"].message.startswith(f"{beginning}gradient w1[")


def off(subject, absolute=0.0, *, widens=False):
    return Deviation(subject, ("float32",), "reason", "size", "link", absolute=absolute, widens=widens)


def test_points_that_conform_do_not_speak_for_one_that_is_excused():
    """A point outside its bound whose wider bound admits all gives no verdict, however sharp it is at other points."""
    formula = lambda ops, p, d: ops.sigmoid(p["x"])  # noqa: E731
    points = [{"x": np.array(x, "float32")} for x in (0.0, -12.0)]
    values = [np.array(0.5, "float32"), np.array(1e-7, "float32")]
    judged = Oracle(formula, {}, "float32", [off("sigmoid", absolute=128)]).judge(points, {"value": values})["value"]
    assert (judged.verdict, judged.declared, judged.first) == (UNINFORMATIVE, None, 1)


def test_an_excused_update_is_one_of_an_excused_gradient():
    """The declared error of an operation explains the step that is made with it; all that explain are named."""
    formula = lambda ops, p, d: ops.tanh(p["x"]) + ops.sigmoid(p["x"])  # noqa: E731
    half = np.float32(0.5)
    slope = 1 - np.tanh(half) ** 2 + np.exp(-half) / (1 + np.exp(-half)) ** 2
    oracle = Oracle(
        formula, {}, "float32", [off("tanh", absolute=64), off("sigmoid", absolute=64)], Steps(Optimizer("sgd", 1.0))
    )
    after = half - np.float32(slope) + np.float32(2.0**-18)
    judged = oracle.judge([{"x": np.array(half)}], {"updated x": [np.array(after)]})["updated x"]
    assert (judged.verdict, judged.declared) == (DEVIATES, "tanh, sigmoid")


SURE = 1 / (1 + math.exp(-3))


@pytest.mark.parametrize(
    ("slopes", "named"),
    [
        ([-1.0, SURE], "at 0"),  # what is left of the slope at a logit of 0 is -y
        ([-0.5, 0.25], None),  # it is no excuse for a slope elsewhere
        ([1.0, SURE], None),
        ([-1.1, SURE], None),
    ],
)
def test_a_loss_without_slope_at_zero_is_known_in_training(slopes, named):
    """It is declared of one loss and known in every step that uses it, at a logit of 0 and in one direction."""
    formula = lambda ops, p, d: ops.sum(ops.binary_cross_entropy(p["z"], d["y"]))  # noqa: E731
    data = {"y": np.array([1.0, 0.0], "float32")}
    stated = Deviation("at 0", ("float32",), "reason", "size", "link", computes=losses.SUM_WITHOUT_SLOPE_AT_0)
    points = [{"z": np.array([0.0, 3.0], "float32")}]
    results = {"gradient z": [np.array(slopes, "float32")]}
    for declared, expected in (([], None), ([stated], named)):
        judged = Oracle(formula, data, "float32", declared, Steps(Optimizer("sgd", 1.0))).judge(points, results)["gradient z"]
        assert (judged.verdict, judged.declared) == (DEVIATES, expected)
    without_training = Oracle(formula, data, "float32", [stated]).judge(points, results)["gradient z"]
    assert (without_training.verdict, without_training.declared) == (DEVIATES, None)


def test_what_has_no_shape_is_not_compared():
    """Nor is there anything else to compare."""
    judged = Oracle(lambda ops, p, d: p["x"] * p["x"], {}, "float32").judge(
        [{"x": np.float32(2)}], {"value": [np.zeros(3, "float32")]}
    )
    assert judged["value"].message == "got shape (3,), expected ()"


KEEPS, STATE = off(SCALARS_KEEP_DTYPE, widens=True), off(OPTIMIZER_DTYPE, widens=True)


@pytest.mark.parametrize(
    ("quantity", "declared", "explained"),
    [
        ("value", [], None),
        ("value", [KEEPS], SCALARS_KEEP_DTYPE),
        ("value", [off(SCALARS_KEEP_DTYPE, absolute=1e9)], None),  # a wide error, and no wider dtype
        ("gradient x", [KEEPS], None),  # a gradient has the dtype of its parameter
        ("updated x", [KEEPS], None),
        ("updated x", [STATE], OPTIMIZER_DTYPE),
        ("value", [KEEPS, STATE], f"{SCALARS_KEEP_DTYPE}, {OPTIMIZER_DTYPE}"),
    ],
)
def test_a_wider_dtype_deviates_as_declared(quantity, declared, explained):
    """The right number in a wider dtype is wrong, and declared where the statement is about this quantity."""
    right = {"value": 1.25, "gradient x": 1.0, "updated x": 0.25}
    oracle = Oracle(lambda ops, p, d: 1 + p["x"] * p["x"], {}, "float32", declared, Steps(Optimizer("sgd", 0.25), native=True))
    judged = oracle.judge([{"x": np.array(0.5, "float32")}], {name: [np.array(x)] for name, x in right.items()})
    assert (judged[quantity].verdict, judged[quantity].declared) == (DEVIATES, explained)
    assert judged[quantity].message == "got dtype float64, expected float32"


def test_a_point_is_named_where_there_are_several():
    """Of several starts the message says which, of one it says nothing."""
    square = cases.builtin()["square"]
    points, values = [{"x": np.array(x)} for x in (2.0, 3.0)], [np.array(x) for x in (4.0, 10.0)]
    both = Oracle(square.loss, {}, "float64").judge(points, {"value": values})["value"]
    assert both.message.endswith("; no other of 2 starts is outside")
    assert both.where == "value at start 1"
    one = Oracle(square.loss, {}, "float64").judge(points[1:], {"value": values[1:]})["value"]
    assert (one.where, one.points) == ("value", 1)


@pytest.mark.parametrize(
    ("term", "start", "slope"),
    [
        (lambda ops, a: 1 / a, 0.0, None),
        (lambda ops, a: ops.exp(a), 709.0, math.exp(709)),
        (lambda ops, a: ops.exp(a), 800.0, None),
        (lambda ops, a: ops.log(a), -1.0, -1.0),
        (lambda ops, a: a * (10**400), 1.0, None),
        (lambda ops, a: a * a * (a * a), 1e103, None),
    ],
    ids=["1/0", "exp(709)", "exp(800)", "log(-1)", "10^400", "overflow"],
)
@pytest.mark.parametrize("entries", [1, 2000])
def test_a_step_along_a_gradient_that_no_double_holds(entries, term, start, slope):
    """Such gradients are no reason to warn or to raise; where one is finite, a right step conforms, and twice that does not."""

    def loss(ops, params, data):
        return ops.sum(term(ops, params["a"]))

    points = [{"a": np.full(entries, start)}]
    oracle = Oracle(loss, {}, "float64", steps=Steps(Optimizer("sgd", 0.1)))
    for rate, verdict in ((0.1, CONFORMS), (0.2, DEVIATES)):
        after = np.full(entries, start - rate * (slope or 1))
        judgement = oracle.judge(points, {"updated a": [after]})["updated a"]
        assert judgement.verdict == (verdict if slope else UNINFORMATIVE)
