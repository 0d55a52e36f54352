"""A run of one framework: processor seconds of judging beside those of the framework itself, and the most memory of both.

Judging is the process of pytest, with the oracle; the framework has its own process, with the adapter and the transport.
"""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GIB = 2.0**20  # KiB


@dataclasses.dataclass(frozen=True)
class Run:
    """Wall seconds, processor seconds of judging and of the framework, and the GiB that either held at most."""

    wall: float
    judging: float
    framework: float
    judging_gib: float
    framework_gib: float


def run(framework: str) -> Run:
    """Judge ``framework`` as ``sh conform`` does, in one process, which shares its work with no other."""
    with tempfile.TemporaryDirectory() as folder:
        usage = Path(folder) / "usage.json"
        command = [sys.executable, "-m", "pytest", "-p", "benchmarks.whole", "tests", "--ignore=tests/meta", "-q", "-n", "0"]
        command += ["--backend", framework, f"--results={folder}/results.json"]
        begun = time.perf_counter()
        environment = os.environ | {"CONFORMANCE_USAGE": str(usage)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        wall = time.perf_counter() - begun
        if done.returncode:
            raise RuntimeError(f"the run of {framework} ended with status {done.returncode}: {done.stdout[-2000:]}")
        return Run(wall, *json.loads(usage.read_text()))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Tell what this process and those that it has started took, when all of them have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    times, sizes = [each.ru_utime + each.ru_stime for each in used], [each.ru_maxrss / GIB for each in used]
    Path(os.environ["CONFORMANCE_USAGE"]).write_text(json.dumps([*times, *sizes]))
