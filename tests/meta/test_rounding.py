"""The bound of an operation, and of a number in a formula, is what rounding in the dtype can do to it."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from flint import arb

import cases
from arithmetic.balls import Balls
from arithmetic.precision import rounding, ulp
from cases import CaseError
from oracle.comparison import Comparison
from oracle.judge import Oracle
from runner.validation import validate
from tests.meta.test_comparison import add
from tests.meta.test_oracle import every_dtype, judge
from vocabulary.functions import FUNCTIONS
from vocabulary.operators import functions
from vocabulary.words import CONFORMS, DEVIATES, UNINFORMATIVE


@every_dtype
def test_ulp(dtype):
    """The unit in the last place is numpy's spacing from the smallest normal to the largest number, and beyond as there."""
    format_ = np.finfo(dtype)
    values = np.array([1, 1.5, 2, 3.9, format_.tiny, format_.max / 2], dtype)
    assert (ulp(values.astype("float64"), dtype) == np.spacing(values).astype("float64")).all()
    assert ulp(np.zeros(1), dtype)[0] == np.spacing(np.array(0, dtype)).astype("float64")
    beyond = np.array([-np.inf, np.inf, np.finfo("float64").max])
    assert set(ulp(beyond, dtype)) == set(ulp(np.array([format_.max], "float64"), dtype))


@every_dtype
def test_rounding_is_that_of_the_format(dtype):
    """The unit roundoff is half the distance from one to the next number."""
    assert rounding(dtype).unit * 2 == float(np.nextafter(np.array(1, dtype), np.array(2, dtype)) - np.array(1, dtype))
    assert rounding(dtype).tiny == np.finfo(dtype).tiny
    assert rounding(dtype).largest == np.finfo(dtype).max
    assert rounding(dtype).argument, "a function gets a rounding of its argument unless asked not to"


@every_dtype
@pytest.mark.parametrize("name", functions())
def test_a_function_is_bound_by_the_table(name, dtype):
    """Its measured ulps, rounded up, at two units roundoff each: no less, and more by Arb's own rounding alone."""
    x, unit = np.array(1.5, dtype), rounding(dtype).unit
    formula = lambda ops, p, d: getattr(ops, name)(p["x"])  # noqa: E731
    judged = Oracle(formula, {}, dtype, direct=True).judge([{"x": x}], {"value": [np.zeros((), dtype)]})["value"]
    allowed = 2 * math.ceil(FUNCTIONS[name].ulps[dtype]) * unit * judged.truth[0]
    assert 0 <= judged.bound[0] - allowed < unit * allowed + allowed * 2.0**-20


def value_of(formula, point, data, got, dtype="float32"):
    """Judge one value of ``formula``."""
    arrays = [{name: np.array(array, dtype) for name, array in given.items()} for given in (point, data)]
    oracle = Oracle(formula, arrays[1], dtype)
    return oracle.judge([arrays[0]], {"value": [np.array(got, dtype)]})["value"].verdict


def test_a_partial_sum_may_overflow():
    """The order of a sum is not ours to know, so that inf is no deviation where some order gives it."""
    terms = {"x": [3e38, 3e38, -3e38, -3e38, 5]}
    assert value_of(lambda ops, p, d: ops.sum(p["x"]), terms, {}, np.inf) == UNINFORMATIVE


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_partial_sum_may_be_rounded_up_to_infinity(dtype):
    """Though no exact partial sum reaches the largest number."""
    info = np.finfo(dtype)
    unit = float(info.max) * float(info.eps) / 2  # the distance of the largest numbers
    terms = {"x": [[float(info.max) - 3 * unit, *[0.5625 * unit] * 5]]}
    with np.errstate(over="ignore"):
        assert np.isinf(np.add.accumulate(np.array(terms["x"][0], dtype))[-1])
    assert value_of(lambda ops, p, d: ops.sum(p["x"]), terms, {}, np.inf, dtype) == UNINFORMATIVE
    assert value_of(lambda ops, p, d: p["x"] @ d["ones"], terms, {"ones": np.ones((6, 1))}, [[np.inf]], dtype) == UNINFORMATIVE


@pytest.mark.parametrize(("dtype", "power", "x"), [("float32", 127, 1.5 * 2.0**126), ("float64", 1023, 1.5 * 2.0**1022)])
def test_a_power_of_two_whose_reciprocal_is_subnormal_is_divided_by_in_two_forms(dtype, power, x):
    """Multiplying by the reciprocal, which may be flushed, gives 0."""
    divided = lambda ops, p, d: p["x"] / 2.0**power  # noqa: E731
    assert value_of(divided, {"x": x}, {}, 0.75, dtype) != DEVIATES
    assert value_of(divided, {"x": x}, {}, 0.0, dtype) != DEVIATES
    assert value_of(lambda ops, p, d: p["x"] / 2.0**100, {"x": x}, {}, 0.0, dtype) == DEVIATES


def test_a_wide_ball_may_overflow():
    """Whether a product leaves the range is asked of the whole ball and not of its midpoint."""
    formula = lambda ops, p, d: ((p["x"] + d["a"]) - d["b"] - d["x"]) * d["big"]  # noqa: E731
    data = {"a": 33.0, "b": 31.0, "x": 1e9, "big": 1e37}
    assert value_of(formula, {"x": 1e9}, data, np.inf) == UNINFORMATIVE


def test_every_term_may_be_flushed_to_zero():
    """JAX and TensorFlow flush subnormal numbers, results and inputs alike: a sum of many of them may be zero."""
    x, y = {"x": np.full((1, 64), 1e-19)}, {"y": np.full((64, 1), 1e-20)}
    assert value_of(lambda ops, p, d: p["x"] @ d["y"], x, y, [[0]]) == UNINFORMATIVE
    assert value_of(lambda ops, p, d: p["x"] * d["y"], {"x": 1e-40}, {"y": 1e30}, 0) == UNINFORMATIVE
    assert value_of(lambda ops, p, d: p["x"] * d["y"], {"x": 1e-30}, {"y": 1e30}, 0) == DEVIATES


def test_the_gradient_of_a_denominator_is_any_of_three():
    """g (x / y) / y, g x / y^2 and g x (1 / y^2) are all in use, and lose range at different places."""
    a, b = np.array([1e30, 1.1], "float32"), np.array([1e20, 1.3], "float32")
    weight = {"a": a, "weight": np.array([1e-5, 1.7], "float32")}
    oracle = Oracle(lambda ops, p, d: ops.sum(d["a"] / p["b"] * d["weight"]), weight, "float32")
    with np.errstate(all="ignore"):
        for form in (weight["weight"] * (a / b) / b, weight["weight"] * a / (b * b)):
            assert oracle.judge([{"b": b}], {"gradient b": [-form]})["gradient b"].verdict != DEVIATES
        assert oracle.judge([{"b": b}], {"gradient b": [form]})["gradient b"].verdict == DEVIATES


def test_a_number_where_zero_is_exact_deviates():
    """Off by 5e323 ulp is a deviation like any other: a slope left of the kink of relu is found."""
    leaky = judge(
        cases.builtin()["relu"], "float64", fault=lambda r: r | {"gradient W": r["gradient W"] + np.array([[0, 0], [0.5, 0.5]])}
    )
    assert leaky["gradient W"].verdict == DEVIATES


def test_a_wrong_entry_that_a_wide_bound_admits_is_counted():
    """Where one sharp entry carries the verdict, the others are counted as blind."""
    comparison = Comparison("x", "float64", (4,))
    truth, bound = [1.0, 2.0, 3.0, 0.0], [0.1, 1.9, 1e20, 1e20]
    add(comparison, 0, truth, [arb(t) for t in truth], [arb(t, b) for t, b in zip(truth, bound, strict=True)])
    judgement = comparison.judge()
    assert (judgement.verdict, judgement.too_wide) == (CONFORMS, 3)


def test_functions_are_held_to_the_table_when_called_directly():
    """In formulas a function gets one rounding of its argument as well; on its own it gets the table and no more."""
    x = {"x": np.array([600.0, 1.5])}
    wrong = np.exp(x["x"]) * np.array([1 + 100 * 2.0**-52, 1])
    formula = lambda ops, p, d: ops.exp(p["x"])  # noqa: E731
    verdicts = [
        Oracle(formula, {}, "float64", **options).judge([x], {"value": [wrong]})["value"].verdict
        for options in ({}, {"direct": True})
    ]
    assert verdicts == [CONFORMS, DEVIATES]


# Numbers that no dtype narrower than float64 holds, in all the ways to write one down.
DECIMALS = {
    "decimal": 1.0005167127177552, "small": 1e-3, "a third": 1 / 3, "root": 2**0.5, "odd": 2**24 + 1, "negative": -0.1,
    "numpy": np.float64(0.3), "numpy integer": np.int64(2**24 + 3), "0-d array": np.array(0.7),
}  # fmt: skip


SIDES = {
    "x + c": lambda x, c: x + c, "c + x": lambda x, c: c + x, "x - c": lambda x, c: x - c, "c - x": lambda x, c: c - x,
    "x * c": lambda x, c: x * c, "c * x": lambda x, c: c * x, "x / c": lambda x, c: x / c, "c / x": lambda x, c: c / x,
}  # fmt: skip


@pytest.mark.parametrize("side", SIDES.values(), ids=SIDES)
@pytest.mark.parametrize("number", DECIMALS.values(), ids=DECIMALS)
def test_a_number_in_a_formula_is_rounded_once(number, side):
    """What the dtype of the run does not hold is granted its rounding, on either side; not that through a narrower dtype."""
    formula = lambda ops, p, d: side(p["x"], number)  # noqa: E731
    x = np.array(1.0019609928131104, "float32")
    with np.errstate(over="ignore"):
        once, half = (np.asarray(side(x, np.array(number, dtype).astype("float32"))) for dtype in ("float32", "float16"))
    verdicts = [Oracle(formula, {}, "float32").judge([{"x": x}], {"value": [got]})["value"].verdict for got in (once, half)]
    assert verdicts == [CONFORMS, DEVIATES]


@every_dtype
@pytest.mark.parametrize("number", [0, 1, -2, 0.5, 2.0**-10, 2**11 - 1, 1 - 2.0**-11, np.float16(0.1), True])
def test_a_number_that_the_dtype_holds_is_not_rounded(number, dtype):
    """Its ball is the number, so that no bound is wider than it was."""
    numbers = Balls(128, rounding(dtype))
    [ball] = numbers.lift(number, numbers._one)
    assert ball.is_exact()
    assert ball == float(number)


def test_a_rounded_number_has_one_unit_roundoff():
    """The ball of a number that float32 does not hold reaches u on either side, and is a point in float64 and for the truth."""
    for numbers in (Balls(), Balls(128, rounding("float64"))):
        [ball] = numbers.lift(0.1, numbers._one)
        assert ball.is_exact()
        assert ball == 0.1
    numbers = Balls(128, rounding("float32"))
    with numbers.precision():
        [ball] = numbers.lift(0.1, numbers._one)
        assert ball.contains(0.1 * (1 + 2.0**-24))
        assert not ball.contains(0.1 * (1 + 2.0**-23))
        assert ball.contains(float(np.float32(0.1)))


@pytest.mark.parametrize("number", [1e39, 10**39, -1e300])
def test_a_number_beyond_the_range_gives_no_verdict(number):
    """A framework makes an infinity of it, or refuses."""
    assert value_of(lambda ops, p, d: p["x"] + number, {"x": 1.0}, {}, math.copysign(math.inf, number)) == UNINFORMATIVE


@pytest.mark.parametrize("number", [1e-50, 1e-40, 2.0**-130])
def test_a_number_below_the_range_may_be_flushed(number):
    """It is zero or subnormal, which some read as zero; nothing larger is admitted."""
    product = lambda ops, p, d: p["x"] * number  # noqa: E731
    assert value_of(product, {"x": 1e30}, {}, 0) != DEVIATES
    assert value_of(product, {"x": 1e30}, {}, 1e30 * np.float32(number)) != DEVIATES
    assert value_of(product, {"x": 1e30}, {}, 1e-7) == DEVIATES


def test_numbers_of_an_array_in_a_formula_are_rounded_one_by_one():
    """An array stands in a formula as its numbers do: those that are held have no part in the rounding of the others."""
    numbers = Balls(128, rounding("float32"))
    lifted = numbers.lift(np.array([[0.1, 0.5], [3, 2**24 + 1]]), numbers._one)
    assert lifted.shape == (1, 2, 2)
    assert [ball.is_exact() for ball in lifted.ravel()] == [False, True, True, False]


@pytest.mark.parametrize(
    "number", [Fraction(1, 3), Decimal("0.1"), 1j, "2", np.longdouble(0.1), np.float64(0.1), np.ones(3)], ids=repr
)
def test_what_is_no_number_is_refused_with_its_case(number):
    """The case is named before any backend is asked."""
    message = "its formula raises TypeError: a number in a formula is an int or a float, got "
    with pytest.raises(CaseError, match=f"case 'line': {message}"):
        validate(cases.builtin()["line"].but("line", loss=lambda ops, p, d: p["x"] * number + p["a"] + p["b"]), ["float64"])
