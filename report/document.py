"""The results file: one JSON document a run, whole at every moment of its writing."""

from __future__ import annotations

import json
import os
import reprlib
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import jsonschema

from report.consistency import Fault, crowd_asked_for, inconsistencies

SCHEMA = 1
# A full run of all cases has 20 to 40 MB; three times that takes two minutes to check, and more than a gigabyte of memory.
MAX_MEBIBYTES = 128
# An error quotes the place and what stands there, which a file may make as long as itself.
MAX_WORDS = 300
Record = dict[str, Any]


class DocumentError(ValueError):
    """A results file that cannot be read; the message names the file and the place in it."""


class ResultsFile:
    """Appends records to a results file. Raises OSError at once where the file cannot be written.

    Each write replaces the closing brackets by the record and new closing brackets at once: a run that is killed leaves a
    valid document of all that it had.
    """

    def __init__(self, path: str | Path, run: Record) -> None:
        self._file: BinaryIO = open(path, "wb", buffering=0)  # noqa: SIM115, lives as long as the run
        self._end = 0
        self._separator = b"\n"
        head = json.dumps({"schema": SCHEMA, "run": run}, indent=1)
        self._write(head[:-2].encode() + b',\n "records": [', complete=False)

    def add(self, record: Record) -> None:
        self._write(self._separator + json.dumps(record).encode(), complete=False)
        self._separator = b",\n"

    def close(self, *, complete: bool) -> None:
        """Close the document, marked as complete or not."""
        self._write(b"", complete=complete)
        self._file.close()

    def _write(self, addition: bytes, *, complete: bool) -> None:
        tail = b'\n ],\n "complete": %s\n}\n' % (b"true" if complete else b"false")
        self._file.seek(self._end)
        self._file.write(addition + tail)
        self._end += len(addition)
        self._file.truncate(self._end + len(tail))


def printable(text: object) -> str:
    """Text from a file as one line that no terminal obeys: control and bidi characters, surrogates and the like escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in str(text)
    )


def escaped(text: object) -> str:
    """Text from a file as one line of Markdown that says no more than itself."""
    line = printable(" ".join(str(text).split()))
    for character in "\\`*_[]<>|#&~":
        line = line.replace(character, "\\" + character)
    return line


def few(words: Sequence[str], most: int) -> str:
    """The first ``most`` of ``words``, and how many more there are."""
    return ", ".join(words[:most]) + (f" and {more} more" if (more := len(words) - most) > 0 else "")


def read(path: str | Path) -> Record:
    """Return the document in ``path``, which the tables and the page can show whatever it holds.

    Raises DocumentError naming the file and the place of the fault. Nothing of the file is executed.
    """
    reason: object
    try:
        document = _parsed(_content(path))
        place, fault = next(_faults(document), ("", ""))
        if not place:
            return document
        reason = f"at {_cut(place)}: {_cut(fault)}"
    except OSError as error:
        reason = error.strerror or error
    except RecursionError:
        reason = "values are nested too deeply"
    except ValueError as error:
        reason = error
    raise DocumentError(printable(f"{path}: {reason}"))


def _cut(words: str) -> str:
    return words if len(words) <= MAX_WORDS else f"{words[:MAX_WORDS]}..."


def _content(path: str | Path) -> bytes:
    # Opening a FIFO waits for its writer, and a device may have no end.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("not a regular file; give a results file")
    with open(path, "rb") as file:
        content = file.read(MAX_MEBIBYTES * 2**20 + 1)
    if len(content) > MAX_MEBIBYTES * 2**20:
        raise ValueError(f"more than {MAX_MEBIBYTES} MiB, the most that is read of a file; judge fewer cases in one run")
    return content


class _NoValue:
    """What stands in a JSON text and has no value: it is of no type, so that the schema refuses it where it stands."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_object, parse_int=_integer, parse_constant=_NoValue)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not a JSON document: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> Record | _NoValue:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
    return _NoValue(f"an object with the key {reprlib.repr(twice)} more than once")


def _integer(text: str) -> int | _NoValue:
    try:
        return int(text)
    except ValueError:  # Python converts no more than some thousand digits
        return _NoValue(f"an integer of {len(text)} digits")


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((Path(__file__).parent / "results.schema.json").read_text()))


def _faults(document: Any) -> Iterator[Fault]:
    """What keeps a document from being shown: the place and what is wrong there."""
    if isinstance(document, dict) and document.get("schema") != SCHEMA:
        yield "$.schema", f"schema version {reprlib.repr(document.get('schema'))}; this program reads version {SCHEMA}"
    for fault in _validator().iter_errors(document):
        yield fault.json_path + _kind(document, *fault.absolute_path), fault.message
    shard = document["run"].get("shard", {"number": 1, "of": 1})
    if shard["number"] > shard["of"]:
        yield "$.run.shard", f"number {shard['number']} of {shard['of']}"
    yield from inconsistencies(document["records"])
    yield from crowd_asked_for(document["run"], document["records"])


def _kind(document: Record, *path: str | int) -> str:
    record = document["records"][path[1]] if path[:1] == ("records",) and len(path) > 1 else None
    return f", a {record['kind']}" if isinstance(record, dict) and isinstance(record.get("kind"), str) else ""


def of_kind(records: list[Record], kind: str) -> Iterator[Record]:
    return (record for record in records if record["kind"] == kind)
