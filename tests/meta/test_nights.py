"""What the next night is held to: the last answer of each test, whatever night gave it."""

import copy
import itertools
import json
import shutil

from report.__main__ import main
from report.environments import gathered
from tests.meta.altering import crashed, in_environment, moved, without, written


def test_a_night_of_which_a_part_is_lost_is_not_what_the_next_is_held_to(whole, tmp_path, capsys):
    """The night before it is, as far as it was whole."""
    after = copy.deepcopy(whole)
    moved(after, "loss", verdict="uninformative", message="no verdict")
    part = without(whole, kind="check", test="loss") | {"complete": False}
    first, second, third = (str(tmp_path / name) for name in ("first", "second", "third"))
    for folder, document in zip((first, second, third), (whole, part, after), strict=True):
        written(tmp_path / folder, in_environment(document, "a"))
    kept = ["--answers", str(tmp_path / "answers")]
    assert main(["changes", "--before", first, "--after", first, *kept]) == 0
    assert main(["changes", "--before", second, "--after", second, *kept]) == 0, "no news"
    assert main(["changes", "--before", second, "--after", third, *kept]) == 1
    assert "conforms → uninformative: no verdict" in capsys.readouterr().out


def test_a_night_without_an_answer_is_not_what_the_next_is_held_to(whole, tmp_path, capsys):
    """A wrong result is news after a crash, once, and what it was before the crash is known; the crash is no news either."""
    known, new = copy.deepcopy(whole), copy.deepcopy(whole)
    moved(known, "loss", verdict="deviates", message="for months")
    moved(new, "loss", verdict="deviates", message="for months")
    moved(new, "gradient w", verdict="deviates", message="off by much")
    dead = crashed(whole, "autograd")
    nights = {"first": known, "second": dead, "again": dead, "third": new, "fourth": known}
    for name, document in nights.items():
        written(tmp_path / name, in_environment(document, "a"))
    found = {}
    for one, other in itertools.pairwise(("first", *nights)):
        words = ["--before", str(tmp_path / one), "--after", str(tmp_path / other), "--answers", str(tmp_path / "answers")]
        found[other] = main(["changes", *words]), capsys.readouterr().out
    assert [found[name][0] for name in nights] == [0, 1, 0, 1, 0]
    assert found["again"][1] == ""
    wrong = sum("quantity" in r and r["quantity"] == "gradient w" and r["backend"] == "autograd" for r in new["records"])
    for line in (lines := found["third"][1].splitlines()):
        assert "gradient w: conforms → deviates: off by much" in line
    assert len(lines) == wrong > 0
    words = ["--before", str(tmp_path / "second"), "--after", str(tmp_path / "third")]
    assert main(["changes", *words]) == 1, "without older results a wrong result is news all the same"
    assert "crashed → deviates: " in capsys.readouterr().out


def test_two_nights_that_were_cut_short(whole, tmp_path, capsys):
    """What the second has and the first had not is compared with the last whole results: the known is no news, a loss is."""
    known, second = copy.deepcopy(whole), copy.deepcopy(whole)
    for document in (known, second):
        moved(document, "loss", verdict="deviates", message="for months")
    moved(second, "gradient w", verdict="uninformative", message="no verdict")
    nights = {
        "whole": known,
        "first": without(whole, kind="check", backend="autograd") | {"complete": False},
        "second": second | {"complete": False},
        "third": second,
        "fewer": without(second, kind="check", test="goal", backend="autograd"),
    }
    for name, document in nights.items():
        written(tmp_path / name, in_environment(document, "a"))

    def night(one, other):
        words = ["--before", str(tmp_path / one), "--after", str(tmp_path / other), "--answers", str(tmp_path / "kept")]
        return main(["changes", *words]), capsys.readouterr().out

    assert night("whole", "whole") == (0, "")
    assert night("whole", "first")[0] == 1
    status, out = night("first", "second")
    assert (status, {line.partition(": conforms → ")[2] for line in out.splitlines()}) == (1, {"uninformative: no verdict"})
    assert night("second", "third") == (0, ""), "known since the night before"
    shutil.rmtree(tmp_path / "kept")
    assert night("whole", "whole") == (0, "")
    status, out = night("first", "fewer")
    assert (status, " checks only before, of " in out) == (1, True), "what was lost and has not come back"


def test_answers_stay_in_their_folder(whole, tmp_path, capsys):
    """Whatever name a file gives itself. A file there that cannot be read is named once."""
    kept = tmp_path / "place" / "kept"
    names = ["..", "../../b", "x" * 300, "\ud800"]
    written(tmp_path / "after", *(in_environment(whole, name) for name in names))

    def night():
        words = ["--before", str(tmp_path / "after"), "--after", str(tmp_path / "after"), "--answers", str(kept)]
        return main(["changes", *words]), capsys.readouterr().out

    assert night() == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == {"after", "place"}
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]
    assert {environment.name for environment in gathered([kept])[0]} == {*names}
    (kept / ("0" * 64)).with_suffix(".json").write_text("{")
    (kept / "mine.json").write_text(json.dumps(in_environment(whole, "mine")))
    status, out = night()
    assert (status, out.count("not read: ")) == (2, 1)
    assert night() == (0, "")
    assert (kept / "mine.json").exists(), "what the command has not written it does not remove"


def test_a_test_without_an_answer_keeps_no_other_from_its_own(whole, tmp_path, capsys):
    """A test that crashes every night stands beside one that was wrong for months, was mended, and is wrong again."""
    documents = {name: copy.deepcopy(whole) for name in ("wrong", "sound", "dead", "again", "lost")}
    for name, document in documents.items():
        moved(document, "gradient w", verdict="crashed", message="gone")
        if name != "sound":
            moved(document, "loss", verdict="crashed" if name == "dead" else "deviates", message="off by much")
        written(tmp_path / name, in_environment(document, "a"))
    shutil.rmtree(tmp_path / "lost")
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "a.json").touch()
    statuses = []
    nights = ["wrong", "wrong", "sound", "dead", "again", "again", "lost", "again", "lost", "sound", "lost", "wrong"]
    for one, other in itertools.pairwise(nights):
        words = ["--before", str(tmp_path / one), "--after", str(tmp_path / other), "--answers", str(tmp_path / "kept")]
        statuses.append(main(["changes", *words]))
        out = capsys.readouterr().out
        assert "gradient w:" not in out, "known for ever"
        assert ("loss: conforms → deviates: off by much" in out) == (statuses[-1] == 1 and other in ("again", "wrong"))
    assert statuses == [0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 1]


def test_answers_are_those_of_environments_with_a_name(whole, tmp_path, capsys):
    """Files outside tox are called by their place, which is another every night."""
    document = copy.deepcopy(whole)
    document["run"].pop("environment", None)
    [path] = written(tmp_path / "one", document)
    assert main(["changes", "--before", str(path), "--after", str(path), "--answers", str(tmp_path / "kept")]) == 2
    assert f"{path}: --answers takes results of tox environments, which have a name" in capsys.readouterr().err
