"""Reverse-mode differentiation over any numpy-like array.

A Taped remembers the operation that made it as pairs (operand, pullback); a pullback maps the adjoint of the result to
what it adds to the adjoint of the operand. All arithmetic, forward and backward, goes through ``number``, so the same
tape runs over floats (floats.py), balls with guaranteed error bounds (balls.py) and floats with sizes (sizes.py). ``lead``
leading axes of every array are no part of a tensor's shape: along them, many points are computed at once.

Source: Griewank and Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapter 3.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from vocabulary.operators import Form, Forms, Operator, builtin
from vocabulary.operators.arithmetic import DIVIDE, DIVIDE_BY_NUMBER
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
        self.operands = tuple([pair for pair in operands if pair[0].wants_gradient]) if operands else operands
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
    # Derivatives that these numbers have in place of those that stand in the records of operators, by name of the operator.
    adjoint_rules: ClassVar[Mapping[str, tuple[Form | None, ...]]] = {}

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
        return self.recorded(DIVIDE, (a, b), Taped(self.round(x / y), self))

    def divide_by_number(self, a: Taped, c: Taped) -> Taped:
        """a / c, where c is a number that stands in the formula."""
        return self.apply(DIVIDE_BY_NUMBER, (a, c), ())

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

    def sum(self, x: Taped, axis: int | None = None, keepdims: bool = False) -> Taped:
        """Sum over an axis, counted from the last as -1, or of all elements."""
        if axis is None:
            return self.record(self.total(x), (x, lambda g: self.broadcast(g, x)))
        if axis >= 0:
            raise ValueError(f"an axis is counted from the last, as -1, got {axis}")
        kept = self.summed(x.value, (axis,))
        if keepdims:
            return self.record(np.expand_dims(kept, axis), (x, lambda g: self.broadcast(g, x)))
        return self.record(kept, (x, lambda g: self.broadcast(np.expand_dims(g, axis), x)))

    # What records of operators are made of, beside arithmetic and sums.

    def apply(self, operator: Operator, operands: Sequence[Taped], arguments: Sequence[Any]) -> Taped:
        """Return what ``operator`` makes of ``operands``. Its derivative is that of its forms or, where it has one, its own."""
        if not operator.adjoints:
            return self.differentiated(operator, operands, arguments)
        return self.recorded(operator, operands, self.computed(operator.value, _constants(operands), arguments))

    def recorded(self, operator: Operator, operands: Sequence[Taped], result: Taped) -> Taped:
        """Return ``result`` on the tape, with the derivatives that ``operator`` has of its own."""
        if not any(x.wants_gradient for x in operands):
            return result

        def pullback(rule: Form, operand: Taped) -> Pullback:
            def pull(g: Array) -> Array:
                adjoint = rule(self, Taped(g, self), *_constants(operands), _constant(result))
                return self.total_to(operand.shape, adjoint.value)

            return pull

        rules = zip(operands, self.adjoint_rules.get(operator.name, operator.adjoints), strict=True)
        return self.record(result.value, *((x, pullback(rule, x)) for x, rule in rules if rule is not None))

    def differentiated(self, operator: Operator, operands: Sequence[Taped], arguments: Sequence[Any]) -> Taped:
        """Return what ``operator`` makes of ``operands``, with the derivative that the tape makes of its forms."""
        return self.computed(operator.value, operands, arguments)

    def computed(self, forms: Forms, operands: Sequence[Taped], arguments: Sequence[Any]) -> Taped:
        """Return a quantity in the first form that frameworks compute."""
        return forms.computed[0](self, *operands, *arguments)

    def elementary(self, name: str, x: Taped) -> Taped:
        """An elementary function of a constant. Raises ValueError for one that is not known."""
        return Taped(self.function(name, x.value), self)

    def average(self, x: Taped) -> Taped:
        """The sum of all elements over their number, rounded twice: some multiply by the rounded reciprocal."""
        count = self.constant(math.prod(x.shape), x.value)

        def over(total: Array) -> Array:
            return self.round(self.round(total / count))

        return self.record(over(self.total(x)), (x, lambda g: self.broadcast(over(g), x)))

    def positive_part(self, x: Taped) -> Taped:
        """max(x, 0) of a constant."""
        return Taped(self.maximum0(x.value), self)

    def step_of(self, x: Taped) -> Taped:
        """The derivative of max(x, 0) at a constant x."""
        return Taped(self.step(x.value), self)

    def absolute(self, x: Taped) -> Taped:
        """|x| of a constant."""
        return Taped(self.boxed(np.abs(x.value)), self)

    def largest(self, x: Taped, axis: int = -1) -> Taped:
        """The largest entry of a constant along an axis, which stays."""
        return Taped(self.boxed(x.value.max(axis=axis, keepdims=True)), self)

    def along(self, x: Taped, axis: int = -1) -> Taped:
        """A constant with the axis back that a sum has taken away."""
        return Taped(np.expand_dims(x.value, axis), self)

    @contextmanager
    def without_rounding(self) -> Iterator[None]:
        """Within the block, results are exact: say so only of what rounding leaves as it is."""
        yield

    def are_labels(self, y: Taped) -> bool:
        """Whether every entry is 0 or 1."""
        return all(label == 0 or label == 1 for label in y.value.ravel().tolist())

    def are_powers_of_two(self, c: Taped) -> bool:
        """Whether the reciprocal of every entry is exact: of a power of two, unless it is not normal in the precision."""
        return all(abs(math.frexp(float(value))[0]) == 0.5 for value in c.value.ravel().tolist())

    def declared(self, name: str, x: Taped) -> Taped:
        """Return x with the error that is declared of ``name``: of numbers as such there is none."""
        return x

    def or_at_zero(self, x: Taped, z: Taped, other: Taped) -> Taped:
        """Return x or, where z may be 0 and that is declared, ``other``."""
        return x

    # Shapes.

    def aligned(self, a: Taped, b: Taped) -> tuple[Array, Array]:
        """Return both values with as many axes, so that they broadcast as their shapes do."""
        x, y = a.value, b.value
        if x.ndim == y.ndim:
            return x, y
        ndim = max(x.ndim, y.ndim)
        return self.padded(x, ndim), self.padded(y, ndim)

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
        return self.pulled_back(root, self.constant(1, root.value))

    def pulled_back(self, root: Taped, adjoint: Array) -> dict[int, Array]:
        """Return the adjoints of every tensor that ``root`` was made from, by identity, given that of ``root``."""
        parts: dict[int, list[Array]] = {id(root): [adjoint]}
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


def _constant(x: Taped) -> Taped:
    return Taped(x.value, x.number)


def _constants(operands: Sequence[Taped]) -> list[Taped]:
    return [_constant(x) for x in operands]


def _method(operator: Operator) -> Callable[..., Taped]:
    def method(self: Tape, *given: Any) -> Taped:
        operands = [each for each in given if isinstance(each, Taped)]
        return self.apply(operator, operands, given[len(operands) :])

    method.__name__, method.__doc__ = operator.name, operator.value.definition.__doc__
    return method


# Every operator of the vocabulary is a method; sums are the tape's own.
for _operator in builtin().values():
    if _operator.name.isidentifier() and _operator.name not in vars(Tape):
        setattr(Tape, _operator.name, _method(_operator))
