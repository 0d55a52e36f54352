"""Whether a document follows the schema of results files: told soon where it does, and with place and words where not.

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
    for fault in _at_most("array", "items")(_validator(), _schema()["properties"]["records"]["maxItems"], records, {}):
        yield "$.records", fault.message
    whole, each = (jsonschema_rs.validator_for(schema) for schema in (_schema(), _record()))
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
    return jsonschema.validators.extend(jsonschema.Draft202012Validator, own)(_schema())


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
def _schema() -> Schema:
    schema: Schema = json.loads((Path(__file__).parent / "results.schema.json").read_text())
    return schema


def _record() -> Schema:
    return {"$defs": _schema()["$defs"], **_schema()["properties"]["records"]["items"]}
