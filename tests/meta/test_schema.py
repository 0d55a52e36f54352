"""The schema of results files is a standard one, says all words of the vocabulary, and limits whatever has a length."""

import json
import re

import jsonschema
import pytest

from cases import CaseError
from cases.nand import NAND
from report.__main__ import main
from report.schema import completed
from tests.meta.test_untrusted import SCHEMA
from vocabulary.rules import conventions_of_rules
from vocabulary.words import DTYPES, LEVELS, MODES, VERDICTS


def test_the_printed_schema_is_a_standard_one(capsys):
    """It is valid JSON schema, has no marker left, and lists the words of the vocabulary."""
    assert main(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == SCHEMA
    jsonschema.Draft202012Validator.check_schema(printed)
    check, backend = (printed["$defs"][kind]["properties"] for kind in ("check", "backend"))
    listed = [check[field]["enum"] for field in ("level", "mode", "dtype", "verdict")]
    assert listed == [list(LEVELS), list(MODES), list(DTYPES), list(VERDICTS)]
    assert backend["conventions"]["properties"] == {
        name: {"enum": list(known)} for name, known in conventions_of_rules().items()
    }


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"a": {"enum": "COLOURS"}}, "unknown marker of 'enum' in the schema: 'COLOURS'; known: DTYPES, LEVELS, "),
        ({"allOf": [{"required": "MODE"}]}, "unknown marker of 'required' in the schema: 'MODE'; known: DTYPES, LEVELS, "),
        ({"properties": "LEVELS"}, "unknown marker of 'properties' in the schema: 'LEVELS'; known: CONVENTIONS"),
    ],
)
def test_an_unknown_marker_in_the_schema_is_an_error(part, message):
    """It is named with those that are known, wherever it stands."""
    with pytest.raises(ValueError, match=re.escape(message)):
        completed(part)


def schemas(schema):
    """Every schema in a schema."""
    yield schema
    parts = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), *schema.get("allOf", ())]
    parts += [schema[word] for word in ("items", "additionalProperties", "then") if isinstance(schema.get(word), dict)]
    for part in parts:
        yield from schemas(part)


def test_all_that_has_a_length_has_a_limit():
    """Lists, open objects and strings of any length would let a file ask for any amount of time."""
    for schema in schemas(SCHEMA):
        kinds = schema.get("type", ())
        if "array" in kinds:
            assert "maxItems" in schema, schema
        if "object" in kinds and isinstance(schema.get("additionalProperties", {}), dict) and "allOf" not in schema:
            assert "maxProperties" in schema, schema
        if "string" in kinds:
            assert "maxLength" in schema or not re.search(r"[*+](?!\()", schema["pattern"].replace("\\+", "")), schema


def test_a_pattern_ends_where_the_text_ends():
    """In Python's patterns $ also stands before a newline at the end."""
    patterns = [schema["pattern"] for schema in schemas(SCHEMA) if "pattern" in schema]
    assert len(patterns) == 4
    assert all(pattern.startswith("^") and pattern.endswith("$(?!\\n)") for pattern in patterns)
    assert not any("patternProperties" in schema for schema in schemas(SCHEMA))
    for name in ("xor\n", "xor\r", "xor "):
        with pytest.raises(CaseError, match="lower-case words"):
            NAND.but(name)
