"""What a conformance test holds in its hands: a backend, a case and a dtype, and the way to judge them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pytest

from backends.base import Deviation, Formula, Path
from backends.exact import Exact
from backends.process import BackendError, Failed, Process
from cases import Case
from oracle.judge import Oracle
from oracle.verdict import CONFORMS, DEVIATES, UNINFORMATIVE, UNSUPPORTED, Judgement
from report.document import Record
from tests.plan import Plan
from tests.recording import record

Arrays = Mapping[str, np.ndarray]


class Lab:
    """The backends of a worker, each in its own process, and the training runs that several tests look at."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._processes: dict[str, Process] = {}
        self._paths: dict[tuple[str, str, str], Path] = {}
        self._exact_paths: dict[str, dict[str, dict[str, np.ndarray]]] = {}

    def process(self, backend: str) -> Process:
        if backend not in self._processes:
            self._processes[backend] = Process(backend, self.plan.limit)
        return self._processes[backend]

    def path(self, subject: Subject) -> Path:
        case, params, data = subject.case, subject.params, subject.data
        key = subject.backend, case.name, subject.dtype
        if key not in self._paths:
            self._paths.clear()  # tests come sorted by subject
            self._paths[key] = subject.call("path", case.loss, params, data, case.rate, case.steps)
        return self._paths[key]

    def exact_path(self, case: Case, dtype: str) -> dict[str, np.ndarray]:
        """Return the parameters of the exact run from the start as rounded to ``dtype``, as float64."""
        if case.name not in self._exact_paths:
            exact, dtypes = Exact(), self.plan.dtypes
            starts = [case.at(dtype) for dtype in dtypes]
            params, data = (
                {name: exact.points(np.stack([start[kind][name] for start in starts])) for name in starts[0][kind]}
                for kind in (0, 1)
            )
            points = [params]
            for _, (_, _, after) in zip(range(case.steps), exact.train(case.loss, params, data, case.rate), strict=False):
                points.append(after)
            runs = {name: np.stack([point[name].value.astype(float) for point in points], axis=1) for name in params}
            self._exact_paths[case.name] = {
                dtype: {name: run[k] for name, run in runs.items()} for k, dtype in enumerate(dtypes)
            }
        return self._exact_paths[case.name][dtype]

    def close(self) -> None:
        for process in self._processes.values():
            process.stop()


class Subject:
    """One backend and dtype, with a case or, for the contract itself, without.

    Whatever a test finds is recorded first and turned into the test's outcome by ``conclude``.
    """

    def __init__(
        self, lab: Lab, backend: str, dtype: str, case: Case | None, quantity: str, publish: Callable[[Record], None]
    ) -> None:
        self.lab = lab
        self.backend = backend
        self.dtype = dtype
        self.quantity = quantity
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
        try:
            return self.lab.process(self.backend).call(method, *arguments)
        except BackendError as error:
            verdict, message = error.verdict, str(error)
            reasons = [reason for dtype, _, reason in self._lacks(error) if dtype == self.dtype]
            if reasons:
                verdict, message = UNSUPPORTED, f"{reasons[0]}; it raises {getattr(error, 'kind', '')}"
        self.conclude({self.quantity: Judgement(verdict, message)})
        raise AssertionError("a verdict that conclude lets pass")

    def _lacks(self, error: BackendError) -> list[list[str]]:
        try:
            return self.description["unsupported"] if isinstance(error, Failed) else []
        except BackendError:  # a backend that cannot even be loaded declares nothing
            return []

    @cached_property
    def description(self) -> Record:
        return self.lab.process(self.backend).call("describe")

    @cached_property
    def deviations(self) -> list[Deviation]:
        return [Deviation(**fields) for fields in self.description["deviations"]]

    def path(self) -> Path:
        return self.lab.path(self)

    # How it is judged.

    def oracle(self, formula: Formula, data: Arrays, rate: float = 0.0, *, excuse: bool = True) -> Oracle:
        return Oracle(formula, data, self.dtype, self.deviations if excuse else (), rate)

    def judge_gradients(self, starts: list[Arrays], results: list[tuple[np.ndarray, Arrays]]) -> dict[str, Judgement]:
        """Judge ``value`` and ``gradient NAME`` at every start."""
        columns = {"value": [value for value, _ in results]}
        columns |= {f"gradient {name}": [gradient[name] for _, gradient in results] for name in starts[0]}
        return self.oracle(self.case.loss, self.data).judge(starts, columns)

    # What becomes of it.

    def conclude(self, judgements: Mapping[str, Judgement], **facts: Any) -> None:
        """Record every judgement under its quantity, then end the test as the worst of them demands."""
        __tracebackhide__ = True
        self._record_all(judgements, facts)
        by_verdict: dict[str, list[str]] = {}
        for quantity, judgement in judgements.items():
            word = "declared" if judgement.declared and judgement.verdict == DEVIATES else judgement.verdict
            message = f"{self.backend} {self.dtype} {self._identity['case']}, {quantity}: {word}: {judgement.message}"
            by_verdict.setdefault(word, []).append(message)
        declared, mild = by_verdict.pop("declared", []), by_verdict.pop(UNINFORMATIVE, [])
        unsupported = by_verdict.pop(UNSUPPORTED, [])
        by_verdict.pop(CONFORMS, None)
        if by_verdict:
            lines = [message for messages in by_verdict.values() for message in messages]
            pytest.fail("\n".join([*lines, self._what_next()]), pytrace=False)
        if unsupported or mild:
            pytest.skip((unsupported + mild)[0])
        if declared:
            pytest.xfail(declared[0])

    def _what_next(self) -> str:
        case = f" --case {self._case.name}" if self._case else ""
        return f"to look closer: python -m pytest tests --backend {self.backend}{case} --dtype {self.dtype} --results=look.json"

    @property
    def _identity(self) -> Record:
        return {"backend": self.backend, "dtype": self.dtype, "case": self._case.name if self._case else "contract"}

    def _record_all(self, judgements: Mapping[str, Judgement], facts: Mapping[str, Any]) -> None:
        try:
            modes = self.description["modes"]
            self._publish({"kind": "backend", **self.description, "name": self.backend})
        except BackendError:
            modes = {}
        stage = "training" if "step" in self.quantity or self.quantity in ("goal", "drift") else "gradient"
        identity = self._identity | {"level": "autodiff", "mode": modes.get(stage, "eager")}
        duration = time.perf_counter() - self._started
        for quantity, judgement in judgements.items():
            self._publish(record(identity, quantity, judgement, duration / len(judgements)) | dict(facts))
