"""A backend that dies or hangs costs its own checks and nothing else."""

import contextlib
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest

from backends.transport.deadline import Deadline
from backends.transport.process import PATIENCE, Crashed, Failed, Process, TimedOut, memory_is_limited
from oracle.kept import Kept
from report.document import read
from report.table import agreement
from runner.processes import Processes
from tests.meta.conftest import ROOT

CASES = ("--case", "line-generic", "--case", "nand", "--dtype", "float64")


LIMITS = ("--time-limit", "4", "--memory-limit", "0.5")
OUT_OF_MEMORY = "the limit is 0.5 GiB (--memory-limit)"
# What a cell of the table says, and words of a message.
ENDS = {
    "Raises": ("failed", "ArithmeticError: no logarithm today"),
    "Aborts": ("crashed SIGABRT", "was ended by SIGABRT while computing"),
    "Segfaults": ("crashed SIGSEGV", "was ended by SIGSEGV while computing"),
    "SegfaultsInC": ("crashed SIGSEGV", "was ended by SIGSEGV while computing"),
    "Exits": ("crashed status 7", "exited with status 7 while computing 'gradients'; its last output was: leaving now"),
    "ClosesPipe": ("crashed pipe closed", "closed its pipe while computing"),
    "RealTimeSignal": ("crashed signal 40", "was ended by signal 40 while computing"),
    "Hangs": ("timed out 4 s", "gave no answer to 'gradients' within 4 s"),
    "HangsInC": ("timed out 4 s", "gave no answer to 'gradients' within 4 s"),
    "Hoards": (
        "crashed memory 0.5 GiB",
        f"ran out of memory while computing 'gradients': {OUT_OF_MEMORY}; MemoryError: Unable",
    ),
    "HoardsInC": ("crashed SIGABRT, memory 0.5 GiB", f"GiB of memory, {OUT_OF_MEMORY}"),
    "AsksTooMuch": (
        "crashed memory 0.5 GiB",
        f"{OUT_OF_MEMORY}; RuntimeError: DefaultCPUAllocator: can't allocate memory: you",
    ),
    "GarblesItsPipe": ("crashed garbled answer", "wrote what is no answer into its pipe (OSError: bad message length)"),
    "LastWords": ("crashed SIGABRT", "its last output was: \\x1b[2J\\x00\\xff fatal: no backe"),
    "LeavesOthers": ("crashed SIGABRT", "was ended by SIGABRT while computing"),
    "LeavesTheSession": ("crashed SIGABRT", "was ended by SIGABRT while computing"),
}


@pytest.fixture(scope="module", params=[(), ("-n", "2")], ids=["plain", "xdist"])
def deadly_run(shared_suite, request):
    """Return a run of one sound backend among many that end badly."""
    options = [option for name in ENDS for option in ("--backend", f"tests.meta.adapters:{name}")]
    options += ["--backend", "tests.meta.dies_at_import:Any", "--backend", "tests.meta.adapters:DiesTraining"]
    # Every death costs a start, and those of the contract tell nothing more.
    judged = ("--level", "autodiff", "-k", "test_losses or test_gradients or test_training")
    return shared_suite("--backend", "numpy", *options, *CASES, *LIMITS, *judged, *request.param)


@pytest.mark.parametrize("name", ENDS)
def test_the_others_finish(deadly_run, name):
    """The backend is reported by its own word; its sound checks and those of all others are there."""
    cell, words = ENDS[name]
    name = f"tests.meta.adapters:{name}"
    assert deadly_run.status == 1
    assert deadly_run.document["complete"]
    assert "limits: 4 s an answer, 0.5 GiB a backend" in deadly_run.text
    assert deadly_run.verdicts(backend="numpy", level="autodiff") == {"conforms"}
    assert deadly_run.verdicts(backend=name, case="line-generic") == {"conforms"}
    [check] = deadly_run.checks(backend=name, case="nand", quantity="loss")
    assert " ".join(filter(None, (check["verdict"], check.get("cause")))) == cell
    assert any(words in check["message"] for check in deadly_run.checks(backend=name))
    assert "no agreement is claimed: asked for and missing or not judged" in deadly_run.text


def test_the_table_says_how_a_backend_ended(deadly_run):
    """In the report, in the cell of a case; on the terminal in a line: the verdict with the signal, the status or the limit."""
    [table] = agreement(deadly_run.checks(level="autodiff"))
    [row] = (row for row in table.rows if row[0] == "nand")
    cells = dict(zip(table.heading, row, strict=True))
    for name, (words, _) in ENDS.items():
        assert cells[f"tests.meta.adapters:{name}"].startswith(words)
        assert f" tests.meta.adapters:{name}: {words} in " in deadly_run.text


def test_a_death_at_the_import_is_reported(deadly_run):
    """A framework that kills whoever imports it has crashed in every check, and is imported twice and not once a check."""
    name = "tests.meta.dies_at_import:Any"
    assert deadly_run.verdicts(backend=name) == {"crashed"}
    assert {check["cause"] for check in deadly_run.checks(backend=name)} == {"SIGABRT"}
    assert any("is not asked again" in check["message"] for check in deadly_run.checks(backend=name))


def test_a_death_in_training_spares_what_was_before(deadly_run):
    """The training run has crashed; losses and gradients of the same case conform."""
    name = "tests.meta.adapters:DiesTraining"
    [check] = deadly_run.checks(backend=name, quantity="each step", level="autodiff")
    assert (check["verdict"], check["cause"]) == ("crashed", "SIGKILL")
    assert "was ended by SIGKILL while computing 'path'" in check["message"]
    assert deadly_run.verdicts(backend=name, case="nand", quantity="gradient w") == {"conforms"}


def test_garbage_on_standard_output_is_harmless(suite):
    """What a framework prints cannot be mistaken for an answer."""
    outcome = suite("--backend", "tests.meta.adapters:Prints", *CASES)
    assert outcome.status == 0, outcome.text


def test_patience_ends():
    """A backend that has used up its patience is not asked again, so that a run of thousands of checks ends."""
    process = Process("tests.meta.adapters:Hangs", 1.0)
    for _ in range(PATIENCE):
        with pytest.raises(TimedOut, match="gave no answer to 'apply' within 1 s"):
            process.call("apply", lambda ops, params, data: ops.log(None), {}, {})
    with pytest.raises(TimedOut, match="is not asked again after 3 such failures; the last: "):
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


@pytest.mark.parametrize(
    "signals", [[signal.SIGINT], [signal.SIGINT] * 2, [signal.SIGKILL]], ids=["Ctrl-C", "Ctrl-C twice", "killed"]
)
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_a_killed_run_keeps_what_it_had(tmp_path, signals, workers):
    """The results file is a valid document at every moment; one that was cut short says that it is not complete."""
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "pytest", "tests", "--backend", "numpy", "--ignore=tests/meta", f"--results={results}"]
    environment = dict(os.environ) | {"RUN_THAT_IS_KILLED": str(tmp_path)}
    with subprocess.Popen(
        [*command, *workers], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        deadline = time.monotonic() + 60
        while checks_in(results) < 5:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for number, name in enumerate(signals):
            time.sleep(0.3 * number)
            run.send_signal(name)
    document = read(results)
    assert document["complete"] is False
    assert checks_in(results) >= 5
    deadline = time.monotonic() + 30
    while started_with(f"RUN_THAT_IS_KILLED={tmp_path}"):
        assert time.monotonic() < deadline, "workers or backends outlive the run"
        time.sleep(0.1)


def started_with(setting):
    """Return the processes that have ``setting`` in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found += [process] if setting.encode() in (process / "environ").read_bytes() else []
    return found


GARBAGE = {
    "text": b"garbage\n" * 1000,
    "a message": b"\x00\x00\x00\x07garbage",
    "a token of no call": b"\x00\x00\x00\x10" + bytes(16) + b"\x00\x00\x00\x07garbage",
    "an answer to no call": b"".join(
        len(part).to_bytes(4, "big") + part for part in (bytes(16), pickle.dumps(("answered", np.float64(42))))
    ),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_in_the_pipe_is_no_answer(garbage):
    """What does not begin as the answer to this call is not read any further; the next call has a process of its own."""

    def garbling(ops, params, data):
        os.write(int(sys.argv[1]), garbage)
        return params["x"]

    process = Process("numpy", 60.0)
    start = {"x": np.float64(7)}
    with pytest.raises(Crashed, match="wrote what is no answer into its pipe") as error:
        process.call("apply", garbling, start, {})
    assert error.value.cause == "garbled answer"
    assert process.call("apply", lambda ops, params, data: params["x"], start, {}) == 7
    process.stop()


def test_half_an_answer_is_waited_for_no_longer_than_for_none():
    """A message that never ends is a matter of the time limit."""

    def halved(ops, params, data):
        os.write(int(sys.argv[1]), b"\x00\x00\x00\x10half")
        time.sleep(10_000)

    with pytest.raises(TimedOut, match="within 2 s"):
        Process("numpy", 2.0).call("apply", halved, {}, {})


def test_what_a_backend_has_started_ends_with_it():
    """Processes that a backend leaves behind do not outlive it, though they hold its pipe open."""

    def forking(ops, params, data):
        pid = os.fork()
        while pid == 0:
            time.sleep(1)
        return ops.tensor(np.array(float(pid)))

    process = Process("numpy", 60.0)
    left = int(process.call("apply", forking, {}, {}))
    assert state_of(left) in ("S", "R")
    with pytest.raises(Crashed, match="SIGABRT"):
        process.call("apply", lambda ops, params, data: os.abort(), {}, {})
    deadline = time.monotonic() + 10
    while state_of(left) not in ("", "Z"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def state_of(process):
    """Return the state of a process in a letter, Z where it has ended and was not asked for; empty where there is none."""
    status = Path(f"/proc/{process}/stat")
    return status.read_text().rpartition(")")[2].split()[0] if status.exists() else ""


@pytest.mark.skipif(not memory_is_limited(), reason="memory cannot be limited on this platform")
@pytest.mark.parametrize("gib", [0.01, 1e-9, 1e300])
def test_every_limit_of_memory_is_one(gib):
    """Too little for the import alone is a crash with the limit; more than any machine has is no fault."""
    process = Process("numpy", 60.0, gib)
    for _ in range(3):
        if gib > 1:
            assert process.call("describe")["name"] == "numpy"
        else:
            with pytest.raises(Crashed, match=r"GiB \(--memory-limit\)"):
                process.call("describe")
    process.stop()


def checks_in(results):
    """Return how many checks a results file holds, cases and backends not counted."""
    # As text: who reads a file while it is written may get the end of one document and the end of the next.
    return results.read_text().count('"kind": "check"') if results.exists() else 0


def test_a_platform_without_the_limit_says_so(monkeypatch, request):
    """Where memory cannot be limited, the header says it and the run goes on without."""
    monkeypatch.setattr(sys, "platform", "darwin")
    plugin = request.config.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    assert "none of memory on this platform (darwin)" in "\n".join(plugin.pytest_report_header(request.config))
    process = Process("numpy", 60.0, 1e-9)
    monkeypatch.undo()
    assert process.call("describe")["name"] == "numpy"
    process.stop()


def test_a_deadline_that_passes_while_an_answer_is_unpacked_ends_nothing():
    """The answer was there in time; the process goes on to the next call."""
    process = Process("numpy", 60.0)
    start = {"x": np.float64(7)}
    formula = lambda ops, params, data: params["x"]  # noqa: E731
    assert process.call("apply", formula, start, {}) == 7
    before = process._child.pid
    process.limit = 1.0
    with mock.patch("backends.transport.process.pickle.loads", side_effect=lambda content: time.sleep(1.5) or ("answered", 7)):
        assert process.call("apply", formula, start, {}) == 7
    assert process.call("apply", formula, start, {}) == 7
    assert process._child.pid == before
    process.stop()


@pytest.mark.parametrize(("processors", "adapters"), [(9, 9), (16, 17)])
def test_many_backends_on_many_processors_are_described(processors, adapters, monkeypatch, tmp_path):
    """Of more backends than may stand at the same time each is asked, and none is ended before it has answered."""
    text = "from backends.numpy import Numpy\n" + "".join(f"class A{k}(Numpy): pass\n" for k in range(adapters))
    (tmp_path / "many.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    processes = Processes(SimpleNamespace(limit=60.0, memory=math.inf), Kept(), None)
    names = [f"many:A{k}" for k in range(adapters)]
    processes.describe_all(names)
    assert sorted(processes.descriptions) == sorted(names)
    for name in names:
        assert processes.call(name, "apply", lambda ops, params, data: params["x"], {"x": np.float64(7)}, {}) == 7
    processes.close()


def test_a_deadline_that_passes_expires_once():
    """What is called when the time is up is called once, and ``clear`` tells that it was."""
    expired = threading.Event()
    deadline = Deadline(expired.set)
    deadline.set(0.01)
    assert expired.wait(10)
    assert deadline.clear()
    deadline.end()


def test_a_deadline_that_is_cleared_does_not_expire():
    """Neither one that was cleared nor, after it, one that is still to come; a nearer one than before is heeded."""
    expired = threading.Event()
    deadline = Deadline(expired.set)
    deadline.set(0.2)
    assert not deadline.clear()
    deadline.set(1000)
    assert not expired.wait(0.5)
    deadline.set(0.01)
    assert expired.wait(10)
    deadline.end()
