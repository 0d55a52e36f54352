"""Whether a case can be judged: its formula, its goal, its layers and its axes, tried over numpy before any work."""

from __future__ import annotations

import itertools
import math
import traceback
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from arithmetic.balls import Balls, written
from arithmetic.floats import Floats
from backends.memory import GIB
from cases import Case, CaseError, Figure
from oracle.graph import Counting, evaluated
from oracle.judge import BATCH, VALUES_AT_ONCE
from runner.figures import shape
from vocabulary.operators import public
from vocabulary.words import DTYPES

# Bytes that judging takes for every value that a formula computes, in the worst case: with Arb, value and adjoint, in the
# precisions of truth and bound. Measured: 350, and 100 where doubles are enough.
OF_A_NUMBER = 400
# Bytes for every parameter of a judged step: its value before, its value after and its gradient (3), in float64 (8), held by
# the backend, the transport and the oracle (3).
OF_A_STEP = 3 * 8 * 3


def validate(case: Case, dtypes: Iterable[str], memory: float = math.inf, *, long: bool = False) -> None:
    """Evaluate ``case`` once over numpy, or on its first and last batch, and once in other sizes where it has axes.

    Raises CaseError where it cannot be judged, or not within ``memory`` GiB. With ``long`` the steps
    counted are ``case.judged``, else ``case.sampled``.
    """
    for dtype in dtypes:
        params, data = case.at(dtype)
        numbers = [_evaluate(case, params, seen) for seen in _examples_of(case, data)]
        if case.held_out:
            numbers.append(_evaluate(case, params, case.rounded(case.held_out, dtype)))
        _compare_with_memory(case, max(numbers), len(case.judged if long else case.sampled), memory)
    for figure in case.figures:
        _count(case, figure)
    if case.axes:
        _try_other_sizes(case)
    if case.goal is not None:
        _try_goal(case)
    if case.network:
        _compare_layers(case, next(_examples_of(case, dict(case.data))))


def _compare_with_memory(case: Case, numbers: int, steps: int, memory: float) -> None:
    parameters = sum(array.size for array in case.params.values())
    at_once = max(1, min(BATCH, steps, VALUES_AT_ONCE // numbers))
    times = f"at {at_once:,} points at once," if at_once > 1 else "at one point,"
    for needed, what in (
        (numbers * at_once * OF_A_NUMBER, f"truth and bound of the {numbers:,} values that its formula computes, {times}"),
        (steps * parameters * OF_A_STEP, f"{steps:,} judged steps of {parameters:,} parameters"),
    ):
        if needed / GIB > memory:
            raise CaseError(
                f"case {case.name!r} is too large to be judged: {what} may take {needed / GIB:.3g} GiB, and the limit is "
                f"{memory:g} GiB; make the case smaller, or give --memory-limit=GIB where the machine has more"
            )


def _examples_of(case: Case, data: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """The data that the first step and the last step of an epoch see."""
    if case.batches is None:
        yield dict(data)
        return
    epoch = list(itertools.islice(case.batches, case.batches.an_epoch))
    for rows in (epoch[0], epoch[-1]):
        yield {name: array[rows] if name in case.batches.rows else array for name, array in data.items()}


def _count(case: Case, figure: Figure) -> None:
    """A figure prints one number for each entry of its quantity, in dtypes that are known."""
    runs = figure.runs if isinstance(figure.runs, tuple) else ()
    if not runs or not all(dtype in DTYPES for dtype in (figure.printed_by, *runs)):
        raise CaseError(
            f"case {case.name!r}: the figure of its {figure.quantity} has printed_by={figure.printed_by!r} and "
            f"runs={figure.runs!r}; expected a dtype and a tuple of them, of {', '.join(DTYPES)}"
        )
    try:
        expected = shape(case, figure.quantity, case.params, case.data)
    except ValueError as error:
        raise CaseError(f"case {case.name!r}: {error}") from error
    if (printed := len(figure.text.split())) != math.prod(expected):
        raise CaseError(
            f"case {case.name!r}: the figure of its {figure.quantity} prints {printed} numbers, and the {figure.quantity} has "
            f"{math.prod(expected)} (shape {expected}); print one number for each entry"
        )


def _try_other_sizes(case: Case) -> None:
    """Every array with a named axis is larger by one entry along it, as a random variant may be."""

    def grown(key: str, array: np.ndarray) -> np.ndarray:
        names = case.axes.get(key, "").split()
        return np.pad(array, [(0, 0 if name.isdigit() else 1) for name in names], mode="edge") if names else array

    params, data = ({key: grown(key, array) for key, array in arrays.items()} for arrays in (case.params, case.data))
    try:
        _evaluate(case, params, data)
    except CaseError as error:
        rest = sorted({*case.params, *case.data} - set(case.axes))
        raise CaseError(
            f"{error}; that is so where every axis that `axes` names is longer by one; arrays that it leaves out, {rest}, keep "
            "their shapes: name all axes that change together"
        ) from error


def _try_goal(case: Case) -> None:
    """The goal answers with a truth value."""
    try:
        reached = reference_goal(case, dict(case.params), "float64")
    except Exception as error:  # a user's code
        raise CaseError(
            f"case {case.name!r}: its goal raises {type(error).__name__}: {error}{_line_of(case.goal, error)}; "
            "goal(loss, prediction, data) gets a float and arrays, and returns True or False"
        ) from error
    if not isinstance(reached, bool | np.bool_):
        raise CaseError(f"case {case.name!r}: goal(loss, prediction, data) returns True or False, got {reached!r}")


def _line_of(function: Any, error: BaseException) -> str:
    """Say in which line of the file of ``function`` an error was raised, where it was in one."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" ({file}, line {lines[-1]})" if lines else ""


class _Ops(Counting):
    """numpy that refuses, in a formula, what is no number that the oracle can take, and names what there is."""

    def __getattr__(self, name: str) -> Any:
        known = ", ".join(name for name in public() if name.isidentifier())
        raise AttributeError(f"ops has no operator {name!r}; known: {known}")

    def lift(self, value: Any, like: np.ndarray) -> np.ndarray:
        if isinstance(value, np.generic | np.ndarray):
            # Frameworks take its dtype, which is not that of the run.
            raise TypeError(f"a number in a formula is an int or a float, got {value!r}; give an array as data")
        written(value)
        lifted: np.ndarray = super().lift(value, like)
        return lifted


class _Named(dict[str, Any]):
    """Arrays by name, which say what names there are when they are asked for another."""

    def __init__(self, what: str, arrays: Mapping[str, Any]) -> None:
        super().__init__(arrays)
        self.what = what

    def __missing__(self, name: str) -> Any:
        raise KeyError(f"{self.what} has no {name!r}; it has {', '.join(self)}")


def _evaluate(case: Case, params: dict[str, np.ndarray], data: dict[str, np.ndarray]) -> int:
    """Return how many values, inputs included, the formula of ``case`` is made of."""
    ops = _Ops()
    arrays, inside = (
        MappingProxyType(_Named(what, {name: ops.tensor(array) for name, array in given.items()}))
        for what, given in (("params", params), ("data", data))
    )
    leaves = MappingProxyType(_Named("params", ops.leaves(dict(arrays))))
    try:
        with np.errstate(all="ignore"):
            value = case.loss(ops, leaves, inside)
            shape = getattr(value, "shape", None)
            used = ops.adjoints(value) if shape == () else {}
            if case.predict is not None:
                case.predict(ops, leaves, inside)
    except (Exception, SystemExit) as error:  # a formula is a user's code: whatever it raises, the case has to be named
        words = f"case {case.name!r}: its formula raises {type(error).__name__}: {error}{_line_of(case.loss, error)}"
        if isinstance(error, TypeError | ValueError):
            shapes = ", ".join(f"{name} {array.shape}" for name, array in {**params, **data}.items())
            words += f"; a formula is made of + - * / @ and the operators of ops, of tensors of the shapes {shapes}"
        raise CaseError(words) from error
    if shape != ():
        raise CaseError(
            f"case {case.name!r}: a loss is a scalar tensor of shape (), this one is {shape or type(value).__name__}"
        )
    unused = [name for name, leaf in leaves.items() if id(leaf) not in used]
    if unused:
        raise CaseError(f"case {case.name!r}: its loss does not use the parameters {unused}; give what is constant as data")
    return ops.numbers


def _compare_layers(case: Case, data: dict[str, np.ndarray]) -> None:
    """The formula and the layers of a case have the same exact loss and gradient, or there are two truths."""
    assert case.network is not None
    exact = Balls()
    params, seen = ({name: exact.tensor(array) for name, array in arrays.items()} for arrays in (case.params, data))
    try:
        (one, by_formula), (other, by_layers) = (
            exact.value_and_grad(loss, params, seen) for loss in (case.loss, case.network.loss)
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise CaseError(f"case {case.name!r}: its network raises {type(error).__name__}: {error}") from error
    pairs = {"loss": (one, other)} | {f"gradient {name}": (by_formula[name], by_layers[name]) for name in by_formula}
    for quantity, (a, b) in pairs.items():
        for x, y in zip(a.value.ravel(), b.value.ravel(), strict=True):
            if not x.overlaps(y):
                raise CaseError(
                    f"case {case.name!r}: its formula has the {quantity} {float(x)}, its network has {float(y)}; "
                    "both have to say the same: look at reduction, objective and activations"
                )


def reference_goal(case: Case, params: dict, dtype: str) -> bool:
    """Whether ``params`` reach the goal of ``case``, computed by numpy in float64 whoever trained them."""
    weights, data = (
        {name: array.astype("float64") for name, array in arrays.items()} for arrays in (params, case.at(dtype)[1])
    )
    assert case.goal is not None
    with np.errstate(all="ignore"):  # a diverging run is judged too
        prediction, loss = (
            evaluated(Floats(), formula, weights, data).value for formula in (case.predict or case.loss, case.loss)
        )
        return case.goal(float(loss), prediction, data)
