"""Running the suite as its users do: pytest in a process of its own."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends import caches
from tests.meta import CACHE

ROOT = Path(__file__).parents[2]
SMALL = ("--backend", "numpy", "--backend", "autograd", "--case", "nand", "--case", "line-generic", "--case", "relu")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Exit status, everything printed, and the document of the results file."""

    status: int
    text: str
    document: dict[str, Any] | None

    def checks(self, **wanted: str) -> list[dict[str, Any]]:
        assert self.document is not None, self.text
        records = [record for record in self.document["records"] if record["kind"] == "check"]
        return [record for record in records if all(record[key] == value for key, value in wanted.items())]

    def verdicts(self, **wanted: str) -> set[str]:
        return {record["verdict"] for record in self.checks(**wanted)}


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    """Return a function that runs the conformance tests with some options."""

    def run(*options: str) -> Outcome:
        results = tmp_path_factory.mktemp("suite") / "results.json"
        command = [sys.executable, "-m", "pytest", "tests", "--ignore=tests/meta"]
        command += [] if "no:cacheprovider" in options else CACHE
        # A run that a test starts is no result of the tox environment, or of the workflow, that the test runs in.
        others = ("PYTEST_", "TOX_", "GITHUB_STEP_SUMMARY")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(others)}
        done = subprocess.run(
            [*command, f"--results={results}", *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        document = json.loads(results.read_text()) if results.exists() else None
        return Outcome(done.returncode, done.stdout + done.stderr, document)

    return run


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """Return a folder that all workers of pytest-xdist have."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def compiled(shared_folder):
    """What a framework compiles for one run that a test starts it need not compile for the next."""
    for variable, folder in caches(shared_folder / "compiled").items():
        os.environ.setdefault(variable, folder)


@pytest.fixture(scope="session")
def shared_file(shared_folder):
    """Return a function that writes a file of cases for ``shared_suite``, where all workers have it, and returns its path."""

    def write(text: str) -> str:
        path = shared_folder / f"cases_{hashlib.sha256(text.encode()).hexdigest()[:16]}.py"
        if not path.exists():
            unfinished = shared_folder / f"{path.name}.{os.getpid()}"
            unfinished.write_text(text)
            unfinished.replace(path)
        return str(path)

    return write


@pytest.fixture(scope="session")
def shared_suite(suite, shared_folder):
    """Return ``suite`` for fixtures, with a memory: one worker of pytest-xdist makes the run, the others read it."""

    def run(*options: str) -> Outcome:
        kept = shared_folder / hashlib.sha256(repr(options).encode()).hexdigest()
        with open(f"{kept}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed, as it is when the process dies
            if not kept.exists():
                kept.write_bytes(pickle.dumps(suite(*options)))
        outcome: Outcome = pickle.loads(kept.read_bytes())
        return outcome

    return run


@pytest.fixture(scope="session")
def whole(shared_suite):
    """Return the results of a small run."""
    return shared_suite(*SMALL).document
