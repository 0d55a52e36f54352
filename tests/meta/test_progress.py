"""A run shows that it lives: one line on a terminal, a line a minute in a log of CI, pytest's dots in a pipe."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from runner.progress import A_MINUTE, CLEAR, Progress
from tests.meta.conftest import ROOT

RUN = (
    sys.executable,
    "-m",
    "pytest",
    "tests",
    "--ignore=tests/meta",
    "-p",
    "no:cacheprovider",
    "--backend",
    "numpy",
    "--case",
    "line",
)
DOTS = re.compile(r"^\.+", re.MULTILINE)


def output(*options, ci="", terminal=False):
    """Return what a run prints, to a pipe or to a terminal of 80 columns."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "TOX_"))}
    environment |= {"CI": ci, "COLUMNS": "80", "TERM": "xterm"}
    words = {"cwd": ROOT, "env": environment, "stderr": subprocess.STDOUT}
    if not terminal:
        return subprocess.run([*RUN, *options], **words, stdout=subprocess.PIPE, text=True, check=False).stdout
    ours, theirs = os.openpty()
    with subprocess.Popen([*RUN, *options], **words, stdout=theirs, stdin=theirs):
        os.close(theirs)
        found = []
        try:
            while part := os.read(ours, 65536):
                found.append(part)
        except OSError:  # Linux says so when the other end is closed
            pass
    os.close(ours)
    return b"".join(found).decode()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_on_a_terminal(workers):
    """One line that is written over, with what is done of how many and the cell at work; no dots, and nothing of it stays."""
    text = output(*workers, terminal=True)
    lines = re.findall(re.escape(CLEAR) + r"(\d+) of (\d+) tests(?:, \d+:\d\d left)?: ([\w-]+)", text)
    assert lines
    assert len({total for _, total, _ in lines}) == 1
    assert all(int(done) <= int(total) for done, total, _ in lines)
    assert any("numpy" in cell for *_, cell in lines)
    assert not DOTS.search(text)
    after = text[text.rindex(CLEAR + lines[-1][0]) + len(CLEAR) :]
    assert CLEAR in after[: after.index("gradient conformance")]
    assert re.search(r"\d+ passed", text)


def test_in_a_pipe():
    """Dots, as always, and nothing that a terminal obeys."""
    text = output()
    assert DOTS.search(text.partition("test_contract.py")[2].strip())
    assert "\r" not in text
    assert "tests, " not in text


def test_in_ci():
    """Neither dots nor a line that is written over, in a run of less than a minute; the summary is there."""
    text = output(ci="true")
    assert not DOTS.search(text)
    assert "\r" not in text
    assert re.search(r"\d+ passed", text)


def test_a_line_a_minute():
    """With the time left at the speed so far, but not in the first seconds; what fails is said at once."""
    said, now = [], [0.0]
    progress = Progress(lambda text, flush: said.append(text), A_MINUTE, clock=lambda: now[0])
    progress.pytest_xdist_node_collection_finished(["a"] * 100)
    for done in range(1, 51):
        now[0] = 6.0 * done
        progress.pytest_runtest_logstart("tests/test_training.py::test_goal[torch-xor-modules-float32]")
        progress.pytest_runtest_logreport(SimpleNamespace(failed=False, when="call", nodeid="n"))
        progress.pytest_runtest_logreport(SimpleNamespace(failed=done == 3, when="teardown", nodeid="n"))
    assert said == [
        "FAILED n\n",
        "10 of 100 tests, 9:00 left: torch-xor-modules-float32\n",
        "20 of 100 tests, 8:00 left: torch-xor-modules-float32\n",
        "30 of 100 tests, 7:00 left: torch-xor-modules-float32\n",
        "40 of 100 tests, 6:00 left: torch-xor-modules-float32\n",
        "50 of 100 tests, 5:00 left: torch-xor-modules-float32\n",
    ]


def test_a_narrow_terminal():
    """The line is cut: one that wraps could not be written over."""
    said = []
    progress = Progress(lambda text, flush: said.append(text), 0.0, width=20, clock=lambda: 0.0)
    progress.pytest_runtest_logstart("tests/test_training.py::test_goal[torch-xor-modules-float32]")
    progress.pytest_runtest_logreport(SimpleNamespace(failed=False, when="teardown", nodeid="n"))
    assert said == [CLEAR + "1 of 0 tests: torch"]
