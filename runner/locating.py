"""Where a result leaves its bounds: the node of the graph, the reduction, or what else to look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from backends.transport.engine import TrainingPath
from backends.transport.process import BackendError
from oracle.comparison import Judgement
from oracle.graph import graph
from oracle.trace import Node, Probed, ValueOf
from vocabulary.losses import REDUCTIONS
from vocabulary.tensors import Arrays, Formula
from vocabulary.words import AUTODIFF, CONFORMS

if TYPE_CHECKING:  # which calls this
    from runner.candidate import Candidate

# What to look at where the loss, the gradient or both are wrong, and no node of the graph is, in its value or its adjoint.
LOSS, GRADIENT = frozenset({"loss"}), frozenset({"gradient"})
LEFT_BY_HAND = {
    LOSS: "which loss the adapter returns: that of another step, a running mean, or one with a term added",
    GRADIENT: (
        "what the adapter does to a gradient after computing it: adding it to the one of the step before (a missing "
        "zero_grad), scaling it, or clipping it"
    ),
    LOSS | GRADIENT: "what one call or step leaves to the next: parameters, data, or state",
}
LEFT_TO_LEVELS = {
    LOSS: "the framework's own loss and its reduction, and the step whose loss the adapter returns",
    GRADIENT: (
        "the derivatives of the framework's own layers and loss, and what the adapter does to them before it returns them"
    ),
    LOSS | GRADIENT: "the framework's own layers, loss and optimiser",
}


@dataclasses.dataclass(frozen=True)
class Trace:
    """Every node of a formula with the judgements on its value and on its adjoint, and those on the gradients of parameters.

    ``adjoints`` are the numbers of which the adjoints are made, each once.
    """

    nodes: list[tuple[Node, Judgement, Judgement]]
    gradients: dict[str, Judgement]
    adjoints: list[float]

    def first_fault(self) -> str:
        """Say which node is the first outside its bound, forward and then backward, or which gradient is; or nothing."""
        for node, value, _ in self.nodes:
            if value.unexplained:
                return f"the first node outside its bound is {node}: {value.message}"
        wrong = [(node, adjoint) for node, _, adjoint in reversed(self.nodes) if adjoint.unexplained]
        if wrong and self._answers_no_probe():
            return (
                f"the gradient cannot be traced: the adapter returns {self.adjoints[0]!r} for each probe, a parameter of zeros "
                "that the trace adds at a node; let it return the gradient of every entry of the `params` that it is given"
            )
        if wrong:
            node, adjoint = wrong[0]
            users = "; ".join(str(user) for user, *_ in self.nodes if node.name in user.operands)
            by = f"used by {users}" if users else "used by no other node: it is the loss itself, and every gradient is affected"
            where = f"going back from the loss, the first wrong adjoint is that of {node}, {by}"
            return f"all values are right; {where}: {adjoint.message}"
        for gradient in self.gradients.values():
            if gradient.unexplained:
                return (
                    "the values and adjoints of all nodes are right; the gradient of a parameter, which is put together from "
                    f"them, is not: {gradient.message}"
                )
        return ""

    def _answers_no_probe(self) -> bool:
        """Whether all adjoints are one number where they should not be; that of the loss itself is 1."""
        expected = {float(x) for _, _, adjoint in self.nodes if adjoint.truth is not None for x in adjoint.truth}
        return self.adjoints == [0] or (len(self.adjoints) == 1 and len(expected) > 1)


def traced(candidate: Candidate, formula: Formula, point: Arrays, data: Arrays) -> Trace:
    """Judge every node of ``formula``, in the backend's own numbers. Raises BackendError."""
    nodes = graph(formula, point, data)
    probed = with_probes(candidate.dtype, formula, point, data)
    [(_, gradient)] = candidate.ask("gradients", Probed(formula), [probed], data)
    gradients = candidate.oracle(Probed(formula), data).judge(
        [probed], {f"gradient {name}": [array] for name, array in gradient.items()}
    )
    values = []
    for index in range(len(nodes)):
        value_of = ValueOf(formula, index)
        value = candidate.ask("apply", value_of, dict(point), data)
        values.append(candidate.oracle(value_of, data).judge([point], {"value": [value]})["value"])
    return Trace(
        [(node, value, gradients.pop(f"gradient {node.name}")) for node, value in zip(nodes, values, strict=True)],
        gradients,
        np.unique(np.concatenate([gradient[node.name].ravel() for node in nodes])).tolist(),
    )


def with_probes(dtype: str, formula: Formula, point: Arrays, data: Arrays) -> dict[str, np.ndarray]:
    """Return ``point`` with a probe of value zero for every node of ``formula``."""
    return dict(point) | {node.name: np.zeros(node.tensor.shape, dtype) for node in graph(formula, point, data)}


def locate(candidate: Candidate, point: Arrays, data: Arrays, leaving: Iterable[str]) -> str:
    """Say where the case's loss, evaluated node by node at ``point``, first leaves its bounds, or what else to look at.

    ``leaving`` are the quantities that were found outside their bounds there.
    """
    try:
        trace = traced(candidate, candidate.case.loss, point, data)
    except BackendError as error:
        reason = str(error).splitlines()[0]
        return (
            "the fault cannot be traced to a node: the trace adds a parameter at every node of the formula, and there the "
            f"adapter fails: {reason}"
        )
    if found := trace.first_fault():
        return found
    kinds = frozenset("gradient" if quantity.startswith("gradient") else "loss" for quantity in leaving)
    if candidate.level == AUTODIFF:
        return f"computed again at this point, every node of the graph is inside its bound; look at {LEFT_BY_HAND[kinds]}"
    return (
        "by automatic differentiation every node of the graph is inside its bound at this point; "
        f"look at what the level {candidate.level!r} adds, namely {LEFT_TO_LEVELS[kinds]}"
    )


def other_reduction(candidate: Candidate, path: TrainingPath, step: int) -> str:
    """Say of which other reduction than the case asks for loss and gradient of a kept step are, or nothing."""
    network = candidate.case.network
    if network is None or candidate.level == AUTODIFF:
        return ""
    point = {name: array[step] for name, array in path.before.items()}
    results = {"value": [path.losses[step]]} | {f"gradient {k}": [array[step]] for k, array in path.gradients.items()}
    data = candidate.training.seen(int(path.steps[step]))
    for other in (word for word in REDUCTIONS if word != network.reduction):
        formula = dataclasses.replace(network, reduction=other).loss
        if {j.verdict for j in candidate.oracle(formula, data).judge([point], results).values()} == {CONFORMS}:
            n = len(network.examples(data)[0])
            return (
                f"got is the {other} over the {n} examples, where the case asks for the {network.reduction}: look at the "
                "reduction that the adapter gives to the loss"
            )
    return ""


def located(
    candidate: Candidate, judgements: Mapping[str, Judgement], points: Sequence[Arrays], path: TrainingPath | None
) -> dict[str, Judgement]:
    """Return ``judgements`` with where the first loss or gradient of the case that deviates leaves its bounds.

    It is looked for at the one of ``points``, or the step of ``path``, that deviates first.
    """
    leaving = {
        quantity: judgement.first
        for quantity, judgement in judgements.items()
        if judgement.first is not None and not judgement.declared and not quantity.startswith("updated")
    }
    if not leaving or (not points and path is None):
        return dict(judgements)
    first = min(leaving.values())
    there = [quantity for quantity, row in leaving.items() if row == first]
    if path is None:
        where = locate(candidate, points[first], candidate.data, there)
    else:
        data = candidate.training.seen(int(path.steps[first]))
        point = {name: array[first] for name, array in path.before.items()}
        where = other_reduction(candidate, path, first) or locate(candidate, point, data, there)
    return {
        quantity: dataclasses.replace(judgement, message=f"{judgement.message}; {where}") if quantity in leaving else judgement
        for quantity, judgement in judgements.items()
    }
