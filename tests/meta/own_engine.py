"""An engine of its own over numpy arrays: none of the known frameworks, and not the tape of this suite."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.base import Backend


class Node:
    """An array, and what its adjoint adds to those of the nodes that it was made from."""

    __array_ufunc__ = None

    def __init__(self, value: Any, *operands: Any) -> None:
        self.value = np.asarray(value)
        self.operands = operands

    def __add__(self, other: Any) -> Node:
        other = lift(other, self)
        return Node(self.value + other.value, (self, lambda g: g), (other, lambda g: g))

    def __mul__(self, other: Any) -> Node:
        a, b = self, lift(other, self)
        return Node(a.value * b.value, (a, lambda g: g * b.value), (b, lambda g: g * a.value))

    def __truediv__(self, other: Any) -> Node:
        a, b = self, lift(other, self)
        y = a.value / b.value
        return Node(y, (a, lambda g: g / b.value), (b, lambda g: -g * y / b.value))

    def __matmul__(self, other: Any) -> Node:
        a, b = self, lift(other, self)
        return Node(a.value @ b.value, (a, lambda g: g @ b.value.T), (b, lambda g: a.value.T @ g))

    def __neg__(self) -> Node:
        return Node(-self.value, (self, lambda g: -g))

    def __sub__(self, other: Any) -> Node:
        return self + -lift(other, self)

    def __rsub__(self, other: Any) -> Node:
        return lift(other, self) - self

    def __rtruediv__(self, other: Any) -> Node:
        return lift(other, self) / self

    __radd__, __rmul__ = __add__, __mul__


def lift(value: Any, like: Node) -> Node:
    return value if isinstance(value, Node) else Node(np.asarray(value, like.value.dtype))


def reduced(g: np.ndarray, like: np.ndarray) -> np.ndarray:
    """``g``, summed over the axes along which ``like`` was broadcast."""
    g = g.sum(axis=tuple(range(g.ndim - like.ndim)))
    return g.sum(axis=tuple(axis for axis, n in enumerate(like.shape) if n < g.shape[axis]), keepdims=True)


def made_from(node: Node, seen: dict[int, Node]) -> dict[int, Node]:
    """``node`` and all that it was made from, operands first."""
    for operand, _ in node.operands:
        if id(operand) not in seen:
            made_from(operand, seen)
    seen[id(node)] = node
    return seen


class Own(Backend):
    """Sound."""

    name = "own"
    version = "0.1"

    def tensor(self, array: np.ndarray) -> Node:
        return Node(np.array(array))

    def array(self, tensor: Node) -> np.ndarray:
        return tensor.value

    def exp(self, x: Node, /) -> Node:
        y = np.exp(x.value)
        return Node(y, (x, lambda g: g * y))

    def log(self, x: Node, /) -> Node:
        return Node(np.log(x.value), (x, lambda g: g / x.value))

    def tanh(self, x: Node, /) -> Node:
        y = np.tanh(x.value)
        return Node(y, (x, lambda g: g * (1 - y * y)))

    def sigmoid(self, x: Node, /) -> Node:
        y = 1 / (1 + np.exp(-x.value))
        return Node(y, (x, lambda g: g * y * (1 - y)))

    def relu(self, x: Node, /) -> Node:
        return Node(np.maximum(x.value, 0), (x, lambda g: g * (x.value > 0)))

    def sum(self, x: Node, /) -> Node:
        return Node(x.value.sum(), (x, lambda g: g * np.ones_like(x.value)))

    def mean(self, x: Node, /) -> Node:
        return self.sum(x) / x.value.size

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        leaves = {name: Node(tensor.value) for name, tensor in params.items()}
        value = loss(self, leaves, data)
        nodes = made_from(value, {})
        adjoints = {key: np.zeros_like(node.value) for key, node in nodes.items()}
        adjoints[id(value)] = np.ones_like(value.value)
        for key, node in reversed(nodes.items()):
            for operand, pullback in node.operands:
                adjoints[id(operand)] = adjoints[id(operand)] + reduced(np.asarray(pullback(adjoints[key])), operand.value)
        return value, {name: Node(adjoints[id(leaf)]) for name, leaf in leaves.items()}

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        for data in batches:
            value, gradient = self.value_and_grad(loss, params, data)
            params = {name: Node(w.value - w.value.dtype.type(rate) * gradient[name].value) for name, w in params.items()}
            yield value, gradient, params


class Renamed(Own):
    """Claims to be another engine."""

    name = "another"
    version = "0.2"


class CalledTorch(Own):
    """Claims to be a framework that it does not use."""

    name = "torch"
    version = "2.13.0"
