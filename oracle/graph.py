"""A formula looked at from outside: its value and nodes in numpy's floats, and what it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from arithmetic.floats import Floats
from arithmetic.tape import Array, Pullback, Taped
from oracle.trace import Node, trace
from vocabulary.operators import Operator
from vocabulary.tensors import Arrays, Formula
from vocabulary.words import SCALARS_KEEP_DTYPE


def used_by(formula: Formula, point: Arrays, data: Arrays) -> set[str]:
    """Return what ``formula`` uses that a backend can lack or declare: operators, losses, numbers beside scalar tensors."""
    seen = _Used()
    evaluated(seen, formula, point, data)
    return seen.names


def graph(formula: Formula, point: Arrays, data: Arrays) -> list[Node]:
    """Return the nodes of ``formula`` in the order of computation, with numpy's values."""
    nodes: list[Node] = evaluated(Floats(), partial(trace, formula), point, data)[1]
    return nodes


def evaluated(ops: Floats, formula: Callable[..., Any], point: Arrays, data: Arrays) -> Any:
    """Return what ``formula`` gives in the numbers of ``ops``."""
    inside = ({name: ops.tensor(array) for name, array in arrays.items()} for arrays in (point, data))
    with np.errstate(all="ignore"):
        return formula(ops, *inside)


class Counting(Floats):
    """Floats whose ``numbers`` counts the values in all tensors that they have made."""

    def __init__(self) -> None:
        self.numbers = 0

    def tensor(self, array: np.ndarray) -> Taped:
        self.numbers += np.size(array)
        return super().tensor(array)

    def record(self, value: np.ndarray, *operands: tuple[Taped, Pullback]) -> Taped:
        self.numbers += np.size(value)
        return super().record(value, *operands)


def count(formula: Formula, point: Arrays, data: Arrays) -> int:
    """Return how many values, inputs included, ``formula`` is made of."""
    counting = Counting()
    evaluated(counting, formula, point, data)
    return counting.numbers


class _Used(Floats):
    """Floats that note what a formula asks for, and not what that is made of."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._within = False

    @contextmanager
    def _noted(self, *names: str) -> Iterator[None]:
        if not self._within:
            self.names.update(names)
        before, self._within = self._within, True
        try:
            yield
        finally:
            self._within = before

    def apply(self, operator: Operator, operands: Sequence[Taped], arguments: Sequence[Any]) -> Taped:
        with self._noted(*((operator.name,) if operator.public else ()), *operator.rests_on):
            return super().apply(operator, operands, arguments)

    def sum(self, x: Taped, axis: int | None = None, keepdims: bool = False) -> Taped:
        with self._noted("sum"):
            return super().sum(x, axis, keepdims)

    def lift(self, value: Any, like: Array) -> Array:
        with self._noted(*((SCALARS_KEEP_DTYPE,) if like.shape == () else ())):
            return super().lift(value, like)


def _infix(name: str, method: str) -> Callable[[_Used, Taped, Taped], Taped]:
    def noted(self: _Used, a: Taped, b: Taped) -> Taped:
        with self._noted(name):
            made: Taped = getattr(Floats, method)(self, a, b)
            return made

    return noted


for _name, _method in (
    ("+", "add"),
    ("-", "subtract"),
    ("*", "multiply"),
    ("/", "divide"),
    ("/", "divide_by_number"),
    ("@", "matmul"),
):
    setattr(_Used, _method, _infix(_name, _method))
