"""The backends of a worker, each in its own process, and the training runs that they made."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import pickle
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backends import NoAdapter
from backends.text import legible
from backends.training import Training
from backends.transport.engine import TrainingPath
from backends.transport.process import BackendError, Failed, Process
from cases import JUDGED, Case
from oracle.kept import Kept
from oracle.run import ExactRun, exact_run
from report.document import Record
from runner.options import USUAL_STEPS
from runner.plan import Plan
from vocabulary.cell import Cell
from vocabulary.rules import Optimizer
from vocabulary.words import AUTODIFF, LEVELS

# So many processes stand at the same time; one that was stopped starts anew when it is asked again.
ALIVE = 8
# What of a description is found, and not declared.
FOUND = ("measured", "probed")
# How the names of the files end in which workers leave what backends have said of themselves.
SAID = ".said"


def training(case: Case, dtype: str, level: str = AUTODIFF) -> Training:
    """Return the training run of ``case``."""
    params, data = case.at(dtype)
    batches, rows = (list(case.batches), case.batches.rows) if case.batches else (None, ())
    optimizer = Optimizer(case.optimizer, case.rate, **case.hyperparameters)
    return Training(case.loss, params, data, optimizer, case.steps, case.judged, level, batches, rows, case.network)


class Processes:
    """The backends of a worker, each in its own process, and the training runs that several tests look at.

    ``kept`` are the judgements of this run; in the folder ``cache`` frameworks keep what they compile, for later runs.
    """

    def __init__(self, plan: Plan, kept: Kept, cache: Path | None) -> None:
        self.plan = plan
        self.kept = kept
        self._cache = cache
        self._processes: dict[str, Process] = {}
        self.descriptions: dict[str, Record] = {}
        self.faults: dict[str, list[str]] = {}
        self._asked: set[str] = set()  # what they say of themselves, whether they have answered or not
        self._told: set[str] = set()
        self._contradictory: dict[str, Failed] = {}
        self.heard: Path | None = None  # the folder where other workers have left what backends said to them
        # By backend, dtype and a word: what several tests look at, and in what stage it was computed.
        self.known: dict[tuple[str, str, str], tuple[str, object]] = {}
        self._paths: dict[Cell, TrainingPath | BackendError] = {}
        self._exact_paths: dict[tuple[str, str], dict[str, ExactRun]] = {}

    def process(self, backend: str) -> Process:
        if backend not in self._processes:
            if len(self._processes) >= ALIVE:  # tests come sorted by backend: those asked before are done
                self._processes[list(self._processes)[-ALIVE]].stop()
            self._processes[backend] = Process(backend, self.plan.limit, self.plan.memory, self._cache)
        return self._processes[backend]

    def call(self, backend: str, method: str, *arguments: Any) -> Any:
        """Return the backend's answer, having first asked it, once, what it says of itself. Raises BackendError."""
        process = self.process(backend)
        if backend in self._contradictory:
            raise self._contradictory[backend]
        if backend not in self.descriptions:
            description = process.call("describe") | {"name": backend}
            self.faults[backend] = description.pop("faults")
            self.descriptions[backend] = description
            self._compare(backend)
        if method == "describe":
            return self.descriptions[backend]
        times = max(1.0, arguments[0].steps / USUAL_STEPS) if method == "path" else 1.0
        return process.call(method, *arguments, times=times)

    def _compare(self, backend: str) -> None:
        """Raises Failed where a backend declares other than it declared to the worker that was to ask it."""
        for file in self.heard.glob(f"*{SAID}") if self.heard else ():
            _, descriptions, _ = pickle.loads(file.read_bytes())
            ours, before = self.descriptions[backend], descriptions.get(backend)
            differing = [field for field in ours if before and field not in FOUND and ours[field] != before.get(field)]
            if before and (differing or self.faults[backend]):
                field = differing[0] if differing else ""
                other = f"{field} {ours[field]!r}, and before {before.get(field)!r}" if field else self.faults[backend][0]
                message = f"{backend} declares in this process what it did not declare before: {other}; declare the same in all"
                self._contradictory[backend] = Failed("DeclarationsDiffer", legible(message))
        if backend in self._contradictory:
            raise self._contradictory[backend]

    def describe_all(self, backends: Sequence[str]) -> None:
        """Ask those of ``backends`` that have not been asked, as many at once as there are processors, what they say of
        themselves.

        One that is no adapter has that for its fault. One that gives no answer is left to its tests, which record that.
        """
        backends = [name for name in backends if name not in self._asked]
        self._asked.update(backends)

        def ask(backend: str) -> None:
            try:
                self.call(backend, "describe")
            except BackendError as error:
                if isinstance(error, Failed) and error.kind == NoAdapter.__name__:
                    self.faults[backend] = [str(error).splitlines()[0].partition(f"{error.kind}: ")[2]]

        at_once = min(os.cpu_count() or 1, ALIVE)  # more would stop those that have just been started
        for first in range(0, len(backends), at_once):
            threads = [threading.Thread(target=ask, args=[name], daemon=True) for name in backends[first : first + at_once]]
            for name in backends[first : first + at_once]:
                with contextlib.suppress(BackendError):
                    self.process(name).start()  # here, and not in a thread that ends before it
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    def teach(self, folder: Path) -> None:
        """Leave in ``folder`` what the backends that were asked have said."""
        facts = self._asked, self.descriptions, self.faults
        (folder / f"{os.getpid()}{SAID}").write_bytes(pickle.dumps(facts))

    def learn(self, folder: Path) -> None:
        """Take for said what workers have left in ``folder``."""
        for file in folder.glob(f"*{SAID}"):
            asked, descriptions, faults = pickle.loads(file.read_bytes())
            self._asked |= asked
            self.descriptions |= descriptions
            self.faults |= faults

    def untold(self, backend: str) -> Record | None:
        """Return what the backend says of itself the first time that somebody asks, and None from then on."""
        if backend in self._told or backend not in self.descriptions:
            return None
        self._told.add(backend)
        return self.descriptions[backend]

    def training(self, case: Case, dtype: str, level: str = AUTODIFF) -> Training:
        """Return the training run of ``case`` as the plan has it: in full, or its first steps."""
        run = training(case, dtype, level)
        if case.name not in self.plan.sampled:
            return run
        if self.plan.is_whole(case, level, dtype):
            return dataclasses.replace(run, keep=case.sampled)
        batches = None if run.batches is None else run.batches[:JUDGED]
        return dataclasses.replace(run, steps=JUDGED, keep=np.arange(JUDGED), batches=batches)

    def path(self, cell: Cell, case: Case) -> TrainingPath:
        """Return the training run of ``case``, that of ``cell``, made once for all tests that look at it.

        Raises BackendError.
        """
        if cell not in self._paths:
            self._paths.clear()  # tests come sorted by candidate
            try:
                self._paths[cell] = self.call(cell.backend, "path", self.training(case, cell.dtype, cell.level))
            except BackendError as error:
                self._paths[cell] = error  # a run that hangs is not waited for by every test that looks at it
        found = self._paths[cell]
        if isinstance(found, BackendError):
            raise found
        return found

    def exact_path(self, case: Case, dtype: str, conventions: Mapping[str, str]) -> ExactRun:
        """Return the judged steps of the exact run, from the start as rounded to ``dtype``."""
        key = case.name, conventions.get(case.optimizer, "")
        if key not in self._exact_paths:
            programs = {
                at: self.training(case, at, level)
                for level, at in itertools.product(LEVELS, self.plan.dtypes)
                if self.plan.is_whole(case, level, at)
            }
            self._exact_paths[key] = dict(zip(programs, exact_run([*programs.values()], conventions), strict=True))
        return self._exact_paths[key][dtype]

    def close(self) -> None:
        for process in self._processes.values():
            process.stop()
