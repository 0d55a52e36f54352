"""What a case is: a formula, its data, its start, and what a training run of it should reach."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from vocabulary.network import Network
from vocabulary.rules import Optimizer, Rule, builtin
from vocabulary.tensors import Formula

Goal = Callable[[float, np.ndarray, Mapping[str, np.ndarray]], bool]


class CaseError(ValueError):
    """A case that cannot be judged; the message names the case and what to mend."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """Numbers that a source prints for a case, as text, because the printed digits are the claim.

    ``quantity`` is ``loss``, ``prediction``, ``gradient NAME``, ``node N`` or ``adjoint N`` at the start, or
    ``final loss`` and ``final NAME`` after the last step; nodes are the operations of the loss, counted from 1 as they
    are made. ``text`` holds the numbers in C order, separated by blanks; one without a point is a whole number, exact.
    Digits beyond those that the dtype ``printed_by`` holds are no claim. ``runs`` are the dtypes whose runs have to print
    it: a float32 path drifts before its end and holds fewer digits than its dtype.
    """

    quantity: str
    text: str
    printed_by: str = "float64"
    runs: tuple[str, ...] = ("float32", "float64")


# So many steps are judged of a long run: evenly on a logarithmic scale, or its first ones where it is not made in full.
JUDGED = 200
# Runs of at least this many steps are sampled, unless --long asks for all of them.
LONG_RUN = 1000


@dataclasses.dataclass(frozen=True, eq=False)
class Batches:
    """Mini-batches: in epoch k, the examples ``order[k]``, ``size`` at a time; the last batch of an epoch may be shorter.

    The loss of a batch is the loss of the case on its examples: a sum weighs a short batch by its examples, a mean as
    much as a full one. ``rows`` are the data that have one row an example.
    """

    size: int
    order: Any
    rows: tuple[str, ...] = ("X", "y")

    def fault(self, data: Mapping[str, np.ndarray]) -> str:
        """Return what keeps ``data`` from being dealt out in these batches, or nothing."""
        if not isinstance(self.size, int | np.integer) or self.size < 1:
            return f"a batch has a whole number of examples, at least one, got the size {self.size!r}"
        missing = [name for name in self.rows if name not in data]
        if missing or not self.rows:
            return f"its batches are rows of {list(self.rows)}, its data are {sorted(data)}"
        lengths = {name: len(data[name]) if data[name].ndim else 0 for name in self.rows}
        examples = lengths[self.rows[0]]
        if len(set(lengths.values())) > 1 or not examples:
            return f"its batches are ragged or empty: the data have {lengths} rows"
        try:
            order = np.array(self.order)
        except ValueError as error:
            return f"the order of its batches is ragged: {error}"
        if not np.issubdtype(order.dtype, np.integer):
            return f"the order of its batches is whole numbers, got {order.dtype}"
        if order.shape[1:] != (examples,) or not len(order):
            return f"every row of the order of its batches must hold each of the {examples} examples once, got {order.shape}"
        wrong = np.flatnonzero((np.sort(order, axis=1) != np.arange(examples)).any(axis=1))
        if len(wrong):
            got = order[wrong[0]].tolist()
            return f"every row of the order of its batches must hold each of the {examples} examples once, got {got}"
        return ""

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the examples of each step."""
        for epoch in self.order:
            for start in range(0, len(epoch), self.size):
                yield np.asarray(epoch[start : start + self.size])

    @property
    def an_epoch(self) -> int:
        """Steps in an epoch."""
        return -(-len(self.order[0]) // self.size)


def shuffled(examples: int, epochs: int, seed: int) -> np.ndarray:
    """Return an order of the examples for each epoch, shape (epochs, examples)."""
    random = np.random.RandomState(seed)  # whose stream is frozen, where that of a Generator may change (NEP 19)
    return np.stack([random.permutation(examples) for _ in range(epochs)])


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One program: ``loss(ops, params, data)`` at a fixed start, and optionally a training run.

    The formula uses ``+ - * / @`` and the named operations of ``ops``. A number in it is the int or float
    that Python reads; where the dtype of the run cannot hold it, the bound allows for one rounding of it.
    ``data`` is rounded to the dtype of the run before the truth is computed. Arrays are copied, made
    float64 and read-only. Names of parameters and of data are identifiers, as Python has them.

    ``predict`` is the model inside the loss where the two differ; ``goal(loss, prediction, data)`` says
    what having converged means and ``reaches_goal`` whether this start gets there in ``steps`` updates of
    ``optimizer``, one of the rules of vocabulary/rules, for ``sgd`` ``w -= rate * gradient``; ``hyperparameters`` are those
    beside the rate, where they are not the usual ones. ``batches`` deals out the data and determines the steps;
    ``held_out`` are further data, under the same names, to evaluate a classifier on. ``network`` says the same as
    ``loss`` in layers, for the levels above autodiff. A ``long`` case is left out unless asked for. ``nodes`` are names that
    a source gives to the operations of the loss, in their order, where it works their graph through; it is then judged node by
    node in every run, and drawn. ``picture`` is the shape, (rows, columns), of an example that is one. ``axes`` names the axes
    of arrays whose shapes may be others, ``{"X": "n f", "w": "f 1"}``, so that random variants of the case can be made; arrays
    that it leaves out keep their shapes.

    Raises CaseError for arrays that are not finite, numbers that are not numeric, bad names, a training run
    without a rate or a goal, batches that do not deal out the data, and layers that the parameters do not fit.
    """

    name: str
    title: str
    source: str
    loss: Formula
    params: Mapping[str, Any]
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    predict: Formula | None = None
    rate: float = 0.0
    steps: int = 0
    goal: Goal | None = None
    reaches_goal: bool = True
    figures: tuple[Figure, ...] = ()
    optimizer: str = "sgd"
    hyperparameters: Mapping[str, float] = dataclasses.field(default_factory=dict)
    batches: Batches | None = None
    held_out: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    network: Network | None = None
    long: bool = False
    nodes: tuple[str, ...] = ()
    picture: tuple[int, int] | None = None
    axes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            raise CaseError(f"case {self.name!r}: a name is lower-case words and digits joined by '-'")
        if not self.params:
            raise CaseError(f"case {self.name!r} has no parameters: there is no gradient to judge")
        for field in ("params", "data", "held_out"):
            for key in getattr(self, field):
                # "node 3" is what the trace calls a node, "3" a number and "" a bias that is not there.
                if not isinstance(key, str) or not key.isidentifier():
                    raise CaseError(
                        f"case {self.name!r}: {field} has the name {key!r}; a parameter or array of data has a name of "
                        "letters, digits and '_' that does not begin with a digit, as Python's own names"
                    )
            arrays = {key: self._frozen(f"{field}[{key!r}]", value) for key, value in getattr(self, field).items()}
            object.__setattr__(self, field, arrays)
        for field, kind in (("batches", Batches), ("network", Network)):
            value = getattr(self, field)
            if value is not None and not isinstance(value, kind):
                raise CaseError(f"case {self.name!r}: {field} is a {kind.__name__} or None, got {value!r}")
        faults = (
            self.batches.fault(self.data) if self.batches else "",
            self.network.fault(self.params, self.data) if self.network else "",
            self._held_out_fault() if self.held_out else "",
            self._axes_fault(),
            self._picture_fault(),
        )
        for fault in filter(None, faults):
            raise CaseError(f"case {self.name!r}: {fault}")
        if self.batches:
            object.__setattr__(self, "steps", len(list(self.batches)))
        if self.optimizer not in builtin():
            raise CaseError(f"case {self.name!r} has the optimizer {self.optimizer!r}; known: {', '.join(builtin())}")
        if not self.rule.by_hand and not self.network:
            raise CaseError(f"case {self.name!r}: the optimizer {self.optimizer!r} trains layers: give the case a network")
        if not isinstance(self.rate, int | float):
            raise CaseError(f"case {self.name!r}: a rate is a number, got {self.rate!r}")
        try:
            Optimizer(self.optimizer, self.rate, **self.hyperparameters).hyperparameters  # noqa: B018
        except (TypeError, ValueError) as error:
            raise CaseError(f"case {self.name!r}: {error}") from error
        if not isinstance(self.steps, int) or self.steps < 0:
            raise CaseError(f"case {self.name!r}: steps are a whole number, 0 or more, got {self.steps!r}")
        if self.steps and (self.goal is None or not np.isfinite(self.rate) or self.rate <= 0):
            raise CaseError(f"case {self.name!r} trains for {self.steps} steps and needs a goal and a positive rate")

        known = ["loss", *(f"gradient {name}" for name in self.params)]
        known += ["prediction"] if self.predict else []
        known += ["final loss", *(f"final {name}" for name in self.params)] if self.steps else []
        for figure in self.figures:
            if figure.quantity not in known and not re.fullmatch(r"(node|adjoint) [1-9]\d*", figure.quantity):
                names = ", ".join(map(repr, known))
                raise CaseError(
                    f"case {self.name!r} has no quantity {figure.quantity!r} to print; it has {names}, and 'node N' and "
                    "'adjoint N' for each node, counted from 1"
                )
            if not re.fullmatch(r"\s*(-?\d+(\.\d*)?\s*)+", figure.text):
                raise CaseError(f"case {self.name!r}: a figure is decimal numbers and blanks, got {figure.text!r}")

    def _held_out_fault(self) -> str:
        if not self.batches or not self.network or not self.predict:
            absent = [name for name in ("batches", "network", "predict") if not getattr(self, name)]
            return f"it has data held out, for which it also needs {', '.join(absent)}"
        if set(self.held_out) != set(self.data):
            return f"held_out has the names of data: got {sorted(self.held_out)}, expected {sorted(self.data)}"
        if self.network.objective != "softmax cross-entropy":
            return f"data are held out to evaluate a softmax classifier, its objective is a {self.network.objective}"
        fault = self.network.fault(self.params, self.held_out)
        return f"the data held out do not fit: {fault}" if fault else ""

    def _axes_fault(self) -> str:
        sizes: dict[str, int] = {}
        for key, names in self.axes.items():
            arrays = {**self.params, **self.data}
            if key not in arrays:
                return f"axes has {key!r}, which is no parameter and no data; it has {sorted(arrays)}"
            shape = arrays[key].shape
            if (count := len(names.split())) != len(shape):
                return f"axes gives {key!r} {count} names, {names!r}, and its shape {shape} has {len(shape)} axes"
            for name, size in zip(names.split(), shape, strict=True):
                if size != (int(name) if name.isdigit() else sizes.setdefault(name, size)):
                    return (
                        f"axes gives {key!r} of shape {shape} the names {names!r}; {name} is {sizes.get(name, name)} elsewhere"
                    )
        return ""

    def _picture_fault(self) -> str:
        if self.picture is None:
            return ""
        rows, columns = self.picture
        pixels = self.data["X"].shape[-1] if "X" in self.data else 0
        return "" if rows * columns == pixels else f"a picture of {rows} x {columns} has not the {pixels} columns of 'X'"

    @property
    def is_in_the_plane(self) -> bool:
        """Whether it predicts one number for points of a plane: two columns of ``X``, and beside them none that varies."""
        x, y = self.data.get("X"), self.data.get("y")
        if self.predict is None or x is None or y is None or x.ndim != 2 or x.shape[1] < 2 or y.shape != (len(x), 1):
            return False
        return bool((x[:, 2:] == x[:1, 2:]).all())

    @property
    def levels(self) -> dict[str, str]:
        """Map each level to why the case cannot be written at it; an empty reason where it can."""
        layers = "" if self.network and self.steps else "not trained" if not self.steps else "a formula without layers"
        step = "" if self.rule.by_hand else "the step of an optimiser is not written by hand"
        return {"autodiff": step, "modules": layers or step, "optimizer": layers, "class": layers}

    @property
    def rule(self) -> Rule:
        """The record of the update rule."""
        return builtin()[self.optimizer]

    @property
    def layered_loss(self) -> Formula:
        """The loss of the case's layers, as a formula."""
        assert self.network is not None
        return self.network.loss

    @property
    def judged(self) -> np.ndarray:
        """The steps to be judged, counted from 0: all, or of a run in mini-batches at least JUDGED, evenly on a log scale.

        Where there are held-out data, the last step of every epoch is among them. All steps are of a rule that remembers.
        """
        if self.batches is None or self.rule.state or self.steps <= JUDGED:
            return np.arange(self.steps)
        return np.union1d(self._sample, self.epoch_ends) if self.held_out else self._sample

    @property
    def sampled(self) -> np.ndarray:
        """The steps to be judged where the run is sampled, counted from 0.

        Of a rule that remembers and of a run of less than LONG_RUN steps all; of a run in mini-batches those of ``judged``; of
        any other JUDGED, evenly on a log scale.
        """
        return self.judged if self.rule.state or self.steps < LONG_RUN or self.batches is not None else self._sample

    @property
    def _sample(self) -> np.ndarray:
        count = JUDGED
        while len(steps := np.unique(np.geomspace(1, self.steps, count).round().astype(int))) < JUDGED:
            count += 1
        sample: np.ndarray = steps - 1
        return sample

    @property
    def epoch_ends(self) -> np.ndarray:
        """The last step of every epoch of a run in mini-batches, counted from 0."""
        assert self.batches is not None
        return np.arange(self.batches.an_epoch, self.steps + 1, self.batches.an_epoch) - 1

    def _frozen(self, where: str, value: Any) -> np.ndarray:
        try:
            given = np.array(value)
            if given.dtype.kind not in "biuf":  # numpy would read numbers from text
                raise TypeError(f"got {value!r}")
            array = given.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise CaseError(f"case {self.name!r}: {where} is not an array of numbers: {error}") from error
        if not array.size:
            raise CaseError(f"case {self.name!r}: {where} is empty, of shape {array.shape}")
        if not np.isfinite(array).all():
            raise CaseError(f"case {self.name!r}: {where} is not finite: {array.tolist()}")
        array.setflags(write=False)
        return array

    def at(self, dtype: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return (params, data) rounded to ``dtype``: exactly the numbers that a backend is given."""
        return self.rounded(self.params, dtype), self.rounded(self.data, dtype)

    def rounded(self, arrays: Mapping[str, np.ndarray], dtype: str) -> dict[str, np.ndarray]:
        """Round ``arrays`` to ``dtype``, read-only; CaseError where a value does not fit its range."""
        cast = {}
        for key, array in arrays.items():
            with np.errstate(over="ignore"):
                value = np.array(array, dtype=dtype)  # array, not astype: 0-d arrays must stay arrays
            if not np.isfinite(value).all():
                raise CaseError(f"case {self.name!r}: {key!r} overflows {dtype}; leave that dtype out for this case")
            value.setflags(write=False)
            cast[key] = value
        return cast

    def but(self, name: str, **changes: Any) -> Case:
        """Return this case under another name with some fields changed; what a source prints or draws does not carry over."""
        return dataclasses.replace(self, **{"figures": (), "nodes": (), **changes, "name": name})
