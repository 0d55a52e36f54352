"""What a case is: a formula, its data, its start, and what a training run of it should reach."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

# A tensor of whichever framework evaluates the formula, and that framework's named operations.
Tensor = Any
Ops = Any
Formula = Callable[[Ops, Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]
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


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One program: ``loss(ops, params, data)`` at a fixed start, and optionally a training run.

    The formula uses ``+ - * / @`` and the named operations of ``ops``. Numbers written in a formula must
    be exact in every precision (1, 0.5); all others belong in ``data``, which is rounded once, to the
    dtype of the run. Arrays are copied, made float64 and read-only.

    ``predict`` is the model inside the loss where the two differ; ``goal(loss, prediction, data)`` says
    what having converged means and ``reaches_goal`` whether this start gets there in ``steps`` updates
    ``w -= rate * gradient``.

    Raises CaseError for arrays that are not finite, numbers that are not numeric, bad names or a
    training run without a rate or a goal.
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

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", self.name):
            raise CaseError(f"case {self.name!r}: a name is lower-case words and digits joined by '-'")
        if not self.params:
            raise CaseError(f"case {self.name!r} has no parameters: there is no gradient to judge")
        for field in ("params", "data"):
            arrays = {key: self._frozen(f"{field}[{key!r}]", value) for key, value in getattr(self, field).items()}
            object.__setattr__(self, field, arrays)
        if not isinstance(self.steps, int) or self.steps < 0:
            raise CaseError(f"case {self.name!r}: steps are counted from 0 up, got {self.steps!r}")
        if self.steps and (self.goal is None or not np.isfinite(self.rate) or self.rate <= 0):
            raise CaseError(f"case {self.name!r} trains for {self.steps} steps and needs a goal and a positive rate")

        known = {"loss", *(f"gradient {name}" for name in self.params)}
        known |= {"prediction"} if self.predict else set()
        known |= {"final loss", *(f"final {name}" for name in self.params)} if self.steps else set()
        for figure in self.figures:
            if figure.quantity not in known and not re.fullmatch(r"(node|adjoint) [1-9]\d*", figure.quantity):
                raise CaseError(f"case {self.name!r} has no quantity {figure.quantity!r} to print; it has {sorted(known)}")
            if not re.fullmatch(r"\s*(-?\d+(\.\d*)?\s*)+", figure.text):
                raise CaseError(f"case {self.name!r}: a figure is decimal numbers and blanks, got {figure.text!r}")

    def _frozen(self, where: str, value: Any) -> np.ndarray:
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise CaseError(f"case {self.name!r}: {where} is not an array of numbers: {error}") from error
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
        """Return this case under another name with some fields changed; printed figures do not carry over."""
        return dataclasses.replace(self, **{"figures": (), **changes, "name": name})
