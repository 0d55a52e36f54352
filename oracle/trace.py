"""The computation graph of a formula, node by node, in the numbers of whoever evaluates it.

A formula is given operations that write down what they are asked for. A probe, a parameter of value zero, is added at
every node: the derivative with respect to it is the adjoint of that node, in every framework and by its own means.
Imports no library, since traced formulas travel to the processes of the backends.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping
from typing import Any

from vocabulary.operators import named
from vocabulary.tensors import Formula, Tensor

# A node is called "node 3", and so is its probe. Names of parameters and data are identifiers, which hold no blank
# (cases.Case): none of them can be taken for a probe.
PROBE = "node "


class Traced:
    """A tensor in a traced formula: its operations are done by the framework and noted by the tracer."""

    __array_ufunc__ = None  # numpy arrays on the left leave the operation to us

    def __init__(self, tracer: Tracer, name: str, tensor: Tensor) -> None:
        self.tracer = tracer
        self.name = name
        self.tensor = tensor

    def __neg__(self) -> Traced:
        return self.tracer.note("-", operator.neg, self)


def _noted(symbol: str, function: Callable[[Any, Any], Any], *, reflected: bool = False) -> Callable[[Traced, Any], Traced]:
    def method(self: Traced, other: Any) -> Traced:
        return self.tracer.note(symbol, function, *((other, self) if reflected else (self, other)))

    return method


for _symbol, _function, _name in (
    ("+", operator.add, "add"),
    ("-", operator.sub, "sub"),
    ("*", operator.mul, "mul"),
    ("/", operator.truediv, "truediv"),
    ("@", operator.matmul, "matmul"),
):
    setattr(Traced, f"__{_name}__", _noted(_symbol, _function))
    setattr(Traced, f"__r{_name}__", _noted(_symbol, _function, reflected=True))


@dataclasses.dataclass(frozen=True)
class Node:
    """One operation of a graph: ``name = operation(operands)``, the operands being names of nodes, leaves or numbers."""

    name: str
    operation: str
    operands: tuple[str, ...]
    tensor: Tensor

    def __str__(self) -> str:
        return f"{self.name} = {self.operation}({', '.join(self.operands)})"


class Tracer:
    """The ``ops`` of a traced formula: those of a backend, numbered as they are used."""

    def __init__(self, ops: Any, probes: Mapping[str, Tensor]) -> None:
        self.ops = ops
        self.probes = probes
        self.nodes: list[Node] = []

    def __getattr__(self, name: str) -> Callable[..., Traced]:
        if name not in named():
            raise AttributeError(f"there is no operation {name!r}; there are {', '.join(named())}")
        return lambda *operands: self.note(name, getattr(self.ops, name), *operands)

    def note(self, operation: str, function: Callable[..., Tensor], *operands: Any) -> Traced:
        """Do an operation and write it down."""
        name = f"{PROBE}{len(self.nodes) + 1}"
        tensor = function(*(x.tensor if isinstance(x, Traced) else x for x in operands))
        if name in self.probes:
            tensor = tensor + self.probes[name]
        self.nodes.append(Node(name, operation, tuple(x.name if isinstance(x, Traced) else str(x) for x in operands), tensor))
        return Traced(self, name, tensor)


def trace(formula: Formula, ops: Any, params: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> tuple[Tensor, list[Node]]:
    """Return the value of ``formula`` and its nodes in the order of computation. Probes stand among ``params``."""
    probes = {name: tensor for name, tensor in params.items() if name.startswith(PROBE)}
    tracer = Tracer(ops, probes)
    inside = (
        {name: Traced(tracer, name, tensor) for name, tensor in tensors.items()}
        for tensors in ({name: tensor for name, tensor in params.items() if name not in probes}, data)
    )
    return formula(tracer, *inside).tensor, tracer.nodes


@dataclasses.dataclass(frozen=True)
class Probed:
    """A formula with a probe at every node, as a formula."""

    formula: Formula

    def __call__(self, ops: Any, params: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> Tensor:
        return trace(self.formula, ops, params, data)[0]


@dataclasses.dataclass(frozen=True)
class ValueOf:
    """The value of one node of a formula, counted from 0, as a formula."""

    formula: Formula
    index: int

    def __call__(self, ops: Any, params: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> Tensor:
        return trace(self.formula, ops, params, data)[1][self.index].tensor
