"""Reverse-mode differentiation over any numpy-like array, in one screen of rules.

A Taped remembers the operation that made it as pairs (operand, pullback); a pullback maps the adjoint of the result to
what it adds to the adjoint of the operand. All arithmetic, forward and backward, goes through ``number``, so the same
tape runs over floats (numpy.py) and over balls with guaranteed error bounds (exact.py). ``lead`` leading axes of every
array are no part of a tensor's shape: along them, many points are computed at once.

Source: Griewank and Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapter 3.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from vocabulary.tensors import Formula, Tensors

Array = Any
Pullback = Callable[[Array], Array]


class Taped:
    """An array on the tape. Constants have no operands and get no adjoint."""

    __slots__ = ("number", "operands", "value", "wants_gradient")
    __array_ufunc__ = None  # numpy arrays on the left leave the operation to us

    def __init__(
        self, value: Array, number: Tape, operands: tuple[tuple[Taped, Pullback], ...] = (), leaf: bool = False
    ) -> None:
        self.value = value
        self.number = number
        self.operands = tuple(pair for pair in operands if pair[0].wants_gradient)
        self.wants_gradient: bool = leaf or bool(self.operands)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape[self.number.lead :]

    def __neg__(self) -> Taped:
        return self.number.record(-self.value, (self, lambda g: -g))

    def __add__(self, other: Any) -> Taped:
        return self.number.add(self, self._lift(other))

    def __radd__(self, other: Any) -> Taped:
        return self.number.add(self._lift(other), self)

    def __sub__(self, other: Any) -> Taped:
        return self.number.subtract(self, self._lift(other))

    def __rsub__(self, other: Any) -> Taped:
        return self.number.subtract(self._lift(other), self)

    def __mul__(self, other: Any) -> Taped:
        return self.number.multiply(self, self._lift(other))

    def __rmul__(self, other: Any) -> Taped:
        return self.number.multiply(self._lift(other), self)

    def __truediv__(self, other: Any) -> Taped:
        if isinstance(other, Taped):
            return self.number.divide(self, other)
        return self.number.divide_by_number(self, self._lift(other))

    def __rtruediv__(self, other: Any) -> Taped:
        return self.number.divide(self._lift(other), self)

    def __matmul__(self, other: Any) -> Taped:
        return self.number.matmul(self, self._lift(other))

    def _refuse(self, other: Any) -> Taped:
        raise TypeError("a formula must not write into a tensor: x = x + y, not x += y")

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __imatmul__ = _refuse

    def _lift(self, other: Any) -> Taped:
        return other if isinstance(other, Taped) else Taped(self.number.lift(other, self.value), self.number)


class Tape(ABC):
    """The operations of formulas, with gradients. Subclasses say how arrays of their numbers are computed with.

    The primitives below take and return arrays; ``round`` stands after every operation that a p-bit machine rounds once.
    Sums and matrix products, whose order is not ours to know, round for themselves.
    """

    lead = 0

    @abstractmethod
    def tensor(self, array: np.ndarray) -> Taped:
        """Return a tensor with the values and shape of ``array``, sharing no memory with it."""

    @abstractmethod
    def array(self, tensor: Taped) -> np.ndarray:
        """Return the values of ``tensor`` as an array."""

    @abstractmethod
    def constant(self, value: Any, like: Array) -> Array:
        """Return ``value`` as an array of the numbers that ``like`` holds."""

    def lift(self, value: Any, like: Array) -> Array:
        """Return a number or array that a formula combines with a tensor, as an array."""
        return self.constant(value, like)

    @abstractmethod
    def function(self, name: str, x: Array) -> Array:
        """Return the elementary function ``name`` of every element."""

    @abstractmethod
    def step(self, x: Array) -> Array:
        """Return the derivative of max(x, 0): 0 left of the kink, 1 right of it."""

    @abstractmethod
    def maximum0(self, x: Array) -> Array:
        """Return max(x, 0) of every element."""

    def boxed(self, x: Any) -> Array:
        """Return ``x`` as an array: arithmetic on 0-d arrays gives bare numbers."""
        return np.asarray(x)

    def round(self, x: Any) -> Array:
        return self.boxed(x)

    # Taped operations, each with its derivative.

    def record(self, value: Array, *operands: tuple[Taped, Pullback]) -> Taped:
        return Taped(self.boxed(value), self, operands)

    def add(self, a: Taped, b: Taped) -> Taped:
        x, y = self.aligned(a, b)
        return self.record(
            self.round(x + y),
            (a, lambda g: self.total_to(a.shape, g)),
            (b, lambda g: self.total_to(b.shape, g)),
        )

    def subtract(self, a: Taped, b: Taped) -> Taped:
        x, y = self.aligned(a, b)
        return self.record(
            self.round(x - y),
            (a, lambda g: self.total_to(a.shape, g)),
            (b, lambda g: -self.total_to(b.shape, g)),
        )

    def multiply(self, a: Taped, b: Taped) -> Taped:
        x, y = self.aligned(a, b)
        return self.record(
            self.round(x * y),
            (a, lambda g: self.total_to(a.shape, self.round(g * y))),
            (b, lambda g: self.total_to(b.shape, self.round(g * x))),
        )

    def divide(self, a: Taped, b: Taped) -> Taped:
        x, y = self.aligned(a, b)
        quotient = self.round(x / y)
        return self.record(
            quotient,
            (a, lambda g: self.total_to(a.shape, self.by_numerator(g, y))),
            (b, lambda g: -self.total_to(b.shape, self.by_denominator(g, x, y, quotient))),
        )

    def divide_by_number(self, a: Taped, c: Taped) -> Taped:
        """a / c, where c is a number that stands in the formula."""
        x, y = self.aligned(a, c)
        return self.record(self.over_number(x, y), (a, lambda g: self.total_to(a.shape, self.over_number(g, y))))

    def over_number(self, x: Array, c: Array) -> Array:
        return self.round(x / c)

    def by_numerator(self, g: Array, y: Array) -> Array:
        """g / y, what the numerator of x / y gets."""
        return self.round(g / y)

    def by_denominator(self, g: Array, x: Array, y: Array, quotient: Array) -> Array:
        """g x / y^2, what the denominator of x / y gets, but for the sign."""
        return self.round(self.round(g * quotient) / y)

    def matmul(self, a: Taped, b: Taped) -> Taped:
        if len(a.shape) != len(b.shape) or len(a.shape) != 2:
            raise TypeError(f"@ takes two matrices, got shapes {a.shape} and {b.shape}; write ops.sum(x * y) for vectors")
        return self.record(
            self.product(a.value, b.value),
            (a, lambda g: self.product(g, b.value.swapaxes(-1, -2))),
            (b, lambda g: self.product(a.value.swapaxes(-1, -2), g)),
        )

    def product(self, a: Array, b: Array) -> Array:
        """Matrix product of arrays."""
        return self.boxed(a @ b)

    def summed(self, terms: Array, axes: tuple[int, ...]) -> Array:
        """Sum of arrays over ``axes``, in an order that is not ours to know."""
        return self.boxed(terms.sum(axis=axes))

    def exp(self, x: Taped) -> Taped:
        y = self.function("exp", x.value)
        return self.record(y, (x, lambda g: self.round(g * y)))

    def log(self, x: Taped) -> Taped:
        return self.record(self.function("log", x.value), (x, lambda g: self.quotient(g, x.value)))

    def tanh(self, x: Taped) -> Taped:
        y = self.function("tanh", x.value)
        return self.record(y, (x, lambda g: self.round(g * self.tanh_slope(x.value, y))))

    def tanh_slope(self, x: Array, y: Array) -> Array:
        return self.round(self.constant(1, y) - self.round(y * y))

    def quotient(self, g: Array, x: Array) -> Array:
        return self.round(g / x)

    def sigmoid(self, x: Taped) -> Taped:
        y = self.function("sigmoid", x.value)
        return self.record(y, (x, lambda g: self.round(self.round(g * y) * self.round(self.constant(1, y) - y))))

    def relu(self, x: Taped) -> Taped:
        return self.record(self.maximum0(x.value), (x, lambda g: g * self.step(x.value)))

    # The objectives of layers, one value an example: what the frameworks' own losses reduce.

    def binary_cross_entropy(self, z: Taped, y: Taped) -> Taped:
        """log(1 + exp(z)) - y z, elementwise, of logits z and labels y."""
        return self.record(
            self.logistic_loss(z.value, y.value),
            (z, lambda g: self.round(g * self.logistic_slope(z.value, y.value))),
        )

    def logistic_slope(self, z: Array, y: Array) -> Array:
        return self.round(self.function("sigmoid", z) - y)

    def logistic_loss(self, z: Array, y: Array) -> Array:
        return self.function("softplus", z) - y * z

    def softmax_cross_entropy(self, z: Taped, y: Taped) -> Taped:
        """log sum_j exp(z_j) - sum_j y_j z_j over the last axis, of logits z and one-hot labels y."""
        loss, p = self.softmax_loss(z.value, y.value)
        return self.record(loss, (z, lambda g: self.round(g[..., np.newaxis] * self.round(p - y.value))))

    def softmax_loss(self, z: Array, y: Array) -> tuple[Array, Array]:
        """Return the loss of each row and its probabilities."""
        shifted = z - z.max(axis=-1, keepdims=True)
        powers = self.function("exp", shifted)
        total = self.summed(powers, (-1,))[..., np.newaxis]
        return self.summed(y * (self.function("log", total) - shifted), (-1,)), powers / total

    def sum(self, x: Taped) -> Taped:
        return self.record(self.total(x), (x, lambda g: self.broadcast(g, x)))

    def mean(self, x: Taped) -> Taped:
        n = self.constant(math.prod(x.shape), x.value)

        def over(total: Array) -> Array:
            # Two roundings: frameworks divide by n or multiply by its rounded reciprocal.
            return self.round(self.round(total / n))

        return self.record(over(self.total(x)), (x, lambda g: self.broadcast(over(g), x)))

    # Shapes.

    def aligned(self, a: Taped, b: Taped) -> tuple[Array, Array]:
        """Return both values with as many axes, so that they broadcast as their shapes do."""
        ndim = max(a.value.ndim, b.value.ndim)
        return self.padded(a.value, ndim), self.padded(b.value, ndim)

    def padded(self, x: Array, ndim: int) -> Array:
        if x.ndim == ndim or not self.lead:
            return x
        return x.reshape(x.shape[: self.lead] + (1,) * (ndim - x.ndim) + x.shape[self.lead :])

    def broadcast(self, adjoint: Array, x: Taped) -> Array:
        """Return the adjoint of a sum as one of each of its terms."""
        adjoint = self.padded(adjoint, x.value.ndim)
        full = np.empty(adjoint.shape[: self.lead] + x.shape, adjoint.dtype)
        full[...] = adjoint
        return full

    def total(self, x: Taped) -> Array:
        return self.summed(x.value, tuple(range(self.lead, x.value.ndim)))

    def total_to(self, shape: tuple[int, ...], adjoint: Array) -> Array:
        """Sum an adjoint over the axes along which its operand was broadcast."""
        points, inner = adjoint.shape[: self.lead], adjoint.shape[self.lead :]
        if inner == shape:
            return adjoint
        added = len(inner) - len(shape)
        axes = [axis for axis, n in enumerate(inner) if axis < added or (shape[axis - added] == 1 and n > 1)]
        return self.summed(adjoint, tuple(axis + self.lead for axis in axes)).reshape(points + shape)

    # The contract.

    def leaves(self, params: Tensors) -> Tensors:
        return {name: Taped(array.value, self, leaf=True) for name, array in params.items()}

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Taped, Tensors]:
        leaves = self.leaves(params)
        value = loss(self, leaves, data)
        adjoints = self.adjoints(value)
        unused = self.constant(0, value.value)  # the gradient of a leaf that the loss does not use
        return value, {name: Taped(adjoints.get(id(leaf), self.broadcast(unused, leaf)), self) for name, leaf in leaves.items()}

    def adjoints(self, root: Taped) -> dict[int, Array]:
        """Return the derivative of ``root`` with respect to every tensor that it was made from, by identity."""
        if root.shape != ():
            raise ValueError(f"a loss is a scalar of shape (), this one has shape {root.shape}")
        parts: dict[int, list[Array]] = {id(root): [self.constant(1, root.value)]}
        done: dict[int, Array] = {}
        for tensor in _uses_first(root):
            terms = parts.pop(id(tensor))
            adjoint = terms[0]
            if len(terms) > 1:
                # Uses of a tensor may have been computed for fewer points: the points' axis broadcasts.
                adjoint = self.summed(np.stack(np.broadcast_arrays(*terms), axis=-1), (-1,))
            done[id(tensor)] = adjoint
            for operand, pullback in tensor.operands:
                parts.setdefault(id(operand), []).append(self.boxed(pullback(adjoint)))
        return done

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Taped, Tensors, Tensors]]:
        for data in batches:
            value, gradient = self.value_and_grad(loss, params, data)
            params = {name: Taped(self.updated(w.value, gradient[name].value, rate), self) for name, w in params.items()}
            yield value, gradient, params

    def updated(self, w: Array, gradient: Array, rate: float) -> Array:
        """w - rate * gradient in the numbers of w; the rate is rounded too."""
        return self.round(w - self.round(self.round(self.constant(rate, w)) * gradient))


def _uses_first(root: Taped) -> list[Taped]:
    """Tensors below ``root``, each after all that use it."""
    order: list[Taped] = []
    seen: set[int] = set()
    stack: list[tuple[Taped, bool]] = [(root, False)]
    while stack:
        tensor, finished = stack.pop()
        if finished:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            stack.extend((operand, False) for operand, _ in tensor.operands)
    return order[::-1]
