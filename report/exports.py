"""Results for others: checks as CSV for a spreadsheet, cases with exact answers as JSON for any language, and a badge."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from report.document import Record, of_kind, printable
from report.environments import Environment
from report.table import RED, SILENT, counts, verdict
from vocabulary.words import CONFORMS, DECLARED

TEXTS = (
    "environment",
    "backend",
    "version",
    "case",
    "level",
    "mode",
    "dtype",
    "test",
    "quantity",
    "verdict",
    "declared",
    "where",
)
NUMBERS = ("error_ulp", "share", "share_median", "entries", "too_wide", "points", "points_without_verdict", "duration")
COLUMNS = (*TEXTS, *NUMBERS, "bits", "message")
# What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(environments: Iterable[Environment]) -> str:
    """Return a line for each check. Numbers are decimal; a text that would begin a formula has an apostrophe before it."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")  # RFC 4180
    writer.writerow(COLUMNS)
    for environment in environments:
        for check in of_kind(environment.records, "check"):
            facts = {
                **check,
                "environment": environment.name,
                "version": environment.versions.get(check["backend"], ""),
                "verdict": verdict(check),
                "declared": check["declared"] or "",
            }
            writer.writerow(
                [_number(facts.get(column, "")) if column in NUMBERS else _text(facts.get(column, "")) for column in COLUMNS]
            )
    return text.getvalue()


def _number(value: Any) -> str:
    return repr(float.fromhex(value)) if isinstance(value, str) and value else str(value)


def _text(value: Any) -> str:
    words = printable(value)
    return f"'{words}" if words.startswith(FORMULA) else words


VERSION = 1


@cache
def vectors_schema() -> dict[str, Any]:
    """Return the JSON schema of vectors."""
    schema: dict[str, Any] = json.loads((Path(__file__).parent / "vectors.schema.json").read_text())
    return schema


def vectors(environments: Sequence[Environment]) -> str:
    """Return every case with its inputs, its exact loss and gradient, and their bounds in each precision, once."""
    cases: dict[str, Record] = {}
    found: dict[tuple[str, str], Record] = {}
    for environment in environments:
        cases |= {case["name"]: case for case in of_kind(environment.records, "case")}
        found |= {(each["case"], each["dtype"]): each for each in of_kind(environment.records, "vector")}
    listed = [
        {
            "case": name, "title": cases[name]["title"], "source": cases[name]["source"],
            "program": cases[name].get("program", []), "dtype": dtype, "params": each["params"], "data": each["data"],
            "expected": each["expected"],
        }
        for (name, dtype), each in found.items()
        if name in cases
    ]  # fmt: skip
    return json.dumps({"schema": VERSION, "vectors": listed}, indent=1) + "\n"


def badge(environments: Sequence[Environment]) -> dict[str, Any]:
    """Return what a badge says, in the words of https://shields.io/badges/endpoint-badge."""
    checks = [check for environment in environments for check in of_kind(environment.records, "check")]
    found = counts(checks)
    lost = [words for environment in environments for words in environment.lost]
    red, silent = (sum(found[word] for word in words) for words in (RED, SILENT))
    unjudged = len(checks) - red - found[CONFORMS] - found[DECLARED]
    if lost or not checks:
        message, colour = "not all of it was judged" if checks else "nothing was judged", "lightgrey"
    elif red:
        message, colour = f"{red} of {len(checks)} checks fail" + (f", {silent} without an answer" if silent else ""), "red"
    else:
        message, colour = f"{found[CONFORMS]} conform, {found[DECLARED]} declared, {unjudged} not judged", "brightgreen"
    return {"schemaVersion": 1, "label": "gradients", "message": message, "color": colour}


COLOURS = {"lightgrey": "#6b6b6b", "red": "#b42318", "brightgreen": "#22683a"}


def badge_svg(words: dict[str, Any]) -> str:
    """Return a badge as SVG."""
    label, message = (html.escape(printable(words[key])) for key in ("label", "message"))
    left, right = (14 + round(6.6 * len(words[key])) for key in ("label", "message"))
    said, colour = f"{label}: {message}", COLOURS[words["color"]]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{said}">'
        f'<title>{said}</title><rect width="{left}" height="20" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2}" y="14">{label}</text><text x="{left + right / 2}" y="14">{message}</text></g></svg>\n'
    )
