"""A training step through an adapter, beside the same step as users of the framework write it by hand.

numpy is left out: the suite's own tape computes its gradients, so there is no step by hand to compare with.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from backends import load
from benchmarks.pairs import Ratio, Work, ratio
from vocabulary.tensors import Formula, Tensors

Arrays = dict[str, np.ndarray]
Steps = Iterator[Any]

BATCH, RATE = 64, 0.1


def unit(ops: Any, params: Any, data: Any) -> Any:
    """NAND: one sigmoid unit, the loss of the notebooks."""
    p, y = ops.sigmoid(data["X"] @ params["w"]), data["y"]
    return -ops.sum(ops.log(y * p + (1 - y) * (1 - p)))


def two_layers(ops: Any, params: Any, data: Any) -> Any:
    """XOR: two layers of sigmoid units."""
    p, y = ops.sigmoid(ops.sigmoid(data["X"] @ params["w1"]) @ params["w2"]), data["y"]
    return -ops.sum(ops.log(y * p + (1 - y) * (1 - p)))


def wide(ops: Any, params: Any, data: Any) -> Any:
    """784-128-10 with tanh, the mean squared error."""
    r = ops.tanh(data["X"] @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"] - data["y"]
    return ops.mean(r * r)


def nets() -> dict[str, tuple[Formula, Arrays, Arrays]]:
    """Map the nets to their formula, start and data, in float32."""
    random = np.random.default_rng(1)
    corners = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    sizes: list[dict[str, tuple[int, ...]]] = [
        {"w": (3, 1)},
        {"w1": (3, 2), "w2": (2, 1)},
        {"W1": (784, 128), "b1": (128,), "W2": (128, 10), "b2": (10,)},
    ]
    data: list[Arrays] = [
        {"X": corners, "y": np.array([[1], [1], [1], [0]])},
        {"X": corners, "y": np.array([[0], [1], [1], [0]])},
        {"X": random.random((BATCH, 784)), "y": np.eye(10)[random.integers(0, 10, BATCH)]},
    ]
    made: dict[str, tuple[Formula, Arrays, Arrays]] = {}
    for name, formula, shapes, arrays in zip(("NAND", "XOR", "784-128-10"), (unit, two_layers, wide), sizes, data, strict=True):
        start = {key: 0.05 * random.standard_normal(shape) for key, shape in shapes.items()}
        made[name] = formula, _narrow(start), _narrow(arrays)
    return made


def _narrow(arrays: Arrays) -> Arrays:
    return {name: array.astype("float32") for name, array in arrays.items()}


def autograd(formula: Formula, start: Arrays, data: Arrays) -> Steps:
    from autograd import numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.special import expit as sigmoid

    ops = SimpleNamespace(sigmoid=sigmoid, log=anp.log, sum=anp.sum, mean=anp.mean, tanh=anp.tanh)
    step = value_and_grad(lambda params: formula(ops, params, data))
    params = dict(start)
    while True:
        value, gradient = step(params)
        params = {name: w - RATE * gradient[name] for name, w in params.items()}
        yield value


def torch(formula: Formula, start: Arrays, data: Arrays) -> Steps:
    import torch

    params = {name: torch.tensor(array, requires_grad=True) for name, array in start.items()}
    tensors = {name: torch.tensor(array) for name, array in data.items()}
    while True:
        for w in params.values():
            w.grad = None
        value = formula(torch, params, tensors)
        value.backward()
        with torch.no_grad():
            for w in params.values():
                w -= RATE * w.grad
        yield value


def tensorflow(formula: Formula, start: Arrays, data: Arrays) -> Steps:
    import tensorflow as tf

    ops = SimpleNamespace(sigmoid=tf.sigmoid, log=tf.math.log, sum=tf.reduce_sum, mean=tf.reduce_mean, tanh=tf.tanh)
    weights = {name: tf.Variable(array) for name, array in start.items()}
    tensors = {name: tf.constant(array) for name, array in data.items()}

    @tf.function  # type: ignore[untyped-decorator]
    def step(tensors: Tensors) -> Any:
        with tf.GradientTape() as tape:
            value = formula(ops, weights, tensors)
        gradient = tape.gradient(value, weights)
        for name, w in weights.items():
            w.assign_sub(RATE * gradient[name])
        return value, gradient

    while True:
        yield step(tensors)


def jax(formula: Formula, start: Arrays, data: Arrays) -> Steps:
    import jax
    from jax import numpy as jnp

    ops = SimpleNamespace(sigmoid=jax.nn.sigmoid, log=jnp.log, sum=jnp.sum, mean=jnp.mean, tanh=jnp.tanh)

    @jax.jit  # type: ignore[untyped-decorator]
    def step(params: Tensors, tensors: Tensors) -> Any:
        value, gradient = jax.value_and_grad(lambda params: formula(ops, params, tensors))(params)
        return value, gradient, jax.tree_util.tree_map(lambda w, g: w - RATE * g, params, gradient)

    params = {name: jnp.array(array) for name, array in start.items()}
    tensors = {name: jnp.array(array) for name, array in data.items()}
    while True:
        value, _, params = step(params, tensors)
        yield value


def mxnet(formula: Formula, start: Arrays, data: Arrays) -> Steps:
    from backends.mxnet.framework import autograd, np, npx  # which knows how to import it

    ops = SimpleNamespace(sigmoid=npx.sigmoid, log=np.log, sum=np.sum, mean=np.mean, tanh=np.tanh)
    params, tensors = ({name: np.array(a, dtype=a.dtype) for name, a in each.items()} for each in (start, data))
    for w in params.values():
        w.attach_grad()
    while True:
        with autograd.record():
            value = formula(ops, params, tensors)
        value.backward()
        for w in params.values():
            w -= RATE * w.grad
        yield value


def chainer(formula: Formula, start: Arrays, data: Arrays) -> Steps:
    from backends.chainer.framework import F
    from backends.chainer.framework import chainer as library  # which knows how to import it

    params = {name: library.Parameter(array.copy()) for name, array in start.items()}
    tensors = {name: library.Variable(array) for name, array in data.items()}
    ops = SimpleNamespace(sigmoid=F.sigmoid, log=F.log, sum=F.sum, mean=F.mean, tanh=F.tanh)
    while True:
        for w in params.values():
            w.cleargrad()
        value = formula(ops, params, tensors)
        value.backward()
        for w in params.values():
            w.array -= RATE * w.grad
        yield value


BY_HAND = {"autograd": autograd, "torch": torch, "tensorflow": tensorflow, "jax": jax, "mxnet": mxnet, "chainer": chainer}


def overheads(framework: str) -> dict[str, Ratio]:
    """Map the nets to the time of a step through the adapter of ``framework``, over that of one by hand."""
    adapter = load(framework)

    def through(formula: Formula, start: Arrays, data: Arrays) -> Steps:
        params, tensors = ({name: adapter.tensor(array) for name, array in each.items()} for each in (start, data))
        return adapter.train(formula, params, itertools.repeat(tensors), RATE)

    return {
        net: ratio(_work(through(*arrays), adapter.array), _work(BY_HAND[framework](*arrays), adapter.array))
        for net, arrays in nets().items()
    }


def _work(steps: Steps, read: Callable[[Any], np.ndarray]) -> Work:
    """Return what makes ``count`` steps. Reading the last loss waits until they are done."""

    def work(count: int) -> None:
        [last] = collections.deque(itertools.islice(steps, count), maxlen=1)
        while isinstance(last, tuple):
            last = last[0]
        read(last)

    return work
