"""An engine with the obligatory part alone: three operations, no matrix products, no training loop, no version."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from backends.base import Backend


class Number:
    """An array, and how what it was made from takes part in it: pairs of an operand and what its adjoint adds to that."""

    __array_ufunc__ = None

    def __init__(self, value: Any, *operands: Any) -> None:
        self.value = np.asarray(value)
        self.operands = operands

    def __add__(self, other: Any) -> Number:
        b = lifted(other, self)
        return Number(self.value + b.value, (self, lambda g: g), (b, lambda g: g))

    def __mul__(self, other: Any) -> Number:
        a, b = self, lifted(other, self)
        return Number(a.value * b.value, (a, lambda g: g * b.value), (b, lambda g: g * a.value))

    def __truediv__(self, other: Any) -> Number:
        a, b = self, lifted(other, self)
        y = a.value / b.value
        return Number(y, (a, lambda g: g / b.value), (b, lambda g: -g * y / b.value))

    def __neg__(self) -> Number:
        return Number(-self.value, (self, lambda g: -g))

    def __sub__(self, other: Any) -> Number:
        return self + -lifted(other, self)

    def __rsub__(self, other: Any) -> Number:
        return lifted(other, self) + -self

    def __rtruediv__(self, other: Any) -> Number:
        return lifted(other, self) / self

    __radd__, __rmul__ = __add__, __mul__


def lifted(value: Any, like: Number) -> Number:
    return value if isinstance(value, Number) else Number(np.asarray(value, like.value.dtype))


def exp(x: Number) -> Number:
    y = np.exp(x.value)
    return Number(y, (x, lambda g: g * y))


def total(x: Number) -> Number:
    return Number(x.value.sum(), (x, lambda g: np.broadcast_to(g, x.value.shape)))


def mean(x: Number) -> Number:
    return total(x) / math.prod(x.value.shape)


def summed_to(g: np.ndarray, like: np.ndarray) -> np.ndarray:
    """``g``, summed over the axes along which ``like`` was broadcast."""
    g = g.sum(axis=tuple(range(g.ndim - like.ndim)))
    return g.sum(axis=tuple(axis for axis, n in enumerate(like.shape) if n < g.shape[axis]), keepdims=True)


class Few(Backend):
    """Sound, as far as it goes."""

    name = "few"
    # As a framework keeps its functions, one of them under a name of its own.
    namespaces = (SimpleNamespace(), SimpleNamespace(exp=exp, total=total, mean=mean))
    names: ClassVar = {"sum": "total"}

    def tensor(self, array: np.ndarray) -> Number:
        return Number(np.array(array))

    def array(self, tensor: Number) -> np.ndarray:
        return tensor.value

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        leaves = {name: Number(tensor.value) for name, tensor in params.items()}
        value = loss(self, leaves, data)
        adjoints: dict[int, np.ndarray] = {id(leaf): np.zeros_like(leaf.value) for leaf in leaves.values()}
        adjoints[id(value)] = np.ones_like(value.value)
        for node in uses_first(value):
            for operand, pullback in node.operands:
                g = summed_to(np.asarray(pullback(adjoints[id(node)])), operand.value)
                adjoints[id(operand)] = adjoints.get(id(operand), np.zeros_like(operand.value)) + g
        return value, {name: Number(adjoints[id(leaf)]) for name, leaf in leaves.items()}


def uses_first(root: Number) -> list[Number]:
    """``root`` and all that it was made from, each before its operands."""
    order: dict[int, Number] = {}

    def visit(node: Number) -> None:
        for operand, _ in node.operands:
            if id(operand) not in order:
                visit(operand)
        order[id(node)] = node

    visit(root)
    return [*order.values()][::-1]


class Faulty(Few):
    """Its exp has a wrong derivative."""

    namespaces = (SimpleNamespace(exp=lambda x: Number(np.exp(x.value), (x, lambda g: g)), total=total, mean=mean),)
