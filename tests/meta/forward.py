"""Sound adapters in forward mode: dual numbers over numpy, which carry the derivative in one direction along."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from backends.base import Backend


class Dual:
    """A value and its derivative in one direction, in arrays of one shape."""

    __array_ufunc__ = None

    def __init__(self, value: Any, tangent: Any) -> None:
        self.value = np.asarray(value)
        self.tangent = np.asarray(tangent)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.tangent)


def _operator(name: str, rule: Callable[[Any, Any, Any, Any], Any]) -> None:
    function = getattr(operator, name)

    def forward(a: Dual, other: Any) -> Dual:
        b = other if isinstance(other, Dual) else _constant(np.asarray(other, a.value.dtype))
        return Dual(function(a.value, b.value), rule(a.value, a.tangent, b.value, b.tangent))

    def reflected(b: Dual, other: Any) -> Dual:
        return forward(_constant(np.asarray(other, b.value.dtype)), b)

    setattr(Dual, f"__{name}__", forward)
    setattr(Dual, f"__r{name}__", reflected)


_operator("add", lambda x, dx, y, dy: dx + dy)
_operator("sub", lambda x, dx, y, dy: dx - dy)
_operator("mul", lambda x, dx, y, dy: dx * y + x * dy)
_operator("truediv", lambda x, dx, y, dy: (dx - x / y * dy) / y)
_operator("matmul", lambda x, dx, y, dy: dx @ y + x @ dy)


def _constant(array: np.ndarray) -> Dual:
    return Dual(array, np.zeros_like(array))


def _one(x: Dual) -> np.ndarray:
    return np.ones_like(x.value)  # before numpy 2 a Python number turns a 0-d float32 array into float64


class Duals(Backend):
    """The formula is evaluated once for every entry of every parameter."""

    name = "duals"

    @property
    def version(self) -> str:
        return np.__version__

    def tensor(self, array: np.ndarray) -> Dual:
        return _constant(np.array(array))

    def array(self, tensor: Dual) -> np.ndarray:
        return tensor.value

    def exp(self, x: Dual) -> Dual:
        y = np.exp(x.value)
        return Dual(y, y * x.tangent)

    def log(self, x: Dual) -> Dual:
        return Dual(np.log(x.value), x.tangent / x.value)

    def tanh(self, x: Dual) -> Dual:
        y = np.tanh(x.value)
        return Dual(y, (_one(x) - y * y) * x.tangent)

    def sigmoid(self, x: Dual) -> Dual:
        y = _one(x) / (_one(x) + np.exp(-x.value))
        return Dual(y, y * (_one(x) - y) * x.tangent)

    def relu(self, x: Dual) -> Dual:
        return Dual(np.maximum(x.value, np.zeros_like(x.value)), (x.value > 0) * x.tangent)

    def sum(self, x: Dual) -> Dual:
        return Dual(x.value.sum(), x.tangent.sum())

    def mean(self, x: Dual) -> Dual:
        return Dual(x.value.mean(), x.tangent.mean())

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        gradient = {name: np.empty_like(w.value) for name, w in params.items()}
        for name, w in params.items():
            for index in np.ndindex(w.value.shape):
                direction = np.zeros_like(w.value)
                direction[index] = 1
                value = loss(self, params | {name: Dual(w.value, direction)}, data)
                gradient[name][index] = value.tangent
        return Dual(value.value, 0), {name: _constant(g) for name, g in gradient.items()}

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Iterator[Any]:
        for data in batches:
            value, gradient = self.value_and_grad(loss, params, data)
            params = {name: w - rate * gradient[name] for name, w in params.items()}
            yield value, gradient, params
