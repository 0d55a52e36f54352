"""One judged gradient of XOR in float64, beside the checker of gradients that each framework brings.

Each checker is used as its documentation says, with its own tolerances, on the same loss; ours computes the gradient in the
framework, the truth and the bound. To find the smallest fault that a checker sees, the gradient is multiplied by 1 + e:
for the frameworks' checkers the loss is f (1 + e) - e f, where no derivative is taken of the second f.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

import cases
from backends import load
from backends.transport.engine import Engine
from benchmarks.adapter import nets
from benchmarks.pairs import Ratio, Work, ratio
from oracle.judge import Oracle
from vocabulary.words import CONFORMS

XOR = cases.builtin()["xor"]
# Checks the gradient, multiplied by 1 + e, and tells whether it lets it pass.
Checker = Callable[[float], bool]
LARGEST, SMALLEST = 0, 60  # e = 2^-k, from the first k up to the last, which is left out


def faulty(f: Any, still: Callable[[Any], Any], e: float) -> Any:
    return f * (1 + e) - e * still(f) if e else f


def torch() -> Checker:
    import torch

    params, data = ({name: torch.tensor(array) for name, array in each.items()} for each in XOR.at("float64"))

    def check(e: float) -> bool:
        def loss(*leaves: Any) -> Any:
            return faulty(XOR.loss(torch, dict(zip(params, leaves, strict=True)), data), lambda f: f.detach(), e)

        return bool(torch.autograd.gradcheck(loss, tuple(w.requires_grad_() for w in params.values()), raise_exception=False))

    return check


def jax() -> Checker:
    import jax
    from jax import numpy as jnp
    from jax.test_util import check_grads

    ops = SimpleNamespace(sigmoid=jax.nn.sigmoid, log=jnp.log, sum=jnp.sum)
    params, data = ({name: jnp.array(array) for name, array in each.items()} for each in XOR.at("float64"))

    def check(e: float) -> bool:
        loss = jax.jit(lambda params: faulty(XOR.loss(ops, params, data), jax.lax.stop_gradient, e))
        return _passes(lambda: check_grads(loss, (params,), order=1, modes=["rev"]))

    return check


def chainer() -> Checker:
    from chainer.gradient_check import check_backward

    from backends.chainer.framework import F
    from backends.chainer.framework import chainer as library

    ops = SimpleNamespace(sigmoid=F.sigmoid, log=F.log, sum=F.sum)
    params, data = XOR.at("float64")
    tensors = {name: library.Variable(array) for name, array in data.items()}

    def check(e: float) -> bool:
        def loss(*leaves: Any) -> Any:
            return faulty(XOR.loss(ops, dict(zip(params, leaves, strict=True)), tensors), lambda f: f.array, e)

        return _passes(lambda: check_backward(loss, tuple(params.values()), None, dtype=np.float64))

    return check


def autograd() -> Checker:
    from autograd import numpy as anp
    from autograd.scipy.special import expit
    from autograd.test_util import check_grads
    from autograd.tracer import getval

    ops = SimpleNamespace(sigmoid=expit, log=anp.log, sum=anp.sum)
    params, data = XOR.at("float64")

    def still(f: Any) -> Any:
        while f is not (f := getval(f)):
            pass
        return f

    def check(e: float) -> bool:
        return _passes(lambda: check_grads(lambda params: faulty(XOR.loss(ops, params, data), still, e), modes=["rev"])(params))

    return check


def tensorflow() -> Checker:
    """compute_gradient returns both gradients, which tests of TensorFlow compare with assertAllClose."""
    import tensorflow as tf

    ops = SimpleNamespace(sigmoid=tf.sigmoid, log=tf.math.log, sum=tf.reduce_sum)
    params, data = ({name: tf.constant(array) for name, array in each.items()} for each in XOR.at("float64"))

    def check(e: float) -> bool:
        def loss(*leaves: Any) -> Any:
            return faulty(XOR.loss(ops, dict(zip(params, leaves, strict=True)), data), tf.stop_gradient, e)

        found = tf.test.compute_gradient(loss, list(params.values()))
        return _passes(lambda: tf.test.TestCase().assertAllClose(*found))

    return check


def mxnet() -> Checker:
    from backends.mxnet.framework import mxnet as library

    sym = library.sym
    params, data = XOR.at("float64")
    x, w1, w2, b2, y = (sym.Variable(name) for name in ("X", "w1", "w2", "b2", "y"))
    p = sym.sigmoid(sym.broadcast_add(sym.dot(sym.sigmoid(sym.dot(x, w1)), w2), b2))
    f = 0 - sym.sum(sym.log(y * p + (1 - y) * (1 - p)))

    def check(e: float) -> bool:
        with mock.patch.object(np, "bool", bool, create=True):  # an alias that numpy had when MXNet was written
            return _passes(
                lambda: library.test_utils.check_numeric_gradient(
                    faulty(f, sym.BlockGrad, e), {**params, **data}, grad_nodes=list(params), dtype=np.float64
                )
            )

    return check


def ours(framework: str) -> Checker:
    """The gradient of ``framework``, judged: truth and bound are computed each time."""
    engine = Engine(load(framework))
    params, data = XOR.at("float64")

    def check(e: float) -> bool:
        [(value, gradient)] = engine.gradients(XOR.loss, [params], data)
        results = {"value": [value]} | {f"gradient {name}": [array * (1 + e)] for name, array in gradient.items()}
        judged = Oracle(XOR.loss, data, "float64").judge([params], results)
        return all(judgement.verdict == CONFORMS for judgement in judged.values())

    return check


def beside_its_own(framework: str) -> Ratio:
    """Return the time of a judged gradient of 784-128-10 at batch 64 in float64, over that of the gradient alone."""
    formula, *arrays = nets()["784-128-10"]
    params, data = ({name: array.astype("float64") for name, array in each.items()} for each in arrays)
    adapter = load(framework)
    engine = Engine(adapter)
    tensors = [{name: adapter.tensor(array) for name, array in each.items()} for each in (params, data)]

    def judged(count: int) -> None:
        for _ in range(count):
            [(value, gradient)] = engine.gradients(formula, [params], data)
            results = {"value": [value]} | {f"gradient {name}": [array] for name, array in gradient.items()}
            Oracle(formula, data, "float64").judge([params], results)

    def alone(count: int) -> None:
        for _ in range(count):
            value, _ = adapter.value_and_grad(formula, *tensors)
        adapter.array(value)  # waits until it is there

    return ratio(judged, alone)


CHECKERS = {"torch": torch, "jax": jax, "chainer": chainer, "autograd": autograd, "tensorflow": tensorflow, "mxnet": mxnet}


def compared(framework: str) -> tuple[Ratio, float, float, Ratio]:
    """Return the time of ours over that of the framework's, the smallest fault that each finds, ours first, and what
    ``beside_its_own`` returns.
    """
    own, other = ours(framework), CHECKERS[framework]()
    return ratio(_work(own), _work(other)), smallest(own), smallest(other), beside_its_own(framework)


def _work(check: Checker) -> Work:
    def work(count: int) -> None:
        for _ in range(count):
            check(0.0)

    return work


def smallest(check: Checker) -> float:
    """Return the smallest 2^-k that the checker still finds; inf where it finds none, NaN where it does not
    let the sound gradient pass."""
    if not check(0.0):
        return float("nan")
    found = [2.0**-k for k in range(LARGEST, SMALLEST) if not check(2.0**-k)]
    return min(found, default=float("inf"))


def _passes(check: Callable[[], Any]) -> bool:
    try:
        check()
    except Exception:  # checkers raise what they please
        return False
    return True
