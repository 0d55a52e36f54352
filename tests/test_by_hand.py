"""Computations written by hand print what their sources print, and their gradients are those of automatic differentiation."""

import numpy as np
import pytest

import cases
from backends.numpy import Numpy
from backends.training import Training
from backends.transport.engine import Engine
from cases.by_hand import (
    heaviside,
    logistic_gradient,
    logistic_regression,
    mse_gradient_by_chain_rule,
    mse_gradient_by_differences,
    perceptron_batched,
    perceptron_online,
)
from cases.thermometer import T_C, T_U
from oracle.judge import Oracle
from runner.figures import printed
from vocabulary.rules import Optimizer
from vocabulary.words import CONFORMS

X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=float)
AND, NAND = np.array([0.0, 0, 0, 1]), np.array([1.0, 1, 1, 0])
NAND_CASE = cases.builtin()["nand"]


def prints(values, text, dtype="float64"):
    """Whether ``values`` agree with a print in every digit that the printing ``dtype`` holds."""
    _, balls = printed(text, np.finfo(dtype).precision)
    return all(ball.contains(float(value)) for value, ball in zip(np.ravel(values), balls, strict=True))


def test_perceptron_online():
    """Rosenblatt's perceptron, example by example, rate 0.5, 100 epochs: the source calls it NAND, its labels are AND."""
    w = perceptron_online(X, AND, rate=0.5, epochs=100)
    assert w.tolist() == [1, 0.5, -1]
    assert heaviside(X @ w).tolist() == AND.tolist()


def test_perceptron_batched():
    """The perceptron as one matrix product per step learns NAND."""
    w = perceptron_batched(X, NAND, steps=100)
    assert w.tolist() == [-1, -1, 2]
    assert heaviside(X @ w).tolist() == NAND.tolist()


def test_logistic_regression():
    """Logistic regression with the gradient by hand, step 1, 100 steps, prints the weights and predictions of its source."""
    w = logistic_regression(X, NAND, rate=1, steps=100)[-1]
    assert prints(w, "-5.59504346 -5.59504346 8.57206068")
    assert prints(1 / (1 + np.exp(-(X @ w))), "0.99981071 0.95152498 0.95152498 0.06798725")


def test_logistic_gradient_is_that_of_autodiff():
    """At every step of that run, the gradient by hand is the exact derivative of NAND's loss, to rounding."""
    path = logistic_regression(X, NAND, rate=1, steps=100)
    points = [{"w": w[:, np.newaxis]} for w in path]
    results = {"gradient w": [logistic_gradient(X, NAND, w)[:, np.newaxis] for w in path]}
    judgement = Oracle(NAND_CASE.loss, NAND_CASE.data, "float64").judge(points, results)["gradient w"]
    assert (judgement.verdict, judgement.points_without_verdict) == (CONFORMS, 0), judgement.message


def test_logistic_regression_is_autodiff_training():
    """Trained by automatic differentiation from zero, NAND ends on the same print."""
    run = Training(NAND_CASE.loss, {"w": np.zeros((3, 1))}, NAND_CASE.data, Optimizer("sgd", 1.0), 100, np.arange(100))
    end = Engine(Numpy()).path(run).after["w"][-1]
    assert prints(end, "-5.59504346 -5.59504346 8.57206068")


@pytest.mark.parametrize(
    "gradient",
    [lambda w, b: mse_gradient_by_differences(T_U, T_C, w, b, 0.1), lambda w, b: mse_gradient_by_chain_rule(T_U, T_C, w, b)],
    ids=["differences", "chain rule"],
)
def test_mse_gradients(gradient):
    """Both ways to the gradient of the thermometers print what the source prints, before and after a step in w."""
    by_w, by_b = gradient(1.0, 0.0)
    assert prints([by_w, by_b], "4517.2964 82.6", "float32")
    assert prints(gradient(1.0 - 0.01 * by_w, 0.0)[1], "-4597.3190", "float32")


def test_mse_chain_rule_is_autodiff():
    """The chain rule by hand is the exact gradient, to rounding."""
    case = cases.builtin()["thermometer-raw-generic"]
    by_w, by_b = mse_gradient_by_chain_rule(T_U, T_C, case.params["w"], case.params["b"])
    results = {"gradient w": [np.asarray(by_w)], "gradient b": [np.asarray(by_b)]}
    judgements = Oracle(case.loss, case.data, "float64").judge([case.params], results)
    assert {judgement.verdict for judgement in judgements.values()} == {CONFORMS}
