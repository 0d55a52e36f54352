"""A division by a number of the formula has two forms, a quotient of tensors one: the bound holds these and no more."""

import numpy as np
import pytest

from arithmetic.balls import Balls
from arithmetic.fast import FastBalls
from arithmetic.precision import rounding
from oracle.judge import Oracle
from vocabulary.words import CONFORMS, DEVIATES

DIVISORS = (3, 7, 10, -6)


def judged(formula, dtype, params, got):
    return Oracle(formula, {}, dtype, direct=True).judge([params], {"value": [got]})["value"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("divisor", DIVISORS)
def test_a_division_by_a_number_may_multiply_by_its_reciprocal(dtype, divisor):
    """x / c and x times the rounded 1 / c, as Chainer and XLA have it, conform; the next number beyond both deviates."""
    x = np.random.default_rng(1).uniform(1, 2, 200).astype(dtype)
    c = np.asarray(divisor, dtype)
    plain, by_reciprocal = x / c, x * (1 / c)
    assert (plain != by_reciprocal).any()

    def formula(ops, params, data):
        return params["x"] / divisor

    for got in (plain, by_reciprocal):
        assert judged(formula, dtype, {"x": x}, got).verdict == CONFORMS
    beyond = np.nextafter(np.nextafter(by_reciprocal, np.sign(c) * 9), np.sign(c) * 9)
    assert judged(formula, dtype, {"x": x}, beyond.astype(dtype)).verdict == DEVIATES


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("divisor", [2, 0.25, -1])
def test_a_division_by_a_power_of_two_has_one_form(dtype, divisor):
    """Its reciprocal is exact, so that both forms have the same bits, and nothing else conforms."""
    x = np.random.default_rng(1).uniform(1, 2, 200).astype(dtype)

    def formula(ops, params, data):
        return params["x"] / divisor

    exact = judged(formula, dtype, {"x": x}, x / np.asarray(divisor, dtype))
    assert (exact.verdict, exact.share) == (CONFORMS, 0)
    beyond = np.nextafter(x / np.asarray(divisor, dtype), 9).astype(dtype)
    assert judged(formula, dtype, {"x": x}, beyond).verdict == DEVIATES


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_quotient_of_tensors_has_one_form(dtype):
    """x times the rounded 1 / y is half a unit in the last place more than a quotient may err."""
    random = np.random.default_rng(1)
    x, y = (random.uniform(1, 2, 200).astype(dtype) for _ in range(2))

    def formula(ops, params, data):
        return params["x"] / params["y"]

    assert judged(formula, dtype, {"x": x, "y": y}, x / y).verdict == CONFORMS
    assert judged(formula, dtype, {"x": x, "y": y}, x * (1 / y)).verdict == DEVIATES


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_slope_of_a_numerator_has_both_forms(dtype):
    """What x of x / y gets is g / y or, as MXNet has it, g times the rounded 1 / y; nothing beyond conforms."""
    random = np.random.default_rng(1)
    x, y, g = (random.uniform(1, 2, 200).astype(dtype) for _ in range(3))

    def loss(ops, params, data):
        return ops.sum(params["x"] / data["y"] * data["g"])

    def judged_slope(slope):
        return Oracle(loss, {"y": y, "g": g}, dtype).judge([{"x": x}], {"gradient x": [slope]})["gradient x"].verdict

    assert (g / y != g * (1 / y)).any()
    assert [judged_slope(slope) for slope in (g / y, g * (1 / y))] == [CONFORMS] * 2
    beyond = np.nextafter(np.nextafter(g * (1 / y), np.asarray(9, dtype)), np.asarray(9, dtype))
    assert judged_slope(beyond) == DEVIATES


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_slope_of_a_division_by_a_number_has_both_forms(dtype):
    """The gradient of x / c is 1 / c, whether divided or multiplied by the reciprocal."""
    x = {"x": np.asarray(1.3, dtype)}
    g = np.asarray(0.7, dtype)

    def loss(ops, params, data):
        return params["x"] / 7 * data["g"]

    for slope in (g / np.asarray(7, dtype), g * (1 / np.asarray(7, dtype))):
        judgement = Oracle(loss, {"g": g}, dtype).judge([x], {"gradient x": [np.asarray(slope, dtype)]})["gradient x"]
        assert judgement.verdict == CONFORMS


@pytest.mark.parametrize("numbers", [Balls(128, rounding("float32")), FastBalls(rounding("float32"))], ids=["Arb", "doubles"])
def test_a_divisor_that_rounding_may_move_is_no_power_of_two(numbers):
    """What a framework computes for it may be another number, whose reciprocal is rounded; a given power of two is not."""
    with numbers.precision():
        a, b = numbers.tensor(np.ones(1)), numbers.tensor(np.full(1, 2.0**-12))
        assert numbers.are_powers_of_two(a)
        assert not numbers.are_powers_of_two((a + b) - b)
