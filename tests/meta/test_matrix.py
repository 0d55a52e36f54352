"""Shards, environments and the ledger: many results files become one report, and nothing that is missing goes unsaid."""

import copy
import dataclasses
import itertools
import json
import os
import subprocess
import sys

import pytest

from report.__main__ import main
from report.environments import age, gathered
from report.ledger import MOST_VERDICTS, changed, ledger, numbers, overview, released, step
from report.page import build
from tests.meta.conftest import ROOT
from tests.plan import Shard

OPTIONS = ("--backend", "numpy", "--backend", "autograd", "--case", "nand", "--case", "line-generic", "--case", "relu")
SHARDS = 3


@pytest.fixture(scope="module")
def whole(suite):
    """Return the results of a run in one piece."""
    return suite(*OPTIONS).document


@pytest.fixture(scope="module")
def shards(suite):
    """Return the results of the same run in shards, of an environment."""
    documents = [suite(*OPTIONS, "--shard", f"{number}/{SHARDS}").document for number in range(1, SHARDS + 1)]
    return [in_environment(document, "jax-latest") for document in documents]


def in_environment(document, name):
    return document | {"run": document["run"] | {"environment": name}}


def written(folder, *documents):
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.json" for number in range(len(documents))]
    for path, document in zip(paths, documents, strict=True):
        path.write_text(json.dumps(document))
    return paths


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
    outcome = suite(*OPTIONS, f"--shard={words}")
    assert outcome.status == 4
    assert f"--shard={words}: must be K/N with 1 <= K <= N" in outcome.text


def altered(document, change):
    document = copy.deepcopy(document)
    change(document)
    return document


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


def test_two_runs_of_an_environment_are_an_error(whole, tmp_path, capsys):
    """Neither overwrites the other."""
    paths = written(tmp_path / "files", *[in_environment(whole, "jax-latest")] * 2)
    assert main(["build", *map(str, paths), "--output", str(tmp_path)]) == 2
    assert "environment 'jax-latest': it is in 2 of these files; give one of them" in capsys.readouterr().err


def test_an_environment_that_did_not_run_is_named(whole, tmp_path, capsys):
    """Whether its results are missing or of an earlier run; it is counted nowhere as passed."""
    paths = written(tmp_path / "files", in_environment(whole, "jax-oldest"), in_environment(whole, "jax-pinned"))
    old = json.loads(paths[1].read_text())
    old["run"]["started"] = "2020-01-01T00:00:00+00:00"
    paths[1].write_text(json.dumps(old))
    since = whole["run"]["started"]
    options = ["--expect", "jax-oldest", "jax-pinned", "jax-latest", "--since", since]
    assert main(["build", str(tmp_path / "files"), "--output", str(tmp_path), *options]) == 1
    error = capsys.readouterr().err
    assert "jax-latest: not run, there are no results of it. If tox found no Python for it: uv python install" in error
    assert "jax-pinned: not run, its results are of an earlier run, of 2020-01-01" in error
    assert "jax-oldest: not run" not in error
    page = (tmp_path / "report.md").read_text()
    for name in ("jax-pinned", "jax-latest"):
        assert f"| - | - | {name} | - | - | not run |" in page
        assert f"\n## {name}\n" not in page


def moved(document, quantity, **change):
    """Change the checks of a quantity of autograd."""
    for record in document["records"]:
        if record["kind"] == "check" and record["backend"] == "autograd" and record["quantity"] == quantity:
            record |= change


@pytest.fixture
def versions(whole, tmp_path):
    """Return the environments of three versions: in the second numbers moved, in the third a verdict."""
    documents = []
    for number, version in enumerate(["1.9", "1.10", "1.10"]):
        document = in_environment(copy.deepcopy(whole), f"autograd-{number}")
        for record in document["records"]:
            if record["kind"] == "backend" and record["name"] == "autograd":
                record["version"] = version
        if number:
            moved(document, "gradient w", bits="0" * 16)
        if number == 2:
            moved(document, "loss", verdict="deviates", message="off by much")
        documents.append(document)
    return gathered(written(tmp_path / "versions", *documents[::-1]))[0]


def test_the_ledger_finds_what_changed(versions):
    """By version, not by text; numbers and verdicts apart; and of what did not change it says that nothing did."""
    (autograd, [first, second]), (numpy, none) = ledger(versions)
    assert (autograd, numpy, none) == ("autograd", "numpy", [])
    assert [first.before.version, first.after.version, second.after.version] == ["1.9", "1.10", "1.10"]
    assert {key[-1] for key in first.bits} == {"gradient w"}
    assert (first.verdicts, second.bits) == ([], [])
    assert {key[-1] for key in second.verdicts} == {"loss"}
    assert any("conforms → deviates: off by much" in line for line in changed(second))
    assert changed(first) == []
    assert len(numbers(first).rows) == len({key[:3] for key in first.bits})
    assert overview(autograd, [first]).rows[0][4] == str(len(first.bits))


def test_environments_alike_are_one_release(versions):
    """numpy gave the same bits everywhere: one release in three environments. One bit less and there are two."""
    assert dict(ledger(versions))["numpy"] == []
    next(record for record in versions[0].records if record.get("backend") == "numpy" and "bits" in record)["bits"] = "0" * 16
    [one] = dict(ledger(versions))["numpy"]
    assert sorted(len(release.environments) for release in (one.before, one.after)) == [1, 2]
    assert len(one.bits) == 1


def test_the_page_has_the_ledger(versions, tmp_path):
    """With the table of environments before it."""
    page = build([tmp_path / "versions"], tmp_path)[0].read_text()
    assert "\n## Environments\n" in page
    assert "conforms → deviates: off by much" in page
    assert "The same bits and verdicts in every environment." in page


def test_changes_are_verdicts_only(whole, tmp_path, capsys):
    """Nothing is printed of numbers that moved; the exit status is 1 where a verdict became red, and only then."""
    worse, other = copy.deepcopy(whole), copy.deepcopy(whole)
    moved(worse, "loss", verdict="deviates", message="off by much")
    moved(other, "loss", bits="0" * 16)
    names = ("before", "worse", "other")
    folders = [str(tmp_path / name) for name in names]
    for folder, document in zip(folders, (whole, worse, other), strict=True):
        written(tmp_path / folder, in_environment(document, "autograd-latest"))
    before, worse, other = folders
    assert main(["changes", "--before", before, "--after", other]) == 0
    assert capsys.readouterr().out == ""
    assert main(["changes", "--before", before, "--after", worse]) == 1
    assert "- autograd-latest: autograd " in (out := capsys.readouterr().out)
    assert out.count("conforms → deviates: off by much") == len(out.splitlines()) > 0
    assert main(["changes", "--before", worse, "--after", before]) == 0
    assert "deviates → conforms" in capsys.readouterr().out
    assert main(["changes", "--before", str(tmp_path / "none"), "--after", before]) == 2


def test_an_environment_that_is_gone_is_a_change(whole, tmp_path, capsys):
    """As grave as a verdict that became red."""
    for name in ("before", "after"):
        written(tmp_path / name, in_environment(whole, f"autograd-{name}"))
    assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]) == 1
    out = capsys.readouterr().out
    assert out == "- autograd-before: it was judged before, and there are no results of it now\n"


def test_a_moved_entry_is_the_same_entry(versions):
    """Of a large array the entry that decides is stored: two of them are compared only where they are one."""
    [(_, [first, _]), _] = ledger(versions)
    key = first.bits[0]

    def moved_by(place):
        for release, got, where in ((first.before, 1.0, "w[0]"), (first.after, 3.0, place)):
            facts = {"rows": 1, "got": [got.hex()], "bound": [(0.5).hex()], "used": (0.25).hex(), "where": where}
            release.checks[key] = release.checks[key] | facts
        pair = [dataclasses.replace(release, checks={key: release.checks[key]}) for release in (first.before, first.after)]
        return numbers(step(*pair)).rows[0][2]

    assert moved_by("w[1]") == "-", "the file does not tell"
    assert moved_by("w[0]") == "4"


def test_versions_that_are_none_are_ordered_too(whole, tmp_path):
    """A file from elsewhere may say anything."""
    documents = []
    for number, version in enumerate(["", "9" * 5000, "2.0"]):
        document = in_environment(copy.deepcopy(whole), f"e{number}")
        for record in document["records"]:
            if record["kind"] == "backend":
                record["version"] = version
        documents.append(document)
    environments, _ = gathered(written(tmp_path / "versions", *documents))
    assert sorted(["2.0", "9" * 5000, "unknown", ""], key=age) == ["", "9" * 5000, "unknown", "2.0"]
    assert len(environments) == 3
    assert build([tmp_path / "versions"], tmp_path)[1] == []


def crashed(document, backend):
    """Let a backend give no answer: it has no description, and each test has one check, of another name."""
    records = []
    for record in document["records"]:
        if record.get("name") == backend and record["kind"] == "backend":
            continue
        if record.get("backend") == backend:
            if any(
                record["test"] == one["test"]
                and record["case"] == one["case"]
                and one.get("backend") == backend
                and record["dtype"] == one["dtype"]
                and record["level"] == one["level"]
                for one in records
                if one["kind"] == "check"
            ):
                continue
            facts = ("kind", "backend", "level", "dtype", "case", "test", "duration")
            record = {name: record[name] for name in facts} | {
                "mode": "other", "quantity": "answer", "verdict": "crashed", "message": "gone", "declared": None,
            }  # fmt: skip
        records.append(record)
    return document | {"records": records}


def test_a_backend_that_dies_is_a_change(whole, tmp_path, capsys):
    """Though its checks have other names then; neither the ledger nor the changes leave it out."""
    before, after = (str(tmp_path / name) for name in ("before", "after"))
    written(tmp_path / "before", in_environment(whole, "autograd-latest"))
    written(tmp_path / "after", in_environment(crashed(whole, "autograd"), "autograd-latest"))
    assert main(["changes", "--before", before, "--after", after]) == 1
    tests = {(c["test"], c["case"], c["level"], c["dtype"]) for c in whole["records"] if c.get("backend") == "autograd"}
    out = capsys.readouterr().out
    red = sum(" → crashed: gone" in line for line in out.splitlines())
    assert (red, f"and {len(tests) - red} changed verdicts more" in out) == (MOST_VERDICTS, True)
    both = [in_environment(whole, "b"), in_environment(crashed(whole, "autograd"), "a")]
    both[1]["run"]["made_of"] = whole["run"]["made_of"] | {"autograd": {"autograd": "1000.0"}}
    [(autograd, [one]), _] = ledger(gathered(written(tmp_path / "ledger", *both))[0])
    assert (autograd, len(one.verdicts)) == ("autograd", len(tests))
    assert one.after.version == "1000.0", "what cannot be imported still has the version that is installed"


def test_a_quantity_that_is_gone_is_a_change(whole, tmp_path, capsys):
    """Though its test judges others still: no other verdict of the test stands for it, and it hides none of theirs."""
    before, after = (str(tmp_path / name) for name in ("before", "after"))
    written(tmp_path / "before", in_environment(whole, "autograd-latest"))
    written(
        tmp_path / "after", in_environment(without(whole, kind="check", quantity="gradient w each step"), "autograd-latest")
    )
    assert main(["changes", "--before", before, "--after", after]) == 1
    for line in (lines := capsys.readouterr().out.splitlines()):
        assert " checks only before, of nand float32, nand float64" in line
    assert len(lines) == len({"numpy", "autograd"})
    environments = gathered([before])[0], gathered([after])[0]
    one = step(*(next(r for r in released(found) if r.backend == "autograd") for [found] in environments))
    assert {check["quantity"] for check in one.gone} == {"gradient w each step"}
    assert (one.verdicts, one.new, len(one.pairs) + len(one.gone)) == ([], [], len(one.before.checks))


def test_programs_that_one_run_was_not_asked_for_are_no_change(whole, tmp_path):
    """A run of two cases is compared with one of three in those two; that either was a part is said."""
    fewer = without(without(whole, kind="check", case="relu"), kind="case", name="relu")
    fewer["run"] = whole["run"] | {"plan": whole["run"]["plan"] | {"only": ["--case nand", "--case line-generic"]}}
    paths = written(tmp_path / "files", in_environment(whole, "a"), in_environment(fewer, "b"))
    page, _, lost = build(paths, tmp_path)
    assert lost == []
    asked = "- a: --case nand --case line-generic --case relu\n- b: --case nand --case line-generic\n"
    assert f"\n## Asked for in part\n\n{asked}" in page.read_text()
    [(_, [one]), _] = ledger(gathered([tmp_path / "files"])[0])
    assert (one.gone, one.new) == ([], [])


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
    outcome = suite("tests/test_losses.py", "--backend", "numpy", "-k", "line-generic", "--dtype", "float64")
    assert outcome.document["run"]["plan"]["tests"] == ["-k line-generic", "tests/test_losses.py"]
    assert outcome.document["run"]["plan"]["only"] == ["--dtype float64"]


def test_what_else_is_new_stands_beside_the_version(whole, tmp_path):
    """Environments of one version go by their numpy, and a step says what has changed besides."""
    documents = []
    for name, release, bits in (("a", "2.5", "0" * 16), ("b", "1.26", "1" * 16)):
        document = in_environment(copy.deepcopy(whole), name)
        document["run"]["packages"]["numpy"] = release
        moved(document, "gradient w", bits=bits)
        documents.append(document)
    [one] = dict(ledger(gathered(written(tmp_path / "files", *documents))[0]))["autograd"]
    assert [environment.name for environment in (*one.before.environments, *one.after.environments)] == ["b", "a"]
    assert one.title == f"{one.before.version} (also numpy 1.26 → 2.5)"


def test_a_night_after_one_that_is_damaged(whole, tmp_path, capsys):
    """What can be read is compared; of what cannot, all that is red is new, and that it could not be read is said."""
    bad = redden(copy.deepcopy(whole), "gradient")
    written(tmp_path / "after", in_environment(bad, "a"), in_environment(bad, "b"))
    before = written(tmp_path / "before", in_environment(whole, "a"), in_environment(whole, "b"))
    before[1].write_text("{")
    assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]) == 2
    out = capsys.readouterr().out
    assert f"- not read: {before[1]}: not a JSON document" in out.replace("\\", "")
    for words in ("- a: autograd", "conforms → deviates: off by much", ": deviates, and new: off by much"):
        assert words in out


def test_the_first_night_has_none_before_it(whole, tmp_path, capsys):
    """All that is red is new then."""
    written(tmp_path / "after", in_environment(redden(copy.deepcopy(whole), "gradient"), "a"))
    (tmp_path / "before").mkdir()
    assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]) == 1
    assert ": deviates, and new: off by much" in capsys.readouterr().out
    assert main(["changes", "--before", str(tmp_path / "after"), "--after", str(tmp_path / "before")]) == 2, "nothing tonight"


def test_a_night_without_results_is_not_forgotten(whole, tmp_path, capsys):
    """Once it is said that they are missing; the next results are compared with the last there were."""
    worse = redden(copy.deepcopy(whole), "gradient")
    documents = {
        "first": [in_environment(whole, "a"), in_environment(whole, "b")],
        "second": [in_environment(whole, "a")],
        "third": [in_environment(whole, "a"), in_environment(worse, "b")],
    }
    first, second, third = (str(tmp_path / name) for name in documents)
    for name, found in documents.items():
        written(tmp_path / name, *found)
    assert main(["changes", "--before", first, "--after", second]) == 1
    assert capsys.readouterr().out == "- b: it was judged before, and there are no results of it now\n"
    assert main(["changes", "--before", second, "--older", first, "--after", second]) == 0
    assert capsys.readouterr().out == ""
    assert main(["changes", "--before", second, "--older", first, "--after", third]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("- b: ") and "conforms → deviates: off by much" in line for line in lines)


def test_what_was_lost_yesterday_is_no_news(whole, tmp_path, capsys):
    """An environment that is never finished is reported once."""
    for name in ("before", "after"):
        written(tmp_path / name, in_environment(cut(whole), "autograd-latest"))
    assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]) == 0
    assert capsys.readouterr().out == ""


def test_a_verdict_that_is_none_any_more_is_a_loss(whole, tmp_path):
    """What conformed and is uninformative or unsupported now is not green; what is declared now was looked at."""
    statuses = {}
    for verdict, declared in (("uninformative", None), ("unsupported", None), ("deviates", "loss")):
        after = copy.deepcopy(whole)
        moved(after, "loss", verdict=verdict, declared=declared)
        for name, document in (("before", whole), (verdict, after)):
            written(tmp_path / name, in_environment(document, "a"))
        statuses[verdict] = main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / verdict)])
    assert statuses == {"uninformative": 1, "unsupported": 1, "deviates": 0}


def test_changes_are_text(whole, tmp_path, capsys):
    """A message from a file draws nothing on the page that the changes are written to, on any terminal."""
    after = copy.deepcopy(whole)
    moved(after, "loss", verdict="deviates", message="<img src=x> [a](b)")
    for name, document in (("before", whole), ("after", after)):
        written(tmp_path / name, in_environment(document, "a"))
    options = ["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]
    assert main(options) == 1
    assert "\\<img src=x\\> \\[a\\](b)" in capsys.readouterr().out
    command = [sys.executable, "-m", "report", *options]
    ascii_only = dict(os.environ) | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=ROOT, env=ascii_only, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "conforms \\u2192 deviates" in done.stdout


def test_shards_need_no_tox(shards, tmp_path):
    """Those in one folder are one run, which has its name."""
    documents = copy.deepcopy(shards)
    for document in documents:
        del document["run"]["environment"]
    [environment], errors = gathered(written(tmp_path / "files", *documents))
    assert (errors, environment.name, environment.lost) == ([], f"shards in {tmp_path / 'files'}", [])


def cut(document):
    return document | {"records": document["records"][: len(document["records"]) // 2], "complete": False}


def without(document, **facts):
    kept = [r for r in document["records"] if not (facts.items() <= r.items())]
    return document | {"records": kept}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (lambda d: d, cut, "autograd-latest: the run is not finished"),
        (lambda d: d, lambda d: without(d, kind="check", test="gradient"), "checks only before, of nand float32"),
        (lambda d: d, lambda d: without(d, kind="check", backend="autograd"), "autograd was judged before, and is not now"),
        (lambda d: without(d, kind="check", test="gradient"), lambda d: redden(d, "gradient"), ": deviates, and new: "),
        (lambda d: without(d, kind="check", backend="numpy"), lambda d: redden(d, "gradient"), ": deviates, and new: "),
    ],
)
def test_nothing_is_lost_between_two_nights(whole, tmp_path, capsys, before, after, words):
    """What was judged and is not now is a change, and so is a red verdict of what was not judged before."""
    for name, made in (("before", before), ("after", after)):
        written(tmp_path / name, in_environment(made(copy.deepcopy(whole)), "autograd-latest"))
    assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]) == 1
    assert words in capsys.readouterr().out


def redden(document, test):
    for record in document["records"]:
        if record.get("test") == test:
            record |= {"verdict": "deviates", "message": "off by much", "declared": None}
    return document


def test_a_backend_that_was_asked_for_has_to_be_there(whole, tmp_path):
    """An environment without a check of it has not run."""
    document = in_environment(without(whole, kind="check", backend="autograd"), "autograd-latest")
    assert build(written(tmp_path / "files", document), tmp_path)[2] == [
        "autograd-latest: asked for and never judged: autograd"
    ]
    empty = in_environment(without(whole, kind="check"), "autograd-latest")
    found = build(written(tmp_path / "empty", empty), tmp_path, ["autograd-latest"])[2]
    assert found == ["autograd-latest: not run, its results hold no check"]


def test_declarations_are_refused_in_shards_too(suite, tmp_path):
    """Whether or not pytest-xdist deals out the tests."""
    options = ("--backend", "tests.meta.declaring:Unknown", "--case", "line", "--shard", "2/2", f"--results={tmp_path}/a.json")
    assert [suite(*options, *more).status for more in ((), ("-n", "2"))] == [4, 4]
    sound = ("--backend", "numpy", "--case", "line-generic", "--level", "autodiff", "-n", "1")
    outcomes = [suite(*sound, "--shard", f"{number}/3") for number in (1, 2, 3)]
    assert {outcome.status for outcome in outcomes} == {0}
    assert all(outcome.document["complete"] for outcome in outcomes)
