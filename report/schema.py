"""Whether a document follows the schema of results files: quickly where it does, with place and reason where not.

A file may hold 100,000 records, for each of which jsonschema takes 0.4 ms. So jsonschema-rs, some 40 times as fast, says which
of them follow the schema, and jsonschema says of the others where and why they do not.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs

from report.consistency import Fault
from vocabulary.losses import LOSSES, OBJECTIVES, REDUCTIONS
from vocabulary.rules import builtin
from vocabulary.words import DTYPES, LEVELS, LOOPS, MODES, STAGES, VERDICTS, unknown

# Quotes the beginning of a value, whatever its size.
QUOTE = reprlib.Repr()
QUOTE.maxlist = QUOTE.maxdict = QUOTE.maxother = 300
QUOTE.maxlevel, QUOTE.maxstring = 100, 1000

Schema = dict[str, Any]


def faults(document: Any) -> Iterator[Fault]:
    """Return the place and the fault of whatever in ``document`` does not follow the schema."""
    records = document.get("records") if isinstance(document, dict) else None
    if not isinstance(records, list):
        yield from _found(_validator(), document)
        return
    for fault in _at_most("array", "items")(_validator(), standard()["properties"]["records"]["maxItems"], records, {}):
        yield "$.records", fault.message
    whole, each = (jsonschema_rs.validator_for(schema) for schema in (standard(), _record()))
    rest = document | {"records": []}
    if not _follows(whole, rest):
        yield from _found(_validator(), rest)
    for index, record in enumerate(records):
        if not _follows(each, record):
            kind = record.get("kind") if isinstance(record, dict) else None
            for place, words in _found(_validator().evolve(schema=_record()), record):
                yield f"$.records[{index}]{place[1:]}" + (f", a {kind}" if isinstance(kind, str) else ""), words


def _follows(validator: Any, value: Any) -> bool:
    try:
        return bool(validator.is_valid(value))
    except ValueError:  # at what is no value of JSON
        return False


def _found(validator: Any, value: Any) -> Iterator[Fault]:
    for fault in validator.iter_errors(value):
        yield fault.json_path, fault.message


@cache
def _validator() -> Any:
    """Return a validator as jsonschema's own, which says what is too long or of a wrong type without quoting all of it."""
    own = {
        "type": _of_type,
        "maxItems": _at_most("array", "items"),
        "maxProperties": _at_most("object", "properties"),
        "maxLength": _at_most("string", "characters"),
    }
    return jsonschema.validators.extend(jsonschema.Draft202012Validator, own)(standard())


def _at_most(kind: str, what: str) -> Callable[..., Iterator[jsonschema.ValidationError]]:
    def limit(validator: Any, most: int, value: Any, schema: Schema) -> Iterator[jsonschema.ValidationError]:
        if validator.is_type(value, kind) and len(value) > most:
            yield jsonschema.ValidationError(f"{len(value)} {what}, of which the report takes {most} at most")

    return limit


def _of_type(validator: Any, kinds: str | list[str], value: Any, schema: Schema) -> Iterator[jsonschema.ValidationError]:
    names = [kinds] if isinstance(kinds, str) else kinds
    if not any(validator.is_type(value, name) for name in names):
        yield jsonschema.ValidationError(f"{QUOTE.repr(value)} is not of type {', '.join(map(repr, names))}")


@cache
def standard() -> Schema:
    """Return the JSON schema of results files. It is complete: the words of the vocabulary stand in it."""
    schema: Schema = completed(json.loads((Path(__file__).parent / "results.schema.json").read_text()))
    return schema


def version() -> int:
    """Return the version of results files that this program writes."""
    return max(versions())


def versions() -> list[int]:
    """Return the versions of results files that this program reads."""
    numbers: list[int] = standard()["properties"]["schema"]["enum"]
    return numbers


def completed(part: Any) -> Any:
    """Return ``part`` of a schema with the words in place of each marker: ``{"enum": "LEVELS"}`` lists the levels.

    A marker is a string where JSON schema has a list of words or the properties of an object. Raises ValueError for one that
    is not known.
    """
    if isinstance(part, list):
        return [completed(each) for each in part]
    if not isinstance(part, dict):
        return part
    markers = markers_by_keyword()
    found = {}
    for key, value in part.items():
        if key in markers and isinstance(value, str):
            if value not in markers[key]:
                raise unknown(f"marker of {key!r} in the schema:", value, markers[key])
            found[key] = markers[key][value]
        else:
            found[key] = completed(value)
    return found


@cache
def markers_by_keyword() -> dict[str, dict[str, Any]]:
    """Map each keyword of JSON schema that takes markers to those that it takes, and these to what takes their place."""
    lists = {
        "DTYPES": DTYPES,
        "LEVELS": LEVELS,
        "LOOPS": LOOPS,
        "LOSSES": ("", *LOSSES),
        "MODES": MODES,
        "OBJECTIVES": OBJECTIVES,
        "REDUCTIONS": REDUCTIONS,
        "STAGES": STAGES,
        "VERDICTS": VERDICTS,
    }
    words = {marker: list(listed) for marker, listed in lists.items()}
    named = {name: [*filter(None, rule.conventions)] for name, rule in builtin().items()}
    conventions = {name: {"enum": known} for name, known in named.items() if known}
    return {"enum": words, "required": words, "properties": {"CONVENTIONS": conventions}}


def _record() -> Schema:
    return {"$defs": standard()["$defs"], **standard()["properties"]["records"]["items"]}
