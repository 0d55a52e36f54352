"""What a conformance test holds in its hands: a backend, a case and a dtype, and the way to judge them."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from backends.base import Deviation, Formula, Path
from backends.exact import Exact
from backends.process import BackendError, Failed, Process
from cases import Case
from oracle.judge import Oracle, graph, subjects
from oracle.trace import Node, Probed, ValueOf
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
        self.descriptions: dict[str, Record] = {}
        self._paths: dict[tuple[str, str, str], Path] = {}
        self._exact_paths: dict[str, dict[str, dict[str, np.ndarray]]] = {}

    def process(self, backend: str) -> Process:
        if backend not in self._processes:
            self._processes[backend] = Process(backend, self.plan.limit)
        return self._processes[backend]

    def call(self, backend: str, method: str, *arguments: Any) -> Any:
        """Return the backend's answer, having first asked it, once, what it says of itself. Raises BackendError."""
        process = self.process(backend)
        if backend not in self.descriptions:
            self.descriptions[backend] = process.call("describe") | {"name": backend}
        return process.call(method, *arguments) if method != "describe" else self.descriptions[backend]

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
            path = exact.train(case.loss, params, data, case.rate)
            points.extend(after for _, _, after in itertools.islice(path, case.steps))
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
        self, lab: Lab, backend: str, dtype: str, case: Case | None, test: pytest.Item, publish: Callable[[Record], None]
    ) -> None:
        self.lab = lab
        self.backend = backend
        self.dtype = dtype
        marker = test.get_closest_marker("quantity")
        self.quantity = marker.args[0] if marker else test.name
        self._test = test.nodeid
        self._stage = "forward"  # what the backend has been asked for; not every stage runs in the same mode
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
        if method in ("gradients", "gradients_twice"):
            self._stage = "gradient"
        try:
            return self.lab.call(self.backend, method, *arguments)
        except BackendError as error:
            judgement = Judgement(error.verdict, str(error))
            if isinstance(error, Failed) and method not in ("describe", "follows") and (reason := self._lacks(*arguments[:3])):
                judgement = Judgement(UNSUPPORTED, f"{reason}; it raises {error.kind}")
        self.conclude({self.quantity: judgement})
        raise AssertionError("a verdict that conclude lets pass")

    def _lacks(self, formula: Formula, points: Any, data: Arrays) -> str | None:
        """Return why the backend is stated to lack something that ``formula`` uses in this dtype."""
        lacking = {operation: why for dtype, operation, why in self.describe()["unsupported"] if dtype == self.dtype}
        point = points[0] if isinstance(points, list) else points
        return next((lacking[name] for name in sorted(subjects(formula, point, data)) if name in lacking), None)

    def describe(self) -> Record:
        """Return what the backend says of itself."""
        __tracebackhide__ = True
        description: Record = self.call("describe")
        return description

    @property
    def deviations(self) -> list[Deviation]:
        __tracebackhide__ = True
        return [Deviation(**fields) for fields in self.describe()["deviations"]]

    def path(self) -> Path:
        __tracebackhide__ = True
        path = self.lab.path(self)
        self._stage = "training"
        return path

    # How it is judged.

    def oracle(self, formula: Formula, data: Arrays, rate: float = 0.0, *, excuse: float = 1.0, direct: bool = False) -> Oracle:
        """Return the oracle for a formula of this subject; ``excuse`` scales what the backend declares."""
        declared = [dataclasses.replace(d, absolute=excuse * d.absolute) for d in self.deviations] if excuse else []
        return Oracle(formula, data, self.dtype, declared, rate, direct=direct)

    def judge_gradients(self, starts: list[Arrays], results: list[tuple[np.ndarray, Arrays]]) -> dict[str, Judgement]:
        """Judge ``value`` and ``gradient NAME`` at every start."""
        columns = {"value": [value for value, _ in results]}
        columns |= {f"gradient {name}": [gradient[name] for _, gradient in results] for name in starts[0]}
        return self.oracle(self.case.loss, self.data).judge(starts, columns)

    # Where it leaves.

    def trace(self, formula: Formula, point: Arrays) -> list[tuple[Node, Judgement, Judgement]]:
        """Judge every node of ``formula``: its value and its adjoint, in the backend's own numbers. Raises BackendError."""
        nodes = graph(formula, point, self.data)
        probed = self.with_probes(formula, point)
        [(_, gradient)] = self.lab.call(self.backend, "gradients", Probed(formula), [probed], self.data)
        adjoints = self.oracle(Probed(formula), self.data).judge(
            [probed], {f"gradient {node.name}": [gradient[node.name]] for node in nodes}
        )
        judged = []
        for index, node in enumerate(nodes):
            value_of = ValueOf(formula, index)
            value = self.lab.call(self.backend, "apply", value_of, dict(point), self.data)
            value_judgement = self.oracle(value_of, self.data).judge([point], {"value": [value]})["value"]
            judged.append((node, value_judgement, adjoints[f"gradient {node.name}"]))
        return judged

    def with_probes(self, formula: Formula, point: Arrays | None = None) -> dict[str, np.ndarray]:
        """Return ``point``, by default the start, with a probe of value zero for every node of ``formula``."""
        point = self.params if point is None else point
        return dict(point) | {node.name: np.zeros(node.tensor.shape, self.dtype) for node in graph(formula, point, self.data)}

    def locate(self, point: Arrays) -> str:
        """Say which node of the case's loss is the first to leave its ball at ``point``, forward and then backward."""
        try:
            nodes = self.trace(self.case.loss, point)
        except BackendError as error:
            return f"no trace: {str(error).splitlines()[0]}"
        for node, value, _ in nodes:
            if value.verdict == DEVIATES and not value.declared:
                return f"the first node outside its ball, forward: {node}: {value.message}"
        for node, _, adjoint in reversed(nodes):
            if adjoint.verdict == DEVIATES and not adjoint.declared:
                users = "; ".join(str(user) for user, *_ in nodes if node.name in user.operands)
                return f"all values are right; the first wrong adjoint is that of {node}, used by {users}: {adjoint.message}"
        return (
            "evaluated by itself there, every node of the graph is inside its ball: "
            "look at the derivatives by the leaves, and at what a training step carries over from the one before"
        )

    # What becomes of it.

    def conclude(self, judgements: Mapping[str, Judgement], points: Sequence[Arrays] = (), **facts: Any) -> None:
        """Record every judgement under its quantity, then end the test as the worst of them demands.

        Where a loss or gradient of the case deviates at one of ``points``, the first of them is traced node by node.
        """
        __tracebackhide__ = True
        leaving = {
            quantity: judgement.first
            for quantity, judgement in judgements.items()
            if judgement.first is not None and not judgement.declared and not quantity.startswith("updated")
        }
        if points and leaving:
            where = self.locate(points[min(leaving.values())])
            judgements = {
                quantity: dataclasses.replace(judgement, message=f"{judgement.message}; {where}")
                if quantity in leaving
                else judgement
                for quantity, judgement in judgements.items()
            }
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
        plan = self.lab.plan
        words = ["python", "-m", "pytest", self._test, "--backend", self.backend, "--dtype", self.dtype, *plan.again]
        return f"to look closer: {shlex.join(words)} --results=look.json"

    @property
    def _identity(self) -> Record:
        return {"backend": self.backend, "dtype": self.dtype, "case": self._case.name if self._case else "contract"}

    def _record_all(self, judgements: Mapping[str, Judgement], facts: Mapping[str, Any]) -> None:
        description = self.lab.descriptions.get(self.backend)
        if description:
            self._publish({"kind": "backend", **description})
        mode = description["modes"].get(self._stage, "eager") if description else "eager"
        identity = self._identity | {"level": "autodiff", "mode": mode}
        duration = time.perf_counter() - self._started
        for quantity, judgement in judgements.items():
            self._publish(record(identity, quantity, judgement, duration / len(judgements)) | dict(facts))
