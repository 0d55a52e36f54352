"""What changed between two nights: no news of what stayed, and nothing that is lost goes unsaid."""

import copy
import itertools
import os
import re
import subprocess
import sys

import pytest

from report.__main__ import main
from report.environments import gathered
from report.ledger import MOST_VERDICTS, is_loss, ledger, released, step
from tests.meta.altering import crashed, cut, in_another_mode, in_environment, moved, redden, without, written
from tests.meta.conftest import ROOT


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
    assert out == "- autograd-before: there are no results of it\n"


def test_a_backend_that_dies_is_a_change(whole, tmp_path, capsys):
    """Though its checks have other names then; neither the ledger nor the changes leave it out."""
    before, after = (str(tmp_path / name) for name in ("before", "after"))
    written(tmp_path / "before", in_environment(whole, "autograd-latest"))
    written(tmp_path / "after", in_environment(crashed(whole, "autograd"), "autograd-latest"))
    assert main(["changes", "--before", before, "--after", after]) == 1
    checks = [record for record in whole["records"] if record["kind"] == "check"]
    tests = {(c["test"], c["case"], c["level"], c["dtype"]) for c in checks if c["backend"] == "autograd"}
    out = capsys.readouterr().out
    red = sum(" → crashed: gone" in line for line in out.splitlines())
    assert (red, f"and {len(tests) - red} verdicts more" in out) == (MOST_VERDICTS, True)
    both = [in_environment(whole, "b"), in_environment(crashed(whole, "autograd"), "a")]
    both[1]["run"]["made_of"] = whole["run"]["made_of"] | {"autograd": {"autograd": "1000.0"}}
    [(autograd, [one]), _], _ = ledger(gathered(written(tmp_path / "ledger", *both))[0])
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
    kept = ["--answers", str(tmp_path / "answers")]
    assert main(["changes", "--before", str(tmp_path / "none"), "--after", first, *kept]) == 2
    capsys.readouterr()
    assert main(["changes", "--before", first, "--after", second, *kept]) == 1
    assert capsys.readouterr().out == "- b: there are no results of it\n"
    assert main(["changes", "--before", second, "--after", second, *kept]) == 0
    assert capsys.readouterr().out == ""
    assert main(["changes", "--before", second, "--after", third, *kept]) == 1
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


@pytest.mark.parametrize(
    ("before", "after", "loss"),
    [
        ("conforms", "conforms in part", True),
        ("conforms in part", "uninformative", True),
        ("conforms in part", "unsupported", True),
        ("conforms in part", "declared", False),
        ("conforms in part", "conforms", False),
        ("crashed", "deviates", True),
        ("missing", "uninformative", False),
        ("deviates", "crashed", False),
        ("declared", "uninformative", False),
        ("unsupported", "failed", True),
    ],
)
def test_what_a_loss_is(before, after, loss):
    """A verdict that became red, a wrong one where there was none, and green that is none any more or that of a part."""
    assert is_loss(before, after) == loss


def test_a_check_that_conforms_in_part_is_a_change(whole, tmp_path, capsys):
    """Steps that give no verdict any more are a loss, though those that do conform."""
    after = copy.deepcopy(whole)
    moved(after, "gradient w each step", points_without_verdict=1)
    steps = [r for r in after["records"] if r.get("points_without_verdict") == 1]
    assert {record["points"] > 1 for record in steps} == {True}
    for name, document in (("before", whole), ("after", after)):
        written(tmp_path / name, in_environment(document, "a"))
    words = [str(tmp_path / "before"), str(tmp_path / "after")]
    assert main(["changes", "--before", words[0], "--after", words[1]]) == 1
    assert "gradient w each step: conforms → conforms in part" in capsys.readouterr().out
    assert main(["changes", "--before", words[1], "--after", words[0]]) == 0
    [(_, [one]), _], _ = ledger(gathered([*written(tmp_path / "two", whole, in_environment(after, "b"))])[0])
    assert (len(one.verdicts), one.bits) == (len(steps), [])


def test_a_change_in_one_mode_is_that_of_its_mode(whole, tmp_path, capsys):
    """Where a file holds both modes of a quantity, each is compared with itself, and the line names the mode."""
    before = in_another_mode(whole, backend="autograd", case="nand", test="loss")
    after = copy.deepcopy(before)
    for record in after["records"]:
        if record["kind"] == "check" and record["mode"] == "compiled":
            record |= {"verdict": "deviates", "message": "off by much"}
    for name, document in (("before", before), ("after", after)):
        written(tmp_path / name, in_environment(document, "a"))
    assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]) == 1
    lines = capsys.readouterr().out.splitlines()
    words = [re.sub(r"^- a: autograd [^:]+: ", "", line) for line in lines]
    assert words == [f"nand compiled {dtype}, loss, loss: conforms → deviates: off by much" for dtype in ("float32", "float64")]


def test_a_mode_that_gives_no_answer_is_a_change(whole, tmp_path, capsys):
    """Whether both modes of a test crash or one: none is held to what the other has answered."""
    before = in_another_mode(whole, backend="autograd", test="loss")
    dead = copy.deepcopy(before)
    for record in dead["records"]:
        if record.get("backend") == "autograd" and record.get("test") == "loss":
            record |= {"verdict": "crashed", "message": f"{record['mode']} is gone"}
    half = copy.deepcopy(dead)
    for one, other in zip(before["records"], half["records"], strict=True):
        if one["kind"] == "check" and one["mode"] == "eager":
            other |= one | {"message": one["message"]}
    for name, document in (("before", before), ("dead", dead), ("half", half)):
        written(tmp_path / name, in_environment(document, "a"))
    found = {}
    for name in ("dead", "half"):
        assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / name)]) == 1
        out = capsys.readouterr().out
        found[name] = [f"crashed: {mode} is gone" in out for mode in ("eager", "compiled")]
    assert found == {"dead": [True, True], "half": [False, True]}


def test_what_is_asked_for_no_more_is_said(whole, tmp_path, capsys):
    """A night that was asked for less is no good night."""
    less = without(whole, kind="check", dtype="float32")
    less["run"] = whole["run"] | {"plan": whole["run"]["plan"] | {"dtypes": ["float64"]}}
    for name, document in (("before", whole), ("after", less)):
        written(tmp_path / name, in_environment(document, "a"))
    assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]) == 1
    assert " checks only before, of contract float32, " in capsys.readouterr().out


def test_an_environment_that_never_ran_is_said_once(whole, tmp_path, capsys):
    """Whenever it is new, if it is expected; and one of which the results hold no check is as good as none.

    An empty file says that there were no results, as tox leaves it and the nightly workflow.
    """
    written(tmp_path / "after", in_environment(whole, "a"), in_environment(without(whole, kind="check"), "c"))
    (tmp_path / "before").mkdir()
    nights = [str(tmp_path / name) for name in ("before", "after", "after", "after")]
    outputs = []
    for number, (before, after) in enumerate(itertools.pairwise(nights)):
        later = ["d"] if number == 2 else []
        status = main(["changes", "--before", before, "--after", after, "--expect", "a", "b", "c", *later])
        outputs.append((status, capsys.readouterr().out))
        (tmp_path / "after" / "b.json").touch()
    lines = "- b: there are no results of it\n- c: asked for and never judged: autograd, numpy\n"
    assert outputs == [(1, lines), (0, ""), (1, "- d: there are no results of it\n")]


def test_a_known_deviation_hides_no_loss(whole, tmp_path, capsys):
    """A test of which one quantity deviated and the others conformed gives no answer any more: that is a loss."""
    before = copy.deepcopy(whole)
    moved(before, "gradient w each step", verdict="deviates", message="known")
    for name, document in (("before", before), ("after", crashed(before, "autograd"))):
        written(tmp_path / name, in_environment(document, "a"))
    main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")])
    out = capsys.readouterr().out
    assert "deviates → crashed" not in out
    assert "conforms → crashed" in out


def test_quantities_of_other_names_are_not_one(whole, tmp_path, capsys):
    """Where a test judges other quantities than before, those are gone, and no other stands for them."""
    after = copy.deepcopy(whole)
    for record in after["records"]:
        if record.get("test") == "gradient":
            record["quantity"] = f"other {record['quantity']}"
    for name, document in (("before", whole), ("after", after)):
        written(tmp_path / name, in_environment(document, "a"))
    assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]) == 1
    assert " checks only before, of nand float32, " in capsys.readouterr().out


def test_the_gravest_come_first(whole, tmp_path, capsys):
    """Whatever else changed, and in whatever backend: a page names a number of changes, and a loss among them."""
    before, after = copy.deepcopy(whole), copy.deepcopy(whole)
    for record in before["records"]:
        if record.get("backend") == "autograd" and record["kind"] == "check":
            record |= {"verdict": "deviates", "message": "known", "declared": None}
    [*_, last] = (record for record in after["records"] if record.get("backend") == "numpy" and record["kind"] == "check")
    last |= {"verdict": "deviates", "message": "new", "declared": None}
    for name, document in (("before", before), ("after", after)):
        written(tmp_path / name, in_environment(document, "a"))
    assert main(["changes", "--before", str(tmp_path / "before"), "--after", str(tmp_path / "after")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("- a: numpy ")
    assert lines[0].endswith(" → deviates: new")
    assert lines[-1].endswith(" verdicts more")


def test_two_files_are_compared(whole, tmp_path, capsys):
    """Whatever their names and environments; two folders are where they are of no tox environment."""
    worse = redden(copy.deepcopy(whole), "gradient")
    for place, documents in enumerate([(whole, worse), (in_environment(whole, "a"), in_environment(worse, "b"))]):
        [one], [other] = (written(tmp_path / f"{place}{k}", document) for k, document in enumerate(documents))
        assert main(["changes", "--before", str(one), "--after", str(one)]) == 0
        assert main(["changes", "--before", str(one), "--after", str(other)]) == 1
        assert "conforms → deviates: off by much" in capsys.readouterr().out
        assert main(["changes", "--before", str(one.parent), "--after", str(other.parent)]) == 1
        assert ("there are no results of it" in capsys.readouterr().out) == bool(place)
    (tmp_path / "empty.json").touch()
    assert main(["changes", "--before", str(tmp_path / "empty.json"), "--after", str(one)]) == 2
