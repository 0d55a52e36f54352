"""The ledger: what changed from one version of a framework to the next, and what else was new."""

import copy
import dataclasses
import re

import pytest

from report.environments import age, gathered
from report.ledger import changed, ledger, numbers, overview, step
from report.page import build
from tests.meta.altering import cut, in_environment, moved, redden, without, written


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
    [(autograd, [first, second]), (numpy, none)], left_out = ledger(versions)
    assert left_out == []
    assert (autograd, numpy, none) == ("autograd", "numpy", [])
    assert [first.before.version, first.after.version, second.after.version] == ["1.9", "1.10", "1.10"]
    assert {key.quantity for key in first.bits} == {"gradient w"}
    assert (first.verdicts, second.bits) == ([], [])
    assert {key.quantity for key in second.verdicts} == {"loss"}
    assert all(loss and line.endswith("conforms → deviates: off by much") for loss, line in changed(second))
    assert changed(first) == []
    assert len(numbers(first).rows) == len({key.cell for key in first.bits})
    found = dict(zip(overview(autograd, [first]).heading, overview(autograd, [first]).rows[0], strict=True))
    assert found["other bits"] == str(len(first.bits))
    assert len(first.pairs) == sum(int(found[words]) for words in ("same bits", "other bits", "no bits"))


def test_environments_alike_are_one_release(versions):
    """numpy gave the same bits everywhere: one release in three environments. One bit less and there are two."""
    assert dict(ledger(versions)[0])["numpy"] == []
    next(record for record in versions[0].records if record.get("backend") == "numpy" and "bits" in record)["bits"] = "0" * 16
    [one] = dict(ledger(versions)[0])["numpy"]
    assert sorted(len(release.environments) for release in (one.before, one.after)) == [1, 2]
    assert len(one.bits) == 1


def test_the_page_has_the_ledger(versions, tmp_path):
    """With the table of environments before it."""
    page = build([tmp_path / "versions"], tmp_path)[0].read_text()
    assert "\n## Environments\n" in page
    assert "conforms → deviates: off by much" in page
    assert "The same in every environment." in page


def test_a_moved_entry_is_the_same_entry(versions):
    """Of a large array the entry that decides is stored: two of them are compared only where they are one."""
    [(_, [first, _]), _], _ = ledger(versions)
    key = first.bits[0]

    def moved_by(place):
        for release, got, where in ((first.before, 1.0, "w[0]"), (first.after, 3.0, place)):
            facts = {"points": 1, "got": [got.hex()], "bound": [(0.5).hex()], "share": (0.25).hex(), "where": where}
            release.checks[key] = release.checks[key] | facts
        pair = [dataclasses.replace(release, checks={key: release.checks[key]}) for release in (first.before, first.after)]
        return numbers(step(*pair)).rows[0][2]

    assert moved_by("w[1]") == "-", "the file does not tell"
    assert moved_by("w[0]") == "4"


def test_versions_that_are_none_are_ordered_too(whole, tmp_path):
    """A file from elsewhere may say anything."""
    documents = []
    for number, version in enumerate(["", "9" * 1000, "2.0"]):
        document = in_environment(copy.deepcopy(whole), f"e{number}")
        for record in document["records"]:
            if record["kind"] == "backend":
                record["version"] = version
        documents.append(document)
    environments, _ = gathered(written(tmp_path / "versions", *documents))
    assert sorted(["2.0", "9" * 5000, "unknown", ""], key=age) == ["", "9" * 5000, "unknown", "2.0"]
    assert len(environments) == 3
    assert build([tmp_path / "versions"], tmp_path)[1] == []


def test_a_run_of_a_part_hides_nothing(whole, tmp_path):
    """Between two that judged all it has no place: what changed from one to the other would be in neither of two steps."""
    fewer = without(without(whole, kind="check", case="relu"), kind="case", name="relu")
    fewer["run"] = whole["run"] | {"plan": whole["run"]["plan"] | {"only": ["--case nand", "--case line-generic"]}}
    worse = redden(copy.deepcopy(whole), "gradient")
    documents = [in_environment(document, name) for name, document in zip("abc", (whole, fewer, worse), strict=True)]
    page = build(written(tmp_path / "files", *documents), tmp_path)[0].read_text()
    asked = "- a: --case nand --case line-generic --case relu\n- b: --case nand --case line-generic\n"
    assert f"\n## Asked for in part\n\n{asked}" in page
    assert "\nLeft out: b (asked for --case nand --case line-generic).\n" in page
    assert re.search("\n- relu float32, gradient, gradient [a-z]: conforms → deviates: off by much\n", page)


def test_programs_that_one_run_was_not_asked_for_are_no_change(whole, tmp_path):
    """A run with the long cases is compared with one without them in the others."""
    more = copy.deepcopy(whole)
    for record in whole["records"]:
        if "relu" in (record.get("case"), record.get("name")):
            more["records"].append(record | {"name" if record["kind"] == "case" else "case": "relu-long"})
    for record in more["records"]:
        record.update({"bits": "0" * 16} if "bits" in record else {})
    documents = [in_environment(document, name) for name, document in zip("ab", (whole, more), strict=True)]
    steps, left_out = ledger(gathered(written(tmp_path / "files", *documents))[0])
    assert left_out == []
    for _, [one] in steps:
        assert (one.gone, one.new) == ([], [])
        assert len(one.before.checks) == len(one.pairs) < len(one.after.checks)


def test_what_else_is_new_stands_beside_the_version(whole, tmp_path):
    """Environments of one version go by their numpy, and a step says what has changed besides."""
    documents = []
    for name, release, bits in (("a", "2.5", "0" * 16), ("b", "1.26", "1" * 16)):
        document = in_environment(copy.deepcopy(whole), name)
        document["run"]["packages"]["numpy"] = release
        moved(document, "gradient w", bits=bits)
        documents.append(document)
    [one] = dict(ledger(gathered(written(tmp_path / "files", *documents))[0])[0])["autograd"]
    assert [environment.name for environment in (*one.before.environments, *one.after.environments)] == ["b", "a"]
    assert one.title == f"{one.before.version} (also numpy 1.26 → 2.5)"


def test_a_lost_part_is_left_out(whole, tmp_path):
    """With the reason."""
    documents = [in_environment(document, name) for name, document in zip("ab", (whole, cut(whole)), strict=True)]
    assert ledger(gathered(written(tmp_path / "files", *documents))[0])[1] == ["b (a part is missing)"]
