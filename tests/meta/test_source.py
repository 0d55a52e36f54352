"""Rules that the source keeps to."""

import json
import re

import pytest

from tests.meta.conftest import ROOT

JUDGING = sorted(
    path
    for folder in ("vocabulary", "arithmetic", "cases", "backends", "oracle", "runner", "tests")
    for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("path", JUDGING, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_tolerance_literals(path):
    """A tolerance is a rounding bound or it does not exist."""
    if path.name == "rivals.py":  # which runs tools that have tolerances
        return
    words = "|".join(("rto" + "l", "ato" + "l", "all" + "close", "is" + "close", "appro" + r"x\("))
    assert not re.search(words, path.read_text())


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_states_its_claim(path):
    """Every test has a docstring."""
    functions = re.findall(r"^def (test_\w+)\([^)]*\):\n    (.{3})", path.read_text(), re.MULTILINE)
    assert [name for name, start in functions if start != '"""'] == []


def test_every_kind_of_record_has_a_definition():
    """A kind that the schema lists and does not define would be read unseen."""
    schema = json.loads((ROOT / "report" / "results.schema.json").read_text())
    items = schema["properties"]["records"]["items"]
    defined = {rule["if"]["properties"]["kind"]["const"]: rule["then"]["$ref"] for rule in items["allOf"]}
    assert defined == {kind: f"#/$defs/{kind}" for kind in items["properties"]["kind"]["enum"]}
    assert all(schema["$defs"][kind]["properties"]["kind"] == {"const": kind} for kind in defined)
