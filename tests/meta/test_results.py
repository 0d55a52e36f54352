"""The results file and what is read from it."""

import json

import pytest

from backends.base import NUMERIC
from report.__main__ import main
from report.document import DocumentError, ResultsFile, read
from report.page import build
from tests.meta.fleet import adapter
from tests.recording import describe_run


@pytest.fixture
def document(suite):
    """Return the results of a small run."""
    outcome = suite("--backend", "numpy", "--backend", "autograd", "--case", "nand", "--case", "relu")
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
    file = ResultsFile(path, describe_run())
    record = {
        "kind": "check", "backend": "b", "level": "autodiff", "mode": "eager", "dtype": "float32", "case": "c",
        "test": "t", "quantity": "q", "verdict": "conforms", "message": "", "declared": None, "duration": 0.0,
    }  # fmt: skip
    for count in range(1, 4):
        file.add(record)
        assert len(read(path)["records"]) == count
        assert not read(path)["complete"]
    file.close(complete=True)
    assert read(path)["complete"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[: len(text) // 2], "not a JSON document"),
        (lambda text: "", "not a JSON document"),
        (lambda text: "[" * 100_000, "not a JSON document"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "schema version 2; this program reads version 1"),
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


def test_a_run_of_no_test_leaves_no_file(suite):
    """Rather than one that says nothing."""
    outcome = suite("--backend", "numpy", "-k", "nosuchtest")
    assert (outcome.status, outcome.document) == (5, None)
