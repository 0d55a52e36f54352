"""The commands of the report: one check in full, scripts, CSV, vectors, a badge, and what is not overwritten."""

import csv
import gzip
import io
import json
import shutil
import subprocess
import sys

import jsonschema
import pytest

import backends
from report.__main__ import main
from report.document import read
from report.environments import gathered
from report.exports import FORMULA, badge, vectors_schema
from report.writing import ResultsFile
from tests.meta.conftest import ROOT
from tests.meta.documents import DOCUMENT

CHOSEN = ("--case", "nand", "--case", "relu", "--case", "classes", "--dtype", "float64")
FRAMEWORKS = [name for name in backends.FRAMEWORKS if name != "numpy" and not backends.missing(name)]
OPTIONS = (*(w for name in FRAMEWORKS for w in ("--backend", name)), *CHOSEN, "-k", "test_gradient or test_loss")


@pytest.fixture(scope="module")
def results(shared_suite, tmp_path_factory):
    """The results file of losses and gradients of all frameworks that have scripts."""
    path = tmp_path_factory.mktemp("report") / "results.json"
    path.write_text(json.dumps(shared_suite(*OPTIONS).document))
    return path


def checks(path, **wanted):
    records = read(path)["records"]
    return [r for r in records if r["kind"] == "check" and all(r[key] == value for key, value in wanted.items())]


def test_a_check_is_shown_in_full(results, capsys):
    """Its verdict, every entry in decimal and to the bit, the command that repeats it, and the script."""
    assert main(["show", str(results), "torch", "nand", "gradient w"]) == 0
    out = capsys.readouterr().out
    [check] = checks(results, backend="torch", case="nand", quantity="gradient w")
    assert "\nconforms\n" in out
    for got, truth in zip(check["got"], check["truth"], strict=True):
        assert f"{float.fromhex(got)!r}" in out
        assert got in out
        assert truth in out
    assert "sh conform --backend torch --dtype float64 --case nand" in out
    assert "value.backward()" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["torch", "nothing"], "no check has 'nothing'; a check has a backend, a case, a level"),
        (["torch", "nand"], "3 checks have these words; add some that tell one of them: torch nand autodiff eager float64"),
    ],
    ids=["none", "several"],
)
def test_words_that_tell_no_one_check(results, capsys, words, said):
    """Exit status 2, and what there is."""
    assert main(["show", str(results), *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("case", ["nand", "relu", "classes"])
def test_a_script_gives_the_numbers_of_the_run(results, name, case, capsys):
    """To the bit, in the framework alone, with no part of this suite."""
    quantities = [c for c in checks(results, backend=name, case=case, test="gradient") if len(c["got"]) > 1]
    assert main(["show", str(results), name, case, quantities[0]["quantity"], "gradient", "--script"]) == 0
    script = capsys.readouterr().out
    settings = backends.SETTINGS | {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", script], cwd="/", env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(" [") for line in done.stdout.splitlines() if line.startswith("gradient"))
    for check in quantities:
        assert lines[check["quantity"]].rstrip("]").replace("'", "").split(", ") == check["got"]


def test_csv_has_every_check_and_no_formula(results, tmp_path, capsys):
    """A line each; a text that a spreadsheet would run is a text."""
    document = json.loads(results.read_text())
    for record in document["records"]:
        if record["kind"] == "check":
            record["message"] = "=HYPERLINK(1)"
            record["quantity"] = f"-{record['quantity']}"
    (tmp_path / "results.json").write_text(json.dumps(document))
    assert main(["export", "csv", str(tmp_path / "results.json")]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert len(rows) == len(checks(results))
    assert all(row["message"] == "'=HYPERLINK(1)" and row["quantity"].startswith("'-") for row in rows)
    assert not any(row[field].startswith(FORMULA) for row in rows for field in ("backend", "case", "message", "quantity"))
    assert float(rows[0]["share"]) == float.fromhex(checks(results)[0]["share"])


def test_vectors_follow_their_schema(results, capsys):
    """And hold each small case once in each precision, with truths of 40 digits around which the results of the run lie."""
    assert main(["export", "vectors", str(results)]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, vectors_schema())
    assert sorted((each["case"], each["dtype"]) for each in document["vectors"]) == [
        (case, "float64") for case in ("classes", "nand", "relu")
    ]
    for vector in document["vectors"]:
        for quantity, expected in vector["expected"].items():
            for check in checks(results, case=vector["case"], quantity=quantity):
                for got, truth, bound in zip(check["got"], expected["truth"], expected["bound"], strict=False):
                    if len(check["got"]) == len(expected["truth"]):
                        assert abs(float.fromhex(got) - float(truth)) <= float.fromhex(bound)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to read the vectors")
def test_another_language_reads_the_vectors(results, tmp_path, capsys):
    """Its own arithmetic conforms; a truth that is 1.5 times as large is told."""
    assert main(["export", "vectors", str(results)]) == 0
    path = tmp_path / "vectors.json"
    path.write_text(capsys.readouterr().out)
    command = ["node", ROOT / "docs" / "vectors" / "reader.mjs", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 of 3 losses conform")
    document = json.loads(path.read_text())
    truth = document["vectors"][0]["expected"]["loss"]["truth"]
    truth[0] = str(1.5 * float(truth[0]))
    path.write_text(json.dumps(document))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "2 of 3 losses conform")


def test_a_badge_says_what_was_judged(results, tmp_path, capsys):
    """Green only where all was judged and nothing fails; that of a run that broke is grey, and shows no number."""
    assert main(["badge", str(results), "--output", str(tmp_path)]) == 0
    words = json.loads((tmp_path / "badge.json").read_text())
    assert words["schemaVersion"] == 1
    assert words["color"] == "brightgreen"
    assert words["message"].startswith(f"{len(checks(results, verdict='conforms'))} conform, ")
    assert words["message"] in (tmp_path / "badge.svg").read_text()
    document = json.loads(results.read_text())
    for name, change, colour in (("broken", {"complete": False}, "lightgrey"), ("red", {}, "red")):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(document | change))
        if name == "red":
            for record in document["records"]:
                record |= {"verdict": "deviates", "declared": None} if record["kind"] == "check" else {}
            path.write_text(json.dumps(document))
        assert badge(gathered([path])[0])["color"] == colour


def test_what_is_no_report_is_not_overwritten(tmp_path, capsys):
    """Unless it is asked for; pages of an earlier report are, and those that are no longer made go."""
    results = tmp_path / "results.json"
    results.write_text(json.dumps(DOCUMENT))
    out = tmp_path / "out"
    assert main(["build", str(results), "--output", str(out)]) == 0
    assert main(["build", str(results), "--output", str(out)]) == 0
    (out / "case-gone.html").write_bytes((out / "case-xor.html").read_bytes())
    (out / "case-mine.html").write_text("mine")
    assert main(["build", str(results), "--output", str(out)]) == 0
    assert not (out / "case-gone.html").exists()
    assert (out / "case-mine.html").read_text() == "mine"
    (out / "index.html").write_text("mine")
    capsys.readouterr()
    assert main(["build", str(results), "--output", str(out)]) == 2
    assert "index.html is there and is not of a report: give another folder, or --force" in capsys.readouterr().err
    assert (out / "index.html").read_text() == "mine"
    assert main(["build", str(results), "--output", str(out), "--force"]) == 0
    assert (out / "index.html").read_text() != "mine"


def test_a_compressed_file_is_whole_at_every_moment(tmp_path):
    """It can be read after each record, and is in one piece at its end; a damaged one is named."""
    path, plain = tmp_path / "results.json.gz", tmp_path / "results.json"
    for name in (path, plain):
        file = ResultsFile(name)
        file.begin(DOCUMENT["run"])
        for record in DOCUMENT["records"]:
            file.add(record)
            content = name.read_bytes()
            assert json.loads(gzip.decompress(content) if name == path else content)["complete"] is False
        file.close(complete=True)
    assert read(path) == read(plain)
    assert path.stat().st_size < plain.stat().st_size
    path.write_bytes(path.read_bytes()[:-20])
    assert main(["badge", str(path), "--output", str(tmp_path)]) == 2
