"""What a conformance test holds in its hands: a backend, a case and a dtype, and the way to judge them."""

from __future__ import annotations

import copy
import dataclasses
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pytest

from backends.base import Deviation
from backends.text import legible
from backends.training import Training
from backends.transport.engine import TrainingPath
from backends.transport.process import BackendError, Failed
from cases import Case
from oracle.comparison import Judgement
from oracle.graph import used_by
from oracle.judge import Oracle, Steps
from report.document import Record
from runner.answers import checked
from runner.locating import located
from runner.processes import Processes
from runner.recording import describe_backend, record
from vocabulary.cell import CONTRACT, Cell
from vocabulary.layers import ACTIVATIONS, LAYERS
from vocabulary.losses import OBJECTIVES, REDUCTIONS
from vocabulary.tensors import Arrays, Formula
from vocabulary.words import (
    AUTODIFF,
    CONFORMS,
    DECLARED,
    DEVIATES,
    EAGER,
    NATIVE,
    UNINFORMATIVE,
    UNSUPPORTED,
    UnknownWord,
)

T = TypeVar("T")

# What a backend is asked for; not every stage runs in the same mode.
STAGES = {"gradients": "gradient", "gradients_twice": "gradient", "path": "training"}
# Answers that hold no results.
WITHOUT_NUMBERS = ("describe", "calls")

# Characters of a judgement that are printed: a shrunk variant is a file of tens of thousands, and what a backend returns in
# place of a small array has no limit.
LONGEST = 100_000


class Candidate:
    """One backend, level and dtype, with a case or, for the contract itself, without.

    Whatever a test finds is recorded first and turned into the test's outcome by ``conclude``.
    """

    def __init__(
        self,
        processes: Processes,
        backend: str,
        dtype: str,
        case: Case | None,
        level: str,
        test: pytest.Item,
        publish: Callable[[Record], None],
    ) -> None:
        self.processes = processes
        self.backend = backend
        self.dtype = dtype
        self.level = level
        marker = test.get_closest_marker("quantity")
        self.quantity = marker.args[0] if marker else test.name
        self._test = test.nodeid
        self._stage = "forward"
        self._case = case
        self._publish = publish
        self._started = time.perf_counter()
        if case is not None:
            self.params, self.data = case.at(dtype)

    @property
    def case(self) -> Case:
        assert self._case is not None
        return self._case

    # What the backend computes.

    def call(self, method: str, *arguments: Any) -> Any:
        """Return what the backend's Engine answers. Where it gives no answer, that is the outcome of the test."""
        __tracebackhide__ = True
        self._stage = STAGES.get(method, self._stage)
        try:
            return self.ask(method, *arguments)
        except BackendError as error:
            judgement = Judgement(error.verdict, str(error), cause=error.cause)
            # Whoever cannot describe itself states nothing to be absent.
            if (
                isinstance(error, Failed)
                and method != "describe"
                and (reason := self._unsupported(method, arguments) or absent_word(error))
            ):
                judgement = Judgement(UNSUPPORTED, f"{reason}; it raises {error.kind}")
        self.conclude({self.quantity: judgement})
        raise AssertionError("a verdict that conclude lets pass")

    def ask(self, method: str, *arguments: Any) -> Any:
        """Return what the backend's Engine answers, in numbers of the dtype asked for. Raises BackendError."""
        if method in WITHOUT_NUMBERS:
            return self.processes.call(self.backend, method, *arguments)
        if method == "path" and not arguments:
            self.processes.call(self.backend, "describe")  # which says in what mode it trains
            return checked(self.processes.path(self._cell("training"), self.case), self.dtype)
        return checked(self.processes.call(self.backend, method, *arguments), self.dtype)

    def once(self, what: str, ask: Callable[[], T]) -> T:
        """Return what ``ask`` returns, which the backend is asked in this dtype, once for all tests that look at it."""
        __tracebackhide__ = True
        known, key = self.processes.known, (self.backend, self.dtype, what)
        if key not in known:
            answer = ask()
            known[key] = self._stage, answer
        self._stage, found = known[key]
        return cast(T, found)

    def _unsupported(self, method: str, arguments: tuple[Any, ...]) -> str | None:
        """Return why the backend has not got the level, or something that the formula uses in this dtype."""
        if self.level != AUTODIFF:
            return self.unsupported_level or (self.absent_rule(self.case.optimizer) if NATIVE[self.level] else None)
        match method:
            case "path":
                run = arguments[0] if arguments else self.training
                asked = [(run.loss, run.params, run.seen(0))]
            case "evaluate":
                run, predict, points, data = arguments
                asked = [(formula, points[0], data) for formula in (run.loss, predict)]
            case "apply" | "gradients" | "gradients_twice" | "calls":
                formula, points, data = arguments[:3]
                asked = [(formula, points[0] if isinstance(points, list) else points, data)]
            case _:
                return None
        return next(filter(None, (self.absent(*each) for each in asked)), None)

    @property
    def unsupported(self) -> dict[str, str]:
        """The operations that the backend has not got in this dtype, and why."""
        __tracebackhide__ = True
        return {operation: why for dtype, operation, why in self.describe()["unsupported"] if dtype == self.dtype}

    def absent(self, formula: Formula, point: Arrays, data: Arrays) -> str | None:
        """Return why the backend has not got an operation that ``formula`` uses, or None."""
        __tracebackhide__ = True
        if not (reasons := self.unsupported):
            return None
        return next((reasons[name] for name in sorted(used_by(formula, point, data)) if name in reasons), None)

    @property
    def unsupported_levels(self) -> dict[str, str]:
        """The levels that the backend has not got, and why."""
        __tracebackhide__ = True
        reasons: dict[str, str] = self.describe()["unsupported_levels"]
        return reasons

    @property
    def unsupported_level(self) -> str | None:
        """Why the backend has not got this level."""
        __tracebackhide__ = True
        return self.unsupported_levels.get(self.level)

    def absent_rule(self, name: str) -> str | None:
        """Why the framework's optimisers do not make the steps of a rule, or None where they do."""
        __tracebackhide__ = True
        rules: list[str] = self.describe()["rules"]
        if name in rules:
            return None
        return f"{self.backend} has no optimiser for {name!r}; it has some for {', '.join(map(repr, rules)) or 'no rule'}"

    def describe(self) -> Record:
        """Return what the backend says of itself."""
        __tracebackhide__ = True
        description: Record = self.call("describe")
        return description

    @property
    def deviations(self) -> list[Deviation]:
        __tracebackhide__ = True
        return [Deviation.of_record(fields) for fields in self.describe()["deviations"]]

    @property
    def conventions(self) -> dict[str, str]:
        """How the backend says that it reads update rules, by their names."""
        __tracebackhide__ = True
        conventions: dict[str, str] = self.describe()["conventions"]
        return conventions

    @property
    def convention(self) -> str:
        """How it reads the rule of the case; empty where that can be read in one way."""
        __tracebackhide__ = True
        return self.conventions.get(self.case.optimizer, "")

    @property
    def training(self) -> Training:
        return self.processes.training(self.case, self.dtype, self.level)

    @property
    def is_whole(self) -> bool:
        """Whether the training run is made to its end."""
        return self.processes.plan.is_whole(self.case, self.level, self.dtype)

    @property
    def formula(self) -> Formula:
        """The loss as the backend computes it at this level: the case's formula, or that of its layers."""
        __tracebackhide__ = True
        if self.level == AUTODIFF or "modules" in self.unsupported_levels:
            return self.case.loss
        return self.case.layered_loss

    @property
    def scores(self) -> Formula:
        """What the backend predicts at this level: the case's prediction, or the outputs of its layers."""
        __tracebackhide__ = True
        if self.formula == self.case.loss:
            assert self.case.predict is not None
            return self.case.predict
        assert self.case.network is not None
        return self.case.network.outputs

    def path(self) -> TrainingPath:
        """Return the training run of the case at this level, made once for all tests that look at it."""
        __tracebackhide__ = True
        path: TrainingPath = self.call("path")
        if self.unsupported_level:
            self.conclude({self.quantity: self.needless("unsupported_levels", f"the level {self.level!r}", repr(self.level))})
        return path

    def needless(self, mapping: str, what: str, entry: str) -> Judgement:
        """Return the judgement on ``what``, which the adapter declares to be unsupported, and which works."""
        __tracebackhide__ = True
        place = self.describe()["places"][mapping]
        return Judgement(DEVIATES, f"{what} works, and is declared not to: delete {entry} from {mapping!r} in {place}")

    def needed(self, mapping: str, what: str, entry: str) -> Judgement:
        """Return the judgement on ``what``, which works and does not stand among what the adapter declares to have."""
        __tracebackhide__ = True
        place = self.describe()["places"][mapping]
        return Judgement(DEVIATES, f"{what} works, and is not declared to: add {entry} to {mapping!r} in {place}")

    # How it is judged.

    def oracle(
        self, formula: Formula, data: Arrays, *, deviations: Sequence[Deviation] | None = None, direct: bool = False
    ) -> Oracle:
        """Return the oracle for a formula of this candidate; ``deviations`` are judged by in place of the backend's own."""
        declared = self.deviations if deviations is None else deviations
        return Oracle(formula, data, self.dtype, declared, direct=direct, kept=self.processes.kept)

    def at(self, dtype: str) -> Candidate:
        """Return the same candidate in another dtype."""
        other = copy.copy(self)
        other.dtype = dtype
        return other

    def judge_path(
        self,
        path: TrainingPath,
        formula: Formula,
        program: Training,
        *,
        conventions: Mapping[str, str] | None = None,
        deviations: Sequence[Deviation] | None = None,
    ) -> dict[str, Judgement]:
        """Judge every step that ``path`` holds from the parameters before it.

        ``conventions`` and ``deviations`` are declarations to judge by, in place of the backend's own.
        """
        points = [{name: array[k] for name, array in path.before.items()} for k in range(len(path.steps))]
        results = {"value": list(path.losses)}
        results |= {f"gradient {name}": list(array) for name, array in path.gradients.items()}
        results |= {f"updated {name}": list(array) for name, array in path.after.items()}
        steps = Steps.of(program, self.conventions if conventions is None else conventions)
        declared = self.deviations if deviations is None else deviations
        oracle = Oracle(formula, program.data, self.dtype, declared, steps, kept=self.processes.kept)
        return oracle.judge(points, results, row="step")

    def judge_gradients(self, starts: list[Arrays], results: list[tuple[np.ndarray, Arrays]]) -> dict[str, Judgement]:
        """Judge ``value`` and ``gradient NAME`` at every start."""
        columns = {"value": [value for value, _ in results]}
        columns |= {f"gradient {name}": [gradient[name] for _, gradient in results] for name in starts[0]}
        return self.oracle(self.case.loss, self.data).judge(starts, columns)

    # What becomes of it.

    def conclude(
        self, judgements: Mapping[str, Judgement], points: Sequence[Arrays] = (), path: TrainingPath | None = None, **facts: Any
    ) -> None:
        """Record every judgement under its quantity, then end the test as the worst of them demands.

        Where a loss or gradient of the case deviates at one of ``points``, or in ``path``, the first of them is traced node
        by node.
        """
        __tracebackhide__ = True
        judgements = located(self, judgements, points, path)
        judgements = {
            quantity: dataclasses.replace(judgement, message=legible(judgement.message, LONGEST))
            for quantity, judgement in judgements.items()
        }
        self._record_all(judgements, facts)
        by_verdict: dict[str, list[str]] = {}
        for quantity, judgement in judgements.items():
            word = DECLARED if judgement.declared and judgement.verdict == DEVIATES else judgement.verdict
            message = f"{self.cell}, {quantity}: {word}: {judgement.message}"
            by_verdict.setdefault(word, []).append(message)
        declared, mild = by_verdict.pop(DECLARED, []), by_verdict.pop(UNINFORMATIVE, [])
        unsupported = by_verdict.pop(UNSUPPORTED, [])
        by_verdict.pop(CONFORMS, None)
        if by_verdict:
            lines = [message for messages in by_verdict.values() for message in messages]
            pytest.fail("\n".join([*lines, self._what_next()]), pytrace=False)
        if unsupported and self.level != AUTODIFF:  # in the same words for every program, so that pytest sums them up
            reason = next(j.message for j in judgements.values() if j.verdict == UNSUPPORTED)
            pytest.skip(_in_a_line(f"unsupported: {reason}"))
        if unsupported or mild:
            pytest.skip(_in_a_line((unsupported + mild)[0]))
        if declared:
            pytest.xfail(_in_a_line(declared[0]))

    def _what_next(self) -> str:
        plan = self.processes.plan
        python = Path(sys.executable)
        if python.is_relative_to(Path.cwd()):
            python = python.relative_to(Path.cwd())
        path = [f"PYTHONPATH={os.environ['PYTHONPATH']}"] if os.environ.get("PYTHONPATH") else []
        words = [*path, str(python), "-m", "pytest", self._test, "--backend", self.backend, "--dtype", self.dtype, *plan.again]
        return f"to judge this again, all of its numbers into look.json: {shlex.join(words)} --results=look.json"

    @property
    def cell(self) -> Cell:
        """What the checks of this candidate belong to, in the mode of what the backend was asked for last."""
        return self._cell(self._stage)

    def _cell(self, stage: str) -> Cell:
        description = self.processes.descriptions.get(self.backend)
        mode = description["modes"].get(stage, EAGER) if description else EAGER
        return Cell(self.backend, self.level, mode, self.dtype, self._case.name if self._case else CONTRACT)

    def publish(self, kind: str, **facts: Any) -> None:
        """Record what belongs to this candidate beside its checks."""
        self._publish({"kind": kind, **self.cell.record, **facts})

    def publish_shared(self, record: Record) -> None:
        """Record what belongs to a case, and to no backend; told more than once it stands once in the results file."""
        self._publish(record)

    def _record_all(self, judgements: Mapping[str, Judgement], facts: Mapping[str, Any]) -> None:
        if description := self.processes.untold(self.backend):
            self._publish(describe_backend(description))
        cell = self.cell
        duration = time.perf_counter() - self._started
        for quantity, judgement in judgements.items():
            self._publish(record(cell, self.quantity, quantity, judgement, duration / len(judgements)) | dict(facts))


def absent_word(error: Failed) -> str | None:
    """Return why an adapter has not got a layer, an activation, a loss or a reduction that the vocabulary has, or None."""
    first, *_ = str(error).splitlines()
    words = {*LAYERS, *ACTIVATIONS, *OBJECTIVES, *REDUCTIONS}
    if error.kind != UnknownWord.__name__ or not any(f" {word!r}; known: " in first for word in words):
        return None
    return first.partition(f"{error.kind}: ")[2]


def _in_a_line(reason: str) -> str:
    """The summary of a run has a line for each reason, and no line that only looks like one."""
    return " ".join(reason.split())
