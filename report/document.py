"""The results file as it is read: one JSON document, from anywhere, which the report can show or which is refused."""

from __future__ import annotations

import gzip
import json
import os
import re
import reprlib
import stat
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from report.consistency import Fault, crowd_asked_for, inconsistencies
from report.schema import faults, versions

# What is read of a file, so that it takes seconds and less than a gigabyte. A run of all frameworks and cases has 6 MB and, of
# these characters, which bound the number of values, some 10,000, 30,000 and 200,000.
MAX_MEBIBYTES = 64
MOST = {b"{": 1_000_000, b"[": 1_000_000, b",": 4_000_000}
LESS = "judge fewer cases in one run"
# An error quotes the place and what stands there, which a file may make as long as itself.
MAX_WORDS = 300
Record = dict[str, Any]


class DocumentError(ValueError):
    """A results file that cannot be read; the message names the file and the place in it."""


def printable(text: object) -> str:
    """Text from a file as one line that no terminal obeys: control and bidi characters, surrogates and the like escaped."""
    line = str(text)
    if line.isprintable():
        return line
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in line)


# What GitHub makes more of than text: addresses, mentions, mathematics, emoji, references to issues, advisories and commits. It
# looks for most of them in the text that the page shows, where a backslash or an entity is gone, but never in code.
LIVE = re.compile(r"://|www\.|mailto:|xmpp:|@|\$|:[\w+-]+:|#\d|\b(?:gh|ghsa|cve)-\w|\b[0-9a-f]{7,}\b", re.IGNORECASE)
# What begins a list in a list, or draws a line, where an item begins with it.
BLOCK = re.compile(r"[-+] |--|\d+[.)](?: |$)")
MARKUP = re.compile(r"[\\`*_\[\]<>|#&~]")


def escaped(text: object) -> str:
    """Text from a file as one line of Markdown that says no more than itself; words that GitHub would act on are code."""
    line = printable(" ".join(str(text).split()))
    if not LIVE.search(line) and not BLOCK.match(line):
        return MARKUP.sub(r"\\\g<0>", line)
    first, *others = line.split(" ")
    words = [_code(first) if LIVE.search(first) or BLOCK.match(line) else MARKUP.sub(r"\\\g<0>", first)]
    words += [_code(word) if LIVE.search(word) else MARKUP.sub(r"\\\g<0>", word) for word in others]
    return " ".join(words)


def _code(word: str) -> str:
    """A word as code, but for the punctuation around it."""
    core = word.lstrip("(\"'").rstrip(")\"',.;:") or word
    before, after = word[: word.index(core)], word[word.index(core) + len(core) :]
    core = core.replace("`", "\\x60").replace("|", "\\x7c")  # neither can be escaped there, in a table
    return f"{before}`{core}`{after}"


def few(words: Sequence[str], most: int) -> str:
    """The first ``most`` of ``words``, and how many more there are."""
    return ", ".join(words[:most]) + (f" and {more} more" if (more := len(words) - most) > 0 else "")


def read(path: str | Path) -> Record:
    """Return the document in ``path``, which the tables and the page can show whatever it holds.

    Raises DocumentError naming the file and the place of the fault. Nothing of the file is executed.
    """
    reason: object
    try:
        document: Record = _parsed(_content(path))
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
    try:
        with gzip.open(path) if str(path).endswith(".gz") else open(path, "rb") as file:
            content = file.read(MAX_MEBIBYTES * 2**20 + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"not a gzip file, or a damaged one: {error}") from error
    if not content:
        raise ValueError("empty: the run that was to write it never began")
    if len(content) > MAX_MEBIBYTES * 2**20:
        raise ValueError(f"more than {MAX_MEBIBYTES} MiB, the most that is read of a file; {LESS}")
    for mark, most in MOST.items():
        if content.count(mark) > most:
            raise ValueError(f"more than {most} {mark.decode()!r}, the most that is read of a file; {LESS}")
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


def _faults(document: Any) -> Iterator[Fault]:
    """What keeps a document from being shown: the place and what is wrong there."""
    if isinstance(document, dict) and document.get("schema") not in versions():
        known = " and ".join(map(str, versions()))
        yield (
            "$.schema",
            f"schema version {reprlib.repr(document.get('schema'))}; this program reads versions {known}: "
            "judge again with this version of the suite, or read the file with the release that wrote it",
        )
    yield from faults(document)
    shard = document["run"].get("shard", {"number": 1, "of": 1})
    if shard["number"] > shard["of"]:
        yield "$.run.shard", f"number {shard['number']} of {shard['of']}"
    yield from inconsistencies(document["records"])
    yield from crowd_asked_for(document["run"], document["records"])


def of_kind(records: list[Record], kind: str) -> Iterator[Record]:
    return (record for record in records if record["kind"] == kind)
