"""TensorFlow through its other doors: forward mode, XLA, graphs and sessions, persistent tapes, gradients of the user's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf
from tensorflow import keras

from backends.base import Model
from backends.tensorflow import Tensorflow
from backends.tensorflow.layers import MODELS
from vocabulary.layers import Layer
from vocabulary.tensors import Formula, Tensor, Tensors

Differentiated = Callable[[Tensors, Tensors], tuple[Tensor, Tensors]]
ZERO = tf.UnconnectedGradients.ZERO


class _Differentiated(Tensorflow):
    """Both value_and_grad and train call what ``differentiated`` makes of a loss."""

    modes: ClassVar = {"gradient": "eager", "training": "eager"}

    def differentiated(self, loss: Formula) -> Differentiated:
        raise NotImplementedError

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        return self.prepared(loss)(params, data)

    @lru_cache(maxsize=16)  # noqa: B019, the adapter lives as long as its process
    def prepared(self, loss: Formula) -> Differentiated:
        return self.differentiated(loss)

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        step = self.prepared(loss)
        for data in batches:
            value, gradient = step(params, data)
            params = {name: w - rate * gradient[name] for name, w in params.items()}
            yield value, gradient, params


class Accumulator(_Differentiated):
    """Forward mode by ForwardAccumulator, one pass an entry: the same factors, multiplied from the other end."""

    modes: ClassVar = {"gradient": "compiled", "training": "compiled"}

    def differentiated(self, loss: Formula) -> Differentiated:
        @tf.function
        def along(params: Tensors, direction: Tensors, data: Tensors) -> tuple[Tensor, Tensor]:
            with tf.autodiff.ForwardAccumulator(list(params.values()), list(direction.values())) as forward:
                value = loss(self, params, data)
            return value, forward.jvp(value, unconnected_gradients=ZERO)

        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            gradient = {name: np.empty(w.shape, w.dtype.as_numpy_dtype) for name, w in params.items()}
            for name, w in params.items():
                for index in np.ndindex(*w.shape):
                    direction = {key: np.zeros_like(array) for key, array in gradient.items()}
                    direction[name][index] = 1
                    value, slope = along(params, {key: tf.constant(array) for key, array in direction.items()}, data)
                    gradient[name][index] = slope
            return value, {name: tf.constant(array) for name, array in gradient.items()}

        return both


class Xla(_Differentiated):
    """tf.function with jit_compile: XLA fuses operations, which saves roundings, and chooses the order of sums."""

    modes: ClassVar = {"gradient": "compiled", "training": "compiled"}

    def differentiated(self, loss: Formula) -> Differentiated:
        return tf.function(lambda params, data: Tensorflow.value_and_grad(self, loss, params, data), jit_compile=True)


class Persistent(_Differentiated):
    """A persistent tape that watches nothing by itself is asked for each parameter in turn, inside another tape."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            with tf.GradientTape() as outer:
                outer.watch(params)
                with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
                    tape.watch(params)
                    value = loss(self, params, data)
                gradient = {name: tape.gradient(value, w, unconnected_gradients=ZERO) for name, w in params.items()}
            return value, gradient

        return both


class Recomputed(_Differentiated):
    """The loss is computed a second time on the way back (tf.recompute_grad), on variables in place of constants."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            names = list(params)
            again = tf.recompute_grad(lambda *leaves: loss(self, dict(zip(names, leaves, strict=True)), data))
            leaves = [tf.identity(w) for w in params.values()]
            with tf.GradientTape() as tape:
                tape.watch(leaves)
                value = again(*leaves)
            return value, dict(zip(names, tape.gradient(value, leaves, unconnected_gradients=ZERO), strict=True))

        return both


class Jacobians(_Differentiated):
    """tape.jacobian of a scalar, as a vectorised loop over its one entry."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            with tf.GradientTape() as tape:
                tape.watch(params)
                value = loss(self, params, data)
            return value, tape.jacobian(value, params, unconnected_gradients=ZERO)

        return both


class Session(_Differentiated):
    """A graph with placeholders and tf.gradients, run in a session, as programs for TensorFlow 1 are."""

    modes: ClassVar = {"gradient": "eager", "training": "eager"}  # the graph is built anew for every call

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            with tf.Graph().as_default(), tf.compat.v1.Session() as session:
                leaves, seen = (
                    {name: tf.compat.v1.placeholder(x.dtype, x.shape) for name, x in tensors.items()}
                    for tensors in (params, data)
                )
                value = loss(self, leaves, seen)
                slopes = tf.gradients(value, list(leaves.values()), unconnected_gradients=ZERO)
                feed = {leaves[name]: x.numpy() for name, x in params.items()} | {seen[k]: x.numpy() for k, x in data.items()}
                found = session.run([value, *slopes], feed)
            value, *slopes = map(tf.constant, found)
            return value, dict(zip(params, slopes, strict=True))

        return both


class Unrolled(Tensorflow):
    """Training is a tf.function that makes five steps at once, with weights that are handed on: a longer graph."""

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        @tf.function(reduce_retracing=True)
        def steps(params: Tensors, some: list[Tensors]) -> list[Any]:
            path = []
            for data in some:
                value, gradient = self.value_and_grad(loss, params, data)
                params = {name: w - rate * gradient[name] for name, w in params.items()}
                path.append((value, gradient, params))
            return path

        batches = iter(batches)
        while some := list(itertools.islice(batches, 5)):
            path = steps(params, some)
            yield from path
            params = path[-1][2]


@tf.custom_gradient
def _logistic(x: Tensor) -> Any:
    power = tf.exp(-tf.abs(x))
    y = tf.where(x < 0, power, tf.ones_like(x)) / (1 + power)

    def slope(g: Tensor) -> Tensor:
        return g * (y * tf.where(x < 0, tf.ones_like(x), power) / (1 + power))

    return y, slope


@tf.custom_gradient
def _log(x: Tensor) -> Any:
    return tf.math.log(x), lambda g: g / x


@tf.custom_gradient
def _relu(x: Tensor) -> Any:
    return tf.where(x < 0, tf.zeros_like(x), x), lambda g: tf.where(x > 0, g, tf.zeros_like(g))


class CustomGradients(Tensorflow):
    """sigmoid, log and relu have a tf.custom_gradient: y sigmoid(-x) without cancellation, g / x rounded once, a choice."""

    sigmoid = staticmethod(_logistic)
    log = staticmethod(_log)
    relu = staticmethod(_relu)


class OtherKernels(Tensorflow):
    """Sums by segment, by tensordot, means by the sum over n: the same terms, in orders of other kernels."""

    def sum(self, x: Tensor) -> Tensor:  # type: ignore[override]
        flat = tf.reshape(x, [-1])
        return tf.math.segment_sum(flat, tf.zeros_like(flat, tf.int32))[0]

    def mean(self, x: Tensor) -> Tensor:  # type: ignore[override]
        flat = tf.reshape(x, [-1])
        return tf.tensordot(flat, tf.ones_like(flat), 1) / tf.cast(tf.size(flat), flat.dtype)


class Functional(Tensorflow):
    """Models are functional, of layers without an activation and layers that are nothing else, or of raw operations."""

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        MODELS.check(level)
        made = super().model("modules", layers)
        denses = made.layers
        x = inputs = keras.Input((layers[0].kernel.shape[0],), dtype=layers[0].kernel.dtype.name)
        for dense, layer in zip(denses, layers, strict=True):
            dense.activation = keras.activations.linear
            x = dense(x)
            x = keras.layers.Activation(layer.activation)(x) if layer.activation else x
        return keras.Model(inputs, x)


class Buffers(Tensorflow):
    """Tensors are made of DLPack capsules of a copy, and go back to numpy as such."""

    def tensor(self, array: np.ndarray) -> Tensor:
        memory = tf.constant(np.array(array))
        return tf.experimental.dlpack.from_dlpack(tf.experimental.dlpack.to_dlpack(tf.identity(memory)))

    def array(self, tensor: Tensor) -> np.ndarray:
        return np.from_dlpack(tf.convert_to_tensor(tensor)) if tensor.shape.rank else tensor.numpy()
