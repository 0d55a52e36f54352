"""A backend that dies or hangs costs its own checks and nothing else."""

import json
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from backends.process import Failed, Process, TimedOut
from tests.meta.conftest import ROOT

CASES = ("--case", "line-generic", "--case", "nand", "--dtype", "float64")


ENDS = {
    "Raises": ("failed", "ArithmeticError: no logarithm today"),
    "Aborts": ("crashed", "was ended by SIGABRT while computing"),
    "Segfaults": ("crashed", "was ended by SIGSEGV while computing"),
    "Exits": ("crashed", "exited with status 7 while computing 'gradients'; its last output was: leaving now"),
    "ClosesPipe": ("crashed", "closed its pipe while computing"),
    "RealTimeSignal": ("crashed", "was ended by signal 40 while computing"),
    "Hangs": ("timed out", "gave no answer to "),
}


@pytest.fixture(scope="module", params=[(), ("-n", "2")], ids=["plain", "xdist"])
def deadly_run(suite, request):
    """Return a run of one sound backend among many that end badly."""
    options = [option for name in ENDS for option in ("--backend", f"tests.meta.adapters:{name}")]
    return suite("--backend", "numpy", *options, *CASES, "--time-limit", "6", *request.param)


@pytest.mark.parametrize("name", ENDS)
def test_the_others_finish(deadly_run, name):
    """The backend is reported by its own word; its sound checks and those of all others are there."""
    verdict, words = ENDS[name]
    name = f"tests.meta.adapters:{name}"
    assert deadly_run.status == 1
    assert deadly_run.document["complete"]
    assert deadly_run.verdicts(backend="numpy", level="autodiff") == {"conforms"}
    assert deadly_run.verdicts(backend=name, case="line-generic") == {"conforms"}
    assert deadly_run.verdicts(backend=name, case="nand", quantity="loss") == {verdict}
    assert any(words in check["message"] for check in deadly_run.checks(backend=name))
    assert "agreement of all" in deadly_run.text


def test_garbage_on_standard_output_is_harmless(suite):
    """What a framework prints cannot be mistaken for an answer."""
    outcome = suite("--backend", "tests.meta.adapters:Prints", *CASES)
    assert outcome.status == 0, outcome.text


def test_patience_ends():
    """A backend that hangs twice is not asked a third time, so that a run of thousands of checks ends."""
    process = Process("tests.meta.adapters:Hangs", 1.0)
    for _ in range(2):
        with pytest.raises(TimedOut, match="gave no answer to 'apply' within 1 s"):
            process.call("apply", lambda ops, params, data: ops.log(None), {}, {})
    with pytest.raises(TimedOut, match="is not asked again"):
        process.call("describe")


def test_a_long_question_is_limited_too():
    """The limit holds while the question is being sent: a process that does not listen is ended as well."""
    process = Process("tests.meta.adapters:Hangs", 2.0)
    with pytest.raises(TimedOut):
        process.call("apply", lambda ops, params, data: ops.log(None), {"x": np.ones(2_000_000)}, {})


def test_a_formula_that_cannot_travel_is_a_failure():
    """What a formula holds on to is a user's business, and an error of its own."""
    process = Process("numpy", 60.0)
    lock = threading.Lock()
    with pytest.raises(Failed, match="the formula cannot be sent"):
        process.call("apply", lambda ops, params, data: lock, {}, {})


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_run_keeps_what_it_had(tmp_path, name):
    """The results file is a valid document at every moment; one that was cut short says that it is not complete."""
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "pytest", "tests", "--backend", "numpy", "--ignore=tests/meta", f"--results={results}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 60
        while checks_in(results) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        run.send_signal(name)
    document = json.loads(results.read_text())
    assert document["complete"] is False
    assert checks_in(results) >= 5


def checks_in(results):
    """Return how many checks a results file holds, cases and backends not counted."""
    text = results.read_text() if results.exists() else ""
    return sum(record["kind"] == "check" for record in json.loads(text)["records"]) if text else 0
