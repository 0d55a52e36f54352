"""Formulas of the sweeps. Imports the vocabulary alone, since they travel to the processes of the backends."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from vocabulary.layers import Dense
from vocabulary.tensors import Formula, Ops, Tensor, TensorsOf

SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "@": operator.matmul}


@dataclasses.dataclass(frozen=True)
class Pair:
    """An operator of two operands as a formula of a and b."""

    operator: str

    def __call__(self, ops: Ops, params: TensorsOf, data: TensorsOf) -> Tensor:
        return SIGNS[self.operator](params["a"], params["b"])


@dataclasses.dataclass(frozen=True)
class Applied:
    """An operator as a formula of the parameters ``operands``, in their order, and of arguments that are no tensors."""

    operator: str
    operands: tuple[str, ...] = ("x",)
    arguments: tuple[Any, ...] = ()

    def __call__(self, ops: Ops, params: TensorsOf, data: TensorsOf) -> Tensor:
        operator = SIGNS[self.operator] if self.operator in SIGNS else getattr(ops, self.operator)
        return operator(*(params[name] for name in self.operands), *self.arguments)


@dataclasses.dataclass(frozen=True)
class Broadcast:
    """An operator of two operands over operands of all shapes that broadcast, and over numbers of the formula."""

    operator: str
    fine: float

    def __call__(self, ops: Ops, params: TensorsOf, data: TensorsOf) -> Tensor:
        combine = SIGNS[self.operator]
        a, b, c, d, e, f = (params[name] for name in "abcdef")
        pairs = [combine(a, b), combine(b, a), combine(c, d), combine(d, c), combine(a, e), combine(e, a), combine(f, a)]
        # A number that no narrower dtype holds: frameworks that take scalars through float32 lose it.
        total = combine(combine(2, a), combine(a, 3)) + combine(self.fine, a) + 2 * combine(a, self.fine)
        for times, pair in enumerate(pairs, start=2):  # so that a - b and b - a do not cancel
            total = total + times * pair
        return total


@dataclasses.dataclass(frozen=True)
class Scaled:
    """A formula of data in place of parameters, of which x is scaled by one parameter."""

    formula: Formula

    def __call__(self, ops: Ops, params: TensorsOf, data: TensorsOf) -> Tensor:
        return self.formula(ops, {**data, "x": data["x"] * params["scale"]}, data)


@dataclasses.dataclass(frozen=True)
class Weighted:
    """A formula as a loss: the sum of its entries, each with a weight."""

    formula: Formula

    def __call__(self, ops: Ops, params: TensorsOf, data: TensorsOf) -> Tensor:
        return ops.sum(self.formula(ops, params, data) * data["weight"])


NOWHERE = "no such word"
# What asks an adapter for a level, an activation, a loss and a reduction, and a word of each that it has if it has layers.
WORDS: dict[str, tuple[Callable[[Any, Any, str], Any], str]] = {
    "level": (lambda ops, layer, word: ops.model(word, [layer("")]), "modules"),
    "activation": (lambda ops, layer, word: ops.model("modules", [layer(word)]), ""),
    "objective": (lambda ops, layer, word: ops.objective(word, "mean"), "binary cross-entropy"),
    "reduction": (lambda ops, layer, word: ops.objective("binary cross-entropy", word), "mean"),
}


@dataclasses.dataclass(frozen=True)
class Asking:
    """A formula that asks the adapter for a ``word`` of this kind, and uses what it gets."""

    kind: str
    word: str

    def __call__(self, ops: Ops, params: TensorsOf, data: TensorsOf) -> Tensor:
        ask, _ = WORDS[self.kind]
        made = ask(ops, partial(Dense, np.ones((2, 2)), np.ones(2)), self.word)
        made(*[ops.tensor(np.ones((2, 2)))] * (2 if self.kind in ("objective", "reduction") else 1))
        return ops.tensor(np.zeros(()))
