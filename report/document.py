"""The results file: one JSON document a run, whole at every moment of its writing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import jsonschema

SCHEMA = 1
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


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads((Path(__file__).parent / "results.schema.json").read_text()))


def read(path: str | Path) -> Record:
    """Return the document in ``path``. Raises DocumentError naming the file and the place of the fault."""
    try:
        document = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise DocumentError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path}: not a JSON document: {error}") from error
    if isinstance(document, dict) and document.get("schema") != SCHEMA:
        raise DocumentError(f"{path}: schema version {document.get('schema')!r}; this program reads version {SCHEMA}")
    fault = jsonschema.exceptions.best_match(_validator().iter_errors(document))
    if fault is not None:
        raise DocumentError(f"{path}: at {fault.json_path}: {fault.message[:300]}")
    return document


def of_kind(records: list[Record], kind: str) -> Iterator[Record]:
    return (record for record in records if record["kind"] == kind)
