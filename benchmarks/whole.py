"""A run of one framework: processor seconds of judging beside those of the framework itself, and the most memory of both.

Judging is the process of pytest, with the oracle; the framework has its own process, with the adapter and the transport. Bare
is a process that imports the framework and makes the training runs of the same plan, and judges nothing.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cloudpickle
import pytest

from backends import SETTINGS, caches, load
from backends.training import Training
from backends.transport.engine import Engine
from vocabulary.words import NATIVE

ROOT = Path(__file__).parents[1]
GIB = 2.0**20  # KiB
USAGE, PROGRAMS = "CONFORMANCE_USAGE", "CONFORMANCE_PROGRAMS"


@dataclasses.dataclass(frozen=True)
class Run:
    """Wall seconds, processor seconds of judging and of the framework, and the GiB that either held at most.

    Then wall and processor seconds and GiB of the bare training runs.
    """

    wall: float
    judging: float
    framework: float
    judging_gib: float
    framework_gib: float
    bare_wall: float
    bare: float
    bare_gib: float


def run(framework: str) -> Run:
    """Judge ``framework`` as ``sh conform`` does, but without workers of pytest-xdist."""
    with tempfile.TemporaryDirectory() as folder:
        usage, programs = Path(folder) / "usage.json", Path(folder) / "programs"
        command = [sys.executable, "-m", "pytest", "-p", "benchmarks.whole", "tests", "--ignore=tests/meta", "-q", "-n", "0"]
        command += ["--backend", framework, f"--results={folder}/results.json"]
        wall = _timed(command, {USAGE: str(usage), PROGRAMS: str(programs)})
        judging, own, held, own_held = json.loads(usage.read_text())
        compiled = caches(ROOT / ".pytest_cache" / "d" / "compiled")  # what the run has used, too
        again = [sys.executable, "-m", "benchmarks.whole", framework, str(programs), str(usage)]
        bare_wall = _timed(again, SETTINGS | compiled)
        bare, bare_gib = json.loads(usage.read_text())
        return Run(wall, judging, own, held, own_held, bare_wall, bare, bare_gib)


def _timed(command: list[str], environment: dict[str, str]) -> float:
    """Return the wall seconds of ``command``. Raises RuntimeError with the end of what it prints where it fails."""
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, env=environment | os.environ, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - begun
    if done.returncode:
        end = (done.stdout + done.stderr)[-2000:]
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}: {end}")
    return wall


# The plugin of a run that is measured.


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down the training runs of the plan, for the bare process that makes them again."""
    from conftest import PLAN, PROCESSES

    plan, processes = session.config.stash[PLAN], session.config.stash[PROCESSES]
    cases = [case for case in plan.cases.values() if case.steps]
    cells = [(case, dtype, level) for case in cases for level in plan.levels if not case.levels[level] for dtype in plan.dtypes]
    Path(os.environ[PROGRAMS]).write_bytes(cloudpickle.dumps([processes.training(*cell) for cell in cells]))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Tell what this process and those that it has started took, when all of them have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    times, sizes = [each.ru_utime + each.ru_stime for each in used], [each.ru_maxrss / GIB for each in used]
    Path(os.environ[USAGE]).write_text(json.dumps([*times, *sizes]))


def make(framework: str, programs: list[Training]) -> None:
    """Import ``framework`` and make the training runs whose level and update rule it has."""
    engine = Engine(load(framework))
    described = engine.describe()
    for program in programs:
        has_rule = not NATIVE.get(program.level) or program.optimizer.name in described["rules"]
        if program.level not in described["unsupported_levels"] and has_rule:
            engine.path(program)


if __name__ == "__main__":
    name, source, target = sys.argv[1:]
    make(name, pickle.loads(Path(source).read_bytes()))
    itself = resource.getrusage(resource.RUSAGE_SELF)
    Path(target).write_text(json.dumps([itself.ru_utime + itself.ru_stime, itself.ru_maxrss / GIB]))
