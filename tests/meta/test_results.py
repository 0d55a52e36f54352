"""The results file and what is read from it."""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from report.__main__ import main
from report.document import DocumentError, read
from report.page import build
from report.writing import ResultsFile
from runner.recording import describe_run
from tests.meta import power
from tests.meta.conftest import ROOT
from tests.meta.fleet import adapter
from vocabulary.words import NUMERIC

CHECK = {
    "kind": "check", "backend": "b", "level": "autodiff", "mode": "eager", "dtype": "float32", "case": "c",
    "test": "t", "quantity": "q", "verdict": "conforms", "message": "", "declared": None, "duration": 0.0,
}  # fmt: skip


@contextlib.contextmanager
def room_for(size):
    """Let no file grow beyond ``size`` bytes: what is written beyond is cut short, and then refused."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)


def begun(path):
    file = ResultsFile(path)
    file.begin(describe_run())
    return file


@pytest.fixture
def document(shared_suite):
    """Return the results of a small run."""
    outcome = shared_suite("--backend", "numpy", "--backend", "autograd", "--case", "nand", "--case", "relu")
    assert outcome.status == 0, outcome.text
    return outcome.document


def test_a_run_is_a_valid_document(document, tmp_path):
    """What a run writes follows the schema, and its floats keep their bits."""
    path = tmp_path / "copy.json"
    path.write_text(json.dumps(document))
    assert read(path) == document
    check = next(record for record in document["records"] if record.get("quantity") == "gradient w")
    assert [float.fromhex(number).hex() for number in check["got"]] == check["got"]
    assert len(check["got"]) == len(check["truth"]) == len(check["bound"]) == 3
    assert {"started", "cpu", "settings", "packages"} <= set(document["run"])
    probed = next(record for record in document["records"] if record["kind"] == "backend")["probed"]
    assert probed == NUMERIC


def test_a_report_shows_the_run(document, tmp_path):
    """Table, verdict counts, drift, deviations and environment of every file stand on the page."""
    paths = []
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps(document | {"complete": name == "one.json"}))
        paths.append(tmp_path / name)
    path, unread, lost = build(paths, tmp_path / "out")
    page = path.read_text()
    assert (unread, "Not read" in page) == ([], False)
    for words in ("/one.json\n", "/two.json\n", "| case | numpy | autograd |", "| nand | ✓ ", "declared", "Drift", "Python"):
        assert words in page
    assert lost == [f"{paths[1]}: the run is not finished"]
    assert page.count("Not all of it is here: the run is not finished") == 1


def test_a_record_that_was_written_can_be_read(tmp_path):
    """After every single record the file is a whole document."""
    path = tmp_path / "results.json"
    file = begun(path)
    for count in range(1, 4):
        file.add(CHECK)
        assert len(read(path)["records"]) == count
        assert not read(path)["complete"]
    file.close(complete=True)
    assert read(path)["complete"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[: len(text) // 2], "not a JSON document"),
        (lambda text: "", "empty: the run that was to write it never began"),
        (lambda text: "[" * 100_000, "not a JSON document"),
        (
            lambda text: text.replace('"schema": 3', '"schema": 1'),
            "at $.schema: schema version 1; this program reads versions 2 and 3: judge again with this version of the "
            "suite, or read the file with the release that wrote it",
        ),
        (lambda text: text.replace('"conforms"', '"is fine"', 1), ".verdict, a check: 'is fine' is not one of ['conforms',"),
        (lambda text: "[]", "at $: [] is not of type 'object'"),
    ],
)
def test_a_damaged_file_is_named(document, tmp_path, capsys, damage, words):
    """The error says which file and where in it; nothing is written."""
    path = tmp_path / "damaged.json"
    path.write_text(damage(json.dumps(document)))
    with pytest.raises(DocumentError) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert words in str(error.value)
    assert main(["build", str(path), "--output", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_text_of_a_file_cannot_draw_the_page(document, tmp_path):
    """Markup in a message comes out as text."""
    check = next(record for record in document["records"] if record["kind"] == "check")
    check.update(verdict="deviates", message="<script>alert(1)</script> | `x` \n# heading")
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(document))
    page = build([path], tmp_path / "out")[0].read_text()
    assert "<script>" not in page
    assert "\n# heading" not in page


def test_a_run_that_stops_early_is_not_complete(suite):
    """With -x the results file holds what was judged, and says that there was more."""
    outcome = suite("--backend", adapter("SumIsMean"), "--case", "xor", "-x")
    assert outcome.status == 1
    assert outcome.document["complete"] is False
    assert outcome.checks(verdict="deviates")


def test_collecting_overwrites_nothing(suite, tmp_path):
    """A results file is replaced when tests run, and not when they are listed or none is found."""
    path = tmp_path / "kept.json"
    path.write_text("kept")
    for options in (("--collect-only",), ("no_such_path",)):
        suite(*options, "--backend", "numpy", f"--results={path}")
        assert path.read_text() == "kept"


BREAKING = """
import pytest

def pytest_runtest_call(item):
    if item.name in ("test_operation[numpy-+-float64]", "test_operation[numpy-*-float64]"):
        raise RuntimeError("broken")

@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    if item.name in ("test_operation[numpy-+-float64]", "test_kink[numpy-float64]"):
        raise RuntimeError("broken afterwards")
"""


def test_a_test_that_breaks_is_recorded(suite, tmp_path, monkeypatch):
    """Once for each time it failed, under a name of its own: no two are the same check, which the report would refuse."""
    (tmp_path / "breaking.py").write_text(BREAKING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    options = ("--backend", "numpy", "--case", "line-generic", "--dtype", "float64")
    outcome = suite("-p", "breaking", *options)
    assert outcome.status == 1
    assert sorted(check["quantity"] for check in outcome.checks(verdict="failed")) == [
        "test_kink teardown", "test_operation *", "test_operation +", "test_operation + teardown",
    ]  # fmt: skip
    path = tmp_path / "results.json"
    path.write_text(json.dumps(outcome.document))
    assert build([path], tmp_path)[1] == []


DYING = """
import os

def pytest_runtest_call(item):
    if item.name in ("test_operation[numpy-*-float64]", "test_goal[numpy-nand-class-float64]"):
        {words}
"""


@pytest.mark.parametrize(
    ("words", "workers", "message"),
    [("raise RuntimeError('broken')", (), "broken"), ("os._exit(3)", ("-n", "1"), "crashed while running")],
    ids=["raises", "kills its worker"],
)
def test_a_failure_before_any_verdict_has_its_own_cell(suite, tmp_path, monkeypatch, words, workers, message):
    """That of the test's own parameters, though it has judged nothing, and though its worker died of it."""
    (tmp_path / "dying.py").write_text(DYING.format(words=words))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    options = ("--backend", "numpy", "--case", "nand", "--dtype", "float64", "-k", "test_operation or test_goal")
    outcome = suite("-p", "dying", *options, *workers)
    failed = outcome.checks(verdict="failed")
    assert sorted((check["case"], check["level"], check["test"], check["quantity"]) for check in failed) == [
        ("contract", "autodiff", "test_operation", "test_operation *"),
        ("nand", "class", "test_goal", "test_goal"),
    ]
    assert {(check["backend"], check["dtype"], message in check["message"]) for check in failed} == {("numpy", "float64", True)}


def test_a_run_of_no_test_leaves_no_file(suite):
    """Rather than one that says nothing."""
    outcome = suite("--backend", "numpy", "-k", "nosuchtest")
    assert (outcome.status, outcome.document) == (5, None)


# A disk that is full, and two runs that write one file.


def test_a_page_is_there_whole_or_not_at_all(document, tmp_path, capsys):
    """A disk that is full leaves the earlier pages, and one line that names the page; so do the answers that are kept."""
    results, out, answers = tmp_path / "results.json", tmp_path / "out", tmp_path / "answers"
    results.write_text(json.dumps(document | {"run": document["run"] | {"environment": "e"}}))
    commands = {
        out: ["build", str(results), "--output", str(out)],
        answers: ["changes", "--before", str(results), "--after", str(results), "--answers", str(answers)],
    }
    for folder, command in commands.items():
        assert main(command) == 0
        before = {path: path.read_bytes() for path in folder.iterdir()}
        capsys.readouterr()
        for size in (0, 100, 2000):  # the last is enough for one of the pages
            with room_for(size):
                assert main(command) == 2
            [line] = capsys.readouterr().err.splitlines()
            assert line.startswith(f"report: {folder}/")
            assert line.endswith(": cannot be written: File too large; this file is as it was before")
            assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_two_runs_do_not_write_one_file(suite, tmp_path, workers):
    """The second is a usage error before any test, and touches nothing; listing tests is no writing."""
    path = tmp_path / "results.json"
    file = begun(path)
    file.add(CHECK)
    before = path.read_bytes()
    options = ("--backend", "numpy", "--case", "line-generic", f"--results={path}")
    outcome = suite(*options, *workers)
    assert outcome.status == 4, outcome.text
    assert f"--results={path} cannot be written: another run writes it; wait for its end, or give another" in outcome.text
    assert " passed" not in outcome.text
    assert suite(*options, "--collect-only").status == 0
    assert path.read_bytes() == before
    with pytest.raises(SystemExit):
        power.main([f"--results={path}"])
    file.close(complete=True)
    assert len(read(path)["records"]) == 1
    ResultsFile(path).close(complete=False)
    assert len(read(path)["records"]) == 1, "opening overwrites nothing"


def test_a_file_that_is_removed_is_not_written_by_two(tmp_path):
    """A run that ends without results removes its file: one that has waited for the lock does not write into what is gone."""
    path = tmp_path / "results.json"
    first = ResultsFile(path)
    real, seen = os.open, []

    def late(name, flags, mode=0o777):
        found = real(name, flags, mode)
        if not seen:
            seen.append(first.close(complete=False))  # between the opening and the lock
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", late)
        second = ResultsFile(path)
    second.begin(describe_run())
    second.close(complete=True)
    assert read(path)["complete"]


def test_a_fifo_is_no_results_file(tmp_path):
    """It is refused at once, and not waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/full"):
        with pytest.raises(OSError, match="not a regular file"):
            ResultsFile(path)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_a_run_that_is_killed_holds_no_lock(tmp_path, workers):
    """Nor do its backends and workers, which may live longer; what it had is a valid document."""
    path = tmp_path / "results.json"
    command = [sys.executable, "-m", "pytest", "tests", "--ignore=tests/meta", "-p", "no:cacheprovider", "--backend", "numpy"]
    words = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, f"--results={path}", *workers], **words) as run:
        while not path.exists() or path.read_bytes().count(b'"kind": "check"') < 20:
            assert run.poll() is None
            time.sleep(0.05)
        with pytest.raises(BlockingIOError):
            ResultsFile(path)
        run.kill()
    file = ResultsFile(path)
    assert len(read(path)["records"]) >= 20
    file.close(complete=False)


HOLDING = """
import subprocess, sys
from report.writing import ResultsFile
file = ResultsFile(sys.argv[1])
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_a_child_does_not_inherit_the_lock(tmp_path):
    """A process that a run has started may outlive it."""
    path = tmp_path / "results.json"
    words = {"cwd": ROOT, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(path)], **words) as run:
        child = int(run.stdout.readline())
        try:
            with pytest.raises(BlockingIOError):
                ResultsFile(path)
            run.kill()
            run.wait()
            os.kill(child, 0)  # it is alive
            ResultsFile(path).close(complete=False)
        finally:
            os.kill(child, signal.SIGKILL)


def test_the_kill_matrix_takes_no_part_for_the_whole(tmp_path, monkeypatch):
    """A check that is missing in the results of a run would pass for one that a fault has changed."""

    def half(command, **_):
        file = begun(next(word.partition("=")[2] for word in command if word.startswith("--results=")))
        file.close(complete=False)
        return subprocess.CompletedProcess(command, 1, "No space", "")

    monkeypatch.setattr(power.subprocess, "run", half)
    with pytest.raises(RuntimeError, match="no complete results: No space"):
        power.judged(["numpy"], [])
