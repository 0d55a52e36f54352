"""Shards and environments: many results files become one report, and nothing that is missing goes unsaid."""

import copy
import itertools
import os
import re
import shutil
import subprocess

import pytest

from report.__main__ import main
from report.environments import gathered
from report.page import build
from runner.plan import Shard
from tests.meta.altering import altered, in_another_mode, in_environment, without, written
from tests.meta.conftest import ROOT, SMALL

SHARDS = 3


@pytest.fixture(scope="module")
def shards(shared_suite):
    """Return the results of the same run in shards, of an environment."""
    documents = [shared_suite(*SMALL, "--shard", f"{number}/{SHARDS}").document for number in range(1, SHARDS + 1)]
    return [in_environment(document, "jax-latest") for document in documents]


def checks_of(records):
    keys = ("backend", "case", "level", "dtype", "test", "quantity", "verdict", "bits")
    return sorted([check.get(key) or "" for key in keys] for check in records if check["kind"] == "check")


def test_shards_make_the_whole(whole, shards, tmp_path):
    """Merged in any order they hold every check of the run in one piece once, with the same bits, and claim the same."""
    for number, order in enumerate(itertools.permutations(shards)):
        [environment], errors = gathered([tmp_path / str(number), *written(tmp_path / str(number), *order)][:1])
        assert (errors, environment.lost) == ([], [])
        assert checks_of(environment.records) == checks_of(whole["records"])
    assert sum(len(checks_of(shard["records"])) > 0 for shard in shards) > 1, "the work is dealt out"


@pytest.mark.parametrize("number", range(1, SHARDS + 1))
def test_a_lost_shard_is_named(shards, tmp_path, capsys, number):
    """On the page, on stderr and in the exit status; no agreement is claimed of what is left."""
    paths = written(tmp_path / "left", *(shard for shard in shards if shard["run"]["shard"]["number"] != number))
    assert main(["build", *map(str, paths), "--output", str(tmp_path)]) == 1
    words = f"shard {number} of {SHARDS} is missing"
    page = (tmp_path / "report.md").read_text()
    assert f"no agreement is claimed: {words}" in page
    assert "agreement of all" not in page
    assert f"report: jax-latest: {words}\n" in capsys.readouterr().err


def test_a_killed_shard_is_named(shards, tmp_path):
    """What it had is reported, and that it was not all."""
    [first, *others] = shards
    build_lost = build(written(tmp_path / "files", first | {"complete": False}, *others), tmp_path)[2]
    assert build_lost == [f"jax-latest: shard 1 of {SHARDS} is not finished"]


def test_a_shard_without_work_is_no_failure(suite):
    """Its results file says that it was there."""
    outcomes = [
        suite("--backend", "numpy", "--case", "line-generic", "--level", "autodiff", "--shard", f"{k}/4") for k in range(1, 5)
    ]
    assert {outcome.status for outcome in outcomes} == {0}
    assert any(not outcome.checks() for outcome in outcomes)
    assert all(outcome.document["complete"] for outcome in outcomes)


def test_a_unit_of_work_is_in_one_shard_for_ever():
    """Which one is a matter of its name alone: these were dealt out when the rule was made."""
    units = ["numpy nand", "numpy contract", "jax xor", "torch circles"]
    assert [next(k for k in range(1, 8) if Shard(k, 7).holds(unit)) for unit in units] == [1, 5, 2, 6]
    for unit in units:
        assert sum(Shard(number, 5).holds(unit) for number in range(1, 6)) == 1


@pytest.mark.parametrize("words", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/10001", "1/3/5", "", " 1/3"])
def test_a_shard_that_is_none_is_refused(suite, words):
    """Before any work, with what would be right."""
    outcome = suite(*SMALL, f"--shard={words}")
    assert outcome.status == 4
    assert f"--shard={words}: must be K/N with 1 <= K <= N" in outcome.text


def other_cases(document):
    document["records"] = [record for record in document["records"] if record.get("name") != "relu"]


def repeated(document):
    document["records"].append(next(record for record in document["records"] if record["kind"] == "check"))


def other_version(document):
    for record in document["records"]:
        if record["kind"] == "backend":
            record["version"] = "0.1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["run"]["shard"].update(number=1), "shard 1 of 3 is in 2 of these files; give one of them"),
        (lambda d: d["run"]["shard"].update(of=4), "its files are shards of 3 and of 4; give those of one run"),
        (lambda d: d["run"].pop("shard"), "its files are shards of 1 and of 3; give those of one run"),
        (lambda d: d["run"].update(backends=["jax"]), "are shards of different runs: backends ["),
        (lambda d: d["run"]["packages"].update(numpy="0.1"), "are shards of different runs: packages {"),
        (lambda d: d["run"]["plan"].update(dtypes=["float64"]), "are shards of different runs: plan {"),
        (lambda d: d["run"].update(python="3.99.1"), "are shards of different runs: Python ["),
        (repeated, "a check that is in another shard or twice in it"),
        (other_cases, "are shards of different runs: cases ["),
        (other_version, "and 0.1"),
    ],
)  # fmt: skip
def test_files_that_contradict_each_other_are_not_taken(shards, tmp_path, capsys, change, words):
    """None of them, with an error that names all; other files are still read."""
    bad = [shards[0], altered(shards[-1], change), shards[1]]
    others = written(
        tmp_path / "good", in_environment(shards[0] | {"run": shards[0]["run"] | {"shard": {"number": 1, "of": 1}}}, "a")
    )
    paths = written(tmp_path / "bad", *bad)
    assert main(["build", *map(str, [*paths, *others]), "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert all(str(path) in error for path in paths)
    page = (tmp_path / "report.md").read_text()
    assert "\n## a\n" in page
    assert "\n## jax-latest\n" not in page


def test_a_file_that_says_two_things_is_not_taken(whole, tmp_path, capsys):
    """Of two checks that are one, neither hides the other."""
    [path] = written(tmp_path / "files", in_environment(altered(whole, repeated), "a"))
    assert main(["build", str(path), "--output", str(tmp_path)]) == 2
    assert f"{path} has the same check twice" in capsys.readouterr().err


def test_both_modes_of_a_quantity_are_two_checks(whole, tmp_path):
    """A file may hold both: each has a row of its own, and the same check twice is refused in either mode."""
    both = in_another_mode(whole, case="nand", level="autodiff", dtype="float64")
    [path] = written(tmp_path / "files", in_environment(both, "a"))
    page, unread, _ = build([path], tmp_path)
    assert unread == []
    rows = re.findall(r"^\| (nand[a-z ]*) \| ✓ [^|]+ \| ✓ [^|]+ \|$", page.read_text(), re.MULTILINE)
    assert rows == ["nand", "nand compiled", "nand eager"], "float32, and then float64"
    again = in_another_mode(both, case="nand", level="autodiff", dtype="float64", mode="eager", backend="numpy")
    [twice] = written(tmp_path / "twice", in_environment(again, "a"))
    _, [error] = gathered([twice])
    assert f"{twice} has the same check twice: 'numpy compiled float64 nand " in str(error)


def test_two_runs_of_an_environment_are_an_error(whole, tmp_path, capsys):
    """Neither overwrites the other."""
    paths = written(tmp_path / "files", *[in_environment(whole, "jax-latest")] * 2)
    assert main(["build", *map(str, paths), "--output", str(tmp_path)]) == 2
    assert "environment 'jax-latest': it is in 2 of these files; give one of them" in capsys.readouterr().err


def test_an_environment_that_did_not_run_is_named(whole, tmp_path, capsys):
    """Whether it was expected or has left an empty file; it is counted nowhere as passed."""
    written(tmp_path / "files", in_environment(whole, "jax-oldest"))
    (tmp_path / "files/jax-pinned.json").touch()
    options = ["--expect", "jax-oldest", "jax-latest"]
    assert main(["build", str(tmp_path / "files"), "--output", str(tmp_path), *options]) == 1
    error = capsys.readouterr().err
    for name in ("jax-latest", "jax-pinned"):
        assert f"{name}: not run, there are no results of it that can be taken. If tox found no Python for it: uv " in error
    assert "jax-oldest: not run" not in error
    page = (tmp_path / "report.md").read_text()
    for name in ("jax-pinned", "jax-latest"):
        assert f"| - | - | {name} | - | - | not run |" in page
        assert f"\n## {name}\n" not in page


def test_an_empty_file_beside_results_is_named(whole, tmp_path, capsys):
    """Of the same environment: the results are reported, and that the file says nothing."""
    folder = tmp_path / "files"
    written(folder, in_environment(whole, "jax-latest"))
    (folder / "jax-latest.json").touch()
    assert main(["build", str(folder), "--output", str(tmp_path)]) == 2
    assert f"{folder / 'jax-latest.json'}: empty: what was to write it has not run" in capsys.readouterr().err
    assert "\n## jax-latest\n" in (tmp_path / "report.md").read_text()


MINI = """
[tox]
no_package = true
skip_missing_interpreters = false
[testenv]
base_python =
    lacking: python3.99
allowlist_externals = sh
set_env =
    latest: RESULTS = results/{env_name}.json
commands =
    failing: sh -c "exit 3"
    idle: sh -c "exit 0" --results={env:RESULTS}
    !idle: sh -c "echo new > results/sound-latest.json" --results={env:RESULTS}
"""


def test_results_of_an_earlier_run_stand_in_for_nothing(tmp_path):
    """tox leaves an empty file where an environment has not run, and keeps the earlier one; other commands touch nothing."""
    tox = shutil.which("tox", path=f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}")
    if not tox:
        pytest.skip("there is no tox: neither sh conform made an environment of it nor is it installed")
    shutil.copy(ROOT / "toxfile.py", tmp_path)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/frameworks.in").write_text("-r sound.in\n-r failing.in\n-r idle.in\n-r lacking.in\n")
    (tmp_path / "tox.ini").write_text(MINI)
    results = tmp_path / "results"
    results.mkdir()
    for name in ("sound", "failing", "idle"):
        (results / f"{name}-latest.json").write_text("old\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TOX_", "PYTEST_"))}

    def run(*words):
        return subprocess.run([tox, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    def texts():
        return {path.name: path.read_text() for path in results.iterdir()}

    before = texts()
    for option in ("--notest", "--pkg-only"):
        run("run", option, "-e", "sound-latest,failing-latest")
    assert run("exec", "-e", "failing-latest", "--", "sh", "-c", "exit 4").returncode == 4
    assert run("run", "-e", "idle-latest").returncode == 0, "as pytest with --collect-only"
    assert texts() == before
    for _ in range(2):  # what is kept is the last that was no empty file
        assert run("run", "-e", "sound-latest,failing-latest,lacking-latest").returncode != 0
        assert texts() == {
            "sound-latest.json": "new\n",
            "failing-latest.json": "",
            "failing-latest.json.old": "old\n",
            "lacking-latest.json": "",
            "idle-latest.json": "old\n",
        }


def test_a_killed_environment_is_marked_in_the_table(whole, tmp_path):
    """And a backend that it never reached stands there as not run; the ledger says that it was left out."""
    numpy = without(whole, kind="check", backend="autograd") | {"complete": False}
    page = build(written(tmp_path / "files", *map(in_environment, (whole, numpy), "ab")), tmp_path)[0].read_text()
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| ([^|]+) \| [^|]+ \| [^|]+ \| (\d+|not run) \|", page, re.MULTILINE)
    found = {(backend, name): count for backend, names, count in rows for name in names.split(", ")}
    assert found.keys() == {(backend, name) for backend in ("autograd", "numpy") for name in ("a", "b (not all)")}
    assert found["autograd", "b (not all)"] == "not run"
    assert found["autograd", "a"].isdigit()
    assert "\nLeft out: b (a part is missing).\n" in page


def test_a_program_without_a_check_is_named(whole, tmp_path):
    """Unless pytest was asked for some of the tests, which may well leave none of a program."""
    less = without(whole, kind="check", backend="numpy", case="nand", level="class")
    [environment], _ = gathered(written(tmp_path / "files", less))
    assert environment.lost == ["asked for and never judged: numpy nand class float32, numpy nand class float64"]
    less["run"] = whole["run"] | {"plan": whole["run"]["plan"] | {"tests": ["-k goal"]}}
    [environment], _ = gathered(written(tmp_path / "files", less))
    assert (environment.lost, environment.only[-1]) == ([], "-k goal")


def test_a_run_says_which_tests_were_chosen(suite):
    """Whatever pytest was told that leaves some of them out; the whole folder is no choice."""
    words = ["-k line-generic", "--ignore=tests/test_training.py", "tests/test_losses.py"]
    outcome = suite("--backend", "numpy", "--dtype", "float64", *" ".join(words).split())
    assert outcome.document["run"]["plan"]["tests"] == words
    assert outcome.document["run"]["plan"]["only"] == ["--dtype float64"]


def test_shards_need_no_tox(shards, tmp_path):
    """Those in one folder are one run, which has its name; those in another are another."""
    documents = copy.deepcopy(shards)
    for document in documents:
        del document["run"]["environment"]
    [environment], errors = gathered(written(tmp_path / "files", *documents))
    assert (errors, environment.name, environment.lost) == ([], f"shards in {tmp_path / 'files'}", [])
    written(tmp_path / "files" / "more", *documents)
    environments, errors = gathered([tmp_path / "files"])
    assert (errors, [environment.lost for environment in environments]) == ([], [[], []])


def test_a_backend_that_was_asked_for_has_to_be_there(whole, tmp_path):
    """An environment without a check of it has not run."""
    document = in_environment(without(whole, kind="check", backend="autograd"), "autograd-latest")
    assert build(written(tmp_path / "files", document), tmp_path)[2] == [
        "autograd-latest: asked for and never judged: autograd"
    ]
    empty = in_environment(without(whole, kind="check"), "autograd-latest")
    found = build(written(tmp_path / "empty", empty), tmp_path, ["autograd-latest"])[2]
    assert found == ["autograd-latest: not run, its results hold no check"]
    assert build([tmp_path / "empty"], tmp_path)[2] == ["autograd-latest: asked for and never judged: autograd, numpy"]


def test_declarations_are_refused_in_shards_too(suite, tmp_path):
    """Whether or not pytest-xdist deals out the tests."""
    options = ("--backend", "tests.meta.declaring:Unknown", "--case", "line", "--shard", "2/2", f"--results={tmp_path}/a.json")
    assert [suite(*options, *more).status for more in ((), ("-n", "2"))] == [4, 4]
    sound = ("--backend", "numpy", "--case", "line-generic", "--level", "autodiff", "-n", "1")
    outcomes = [suite(*sound, "--shard", f"{number}/3") for number in (1, 2, 3)]
    assert {outcome.status for outcome in outcomes} == {0}
    assert all(outcome.document["complete"] for outcome in outcomes)


def test_shards_that_are_too_much_together_are_not_taken(shards, tmp_path):
    """Each may be small enough for a page: what they make together is not."""
    documents = copy.deepcopy(shards)
    for number, document in enumerate(documents):
        check = next(record for record in documents[0]["records"] if record["kind"] == "check")
        document["records"] = [check | {"backend": f"b{number}-{k}", "case": f"c{number}-{k}"} for k in range(150)]
    [], [error] = gathered(written(tmp_path / "files", *documents))
    assert "450 backends and 450 programs (case, level and dtype) make a table of more than 100000 cells" in str(error)
