"""The static site: a page of the matrix, a page for each case, the ledger, and how good the suite is.

Every page is one file that needs nothing else: no network, no server and, for its tables, no script.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import report.site.training as trained
from report.document import Record, few, of_kind, printable
from report.environments import Environment
from report.ledger import Step, changed, ledger, named, numbers, overview, unpaired
from report.power import false_alarms, matrix, score, survivors
from report.script import again, program, script
from report.show import in_ulp
from report.site import graphs
from report.site.view import Mark, Row, View, families, viewed
from report.table import SIGNS, Table, counts, empty_cells, in_digits, judged_share, largest_share, slack, verdict, worst
from vocabulary.cell import CONTRACT
from vocabulary.words import CONFORMS, DECLARED, EAGER

FOLDER = Path(__file__).parent
# What may be believed, and why: the pages that say more are docs/how-it-works.md and docs/quality.md.
TRUST = Table(
    "what to trust, and why",
    ["what", "is", "because"],
    [
        ["truth", "proved", "ball arithmetic encloses it; pairs of doubles are held to Arb at 300 bits by tests"],
        ["bound", "derived", "each operation of the formula rounds once; accuracies of library functions are published"],
        ["verdict", "proved", "a bound that a zero, flipped, 1.5-fold or permuted result would meet gives none"],
        ["planted faults", "measured", "adapters made wrong on purpose, judged as any other"],
        ["false alarms", "measured", "sound adapters, and random variants of every family of cases"],
        [
            "versions, modes, engines",
            "measured",
            "probes compute in them; what an adapter states is compared with what is found",
        ],
        ["deviations", "declared", "stated by the adapter with reason and size, and tested to deviate still"],
        ["what is unsupported", "declared", "stated by the adapter or absent in it, and tested to raise"],
        ["drift", "measured", "free-running paths part for honest reasons; it is shown and not judged"],
    ],
)
# What tells a page of a report from any other.
GENERATOR = '<meta name="generator" content="gradient-conformance report">'
SLACK = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


def pages(environments: Sequence[Environment], facts: Mapping[str, Any], published: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name of each file and its text; ``facts`` are those of the Markdown report.

    ``published`` is the address under which runs are kept: pages then link to this run, for ever, and to the newest.
    """
    view = viewed(environments)
    links = [("ledger", "Ledger"), ("quality", "How good the suite is")]
    style, code = (re.sub(r"\n\s+", "\n", (FOLDER / name).read_text()) for name in ("style.css", "page.js"))
    common = {
        "view": view,
        "signs": SIGNS,
        "style": Markup(style),
        "script": Markup(code),
        "script_hash": f"sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}",
        "pages": links,
        "generator": Markup(GENERATOR),
        "href": lambda case: f"case-{case}.html",
        "runs": [run for environment in environments for run in environment.runs][:1],
    }

    def rendered(name: str, **more: Any) -> tuple[str, str]:
        template = name if name in ("index", "ledger", "quality") else "case"
        return f"{name}.html", _templates().get_template(f"{template}.html.jinja").render({**common, "here": name, **more})

    yield rendered("index", **_index(view, facts))
    for case in view.rows:
        yield rendered(f"case-{case}", **_case(view, case, published))
    yield rendered("ledger", **_ledger(environments))
    yield rendered("quality", **_quality(view, environments))


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"line": _line, "name": _name, "is_address": _is_address}
    return environment


def _line(text: object) -> str:
    """Text from a file as one line without characters that turn it around or hide."""
    return printable(" ".join(str(text).split()))


def _name(backend: str) -> str:
    """The name of a backend, short enough for a heading."""
    return backend.rpartition(":")[2]


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://")) and not any(character.isspace() for character in text)


def _index(view: View, facts: Mapping[str, Any]) -> dict[str, Any]:
    modes = sorted({check["mode"] for check in view.checks})
    levels = list(dict.fromkeys(row.level for rows in view.rows.values() for row in rows))
    filters = [
        ("backend", "Framework", list(dict.fromkeys(column.backend for column in view.columns))),
        ("version", "Version", list(dict.fromkeys(column.version for column in view.columns))),
        ("level", "Level", levels),
        ("mode", "Mode", modes),
        ("dtype", "Precision", view.dtypes),
        ("verdict", "Verdict", list(view.words)),
    ]
    return {
        "filters": filters,
        "families": families(view.rows),
        "summaries": facts["runs"],
        **{name: facts[name] for name in ("unread", "lost", "parts", "matrix")},
    }


def _case(view: View, case: str, published: str) -> dict[str, Any]:
    rows = view.rows[case]
    about = view.cases.get(case)
    cells = [
        _cell(view, row, mark, published) for row in rows for column in view.columns for mark in row.marks.get(column.id, [])
    ]
    graph = _graph(view, case)
    data = {"cells": {cell["id"]: cell.pop("data") for cell in cells}}
    if graph:
        data["graph"] = graph.pop("data")
    return {
        "case": case,
        "about": about,
        "program": program(about) if about else [],
        "again": again("NAME", case, "autodiff", "DTYPE", []),
        "rows": rows,
        "cells": cells,
        "graph": graph,
        "pictures": trained.training(view, case),
        "planes": trained.planes(view, case),
        "learned": trained.learned(view, case),
        "data": base64.b64encode(gzip.compress(json.dumps(data, separators=(",", ":")).encode(), mtime=0)).decode(),
    }


def _cell(view: View, row: Row, mark: Mark, published: str) -> dict[str, Any]:
    column = mark.column
    checks = sorted(mark.checks, key=lambda check: (verdict(check) == CONFORMS, check["test"], check["quantity"]))
    declared = {check["declared"] for check in checks if verdict(check) == DECLARED}
    deviations = [d for d in column.description.get("deviations", ()) if d["subject"] in declared and mark.dtype in d["dtypes"]]
    title = f"{column.backend} {column.version}, {row.name}, {mark.dtype}"
    found = script(column.description, view.cases.get(row.case), column.vector(row.case, mark.dtype), row.level)
    same = _same(row, mark, view)
    where = f"{published.rstrip('/')}/{{}}/case-{row.case}.html#{mark.id}"
    digest = _id_of(column.release.environments[0])
    return {
        "id": mark.id,
        "mark": mark,
        "title": title,
        "told": _told(checks),
        "deviations": deviations,
        "links": [("this run", where.format(f"runs/{digest}")), ("newest answer", where.format("latest"))] if published else [],
        "same": same,
        "checks": [
            {
                "name": check["quantity"] + ("" if check["mode"] == EAGER else f" ({check['mode']})"),
                "word": verdict(check) + ("" if judged_share(check) == 1 else f", {100 * judged_share(check):.0f}% judged"),
                "ulp": in_digits(float.fromhex(check["error_ulp"])) if "error_ulp" in check else "",
                "share": f"{100 * float.fromhex(check['share']):.3g}%" if "share" in check else "",
            }
            for check in ([] if same and mark.word == CONFORMS else checks)
        ],
        "data": {
            "script": found,
            "again": again(column.backend, row.case, row.level, mark.dtype, checks),
            "checks": [_entries(check) for check in checks if "got" in check],
        },
    }


def _id_of(environment: Environment) -> str:
    """Return what tells the run of an environment from any other."""
    started = "".join(run["started"] for run in environment.runs)
    return hashlib.sha256(started.encode(errors="backslashreplace")).hexdigest()[:12]


def _told(checks: Sequence[Record]) -> list[str]:
    """Return what checks say, once where several say the same."""
    said: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        if check["message"]:
            said.setdefault((verdict(check), check["message"]), []).append(check["quantity"])
    return [f"{few(quantities, 3)}: {word}: {message}" for (word, message), quantities in said.items()]


def _same(row: Row, mark: Mark, view: View) -> dict[str, str] | None:
    """Return an earlier level of the same column whose checks, as far as both have them, have the same bits."""
    ours = {(check["test"], check["quantity"]): check["bits"] for check in mark.checks if "bits" in check}
    for other in view.rows[row.case]:
        if other is row:
            return None
        for one in other.marks.get(mark.column.id, []):
            theirs = {(check["test"], check["quantity"]): check["bits"] for check in one.checks if "bits" in check}
            common = ours.keys() & theirs.keys()
            if one.dtype == mark.dtype and ours.keys() == common and all(ours[key] == theirs[key] for key in common):
                return {"id": one.id, "title": other.name}
    return None


def _entries(check: Record) -> dict[str, Any]:
    """The numbers of a check, as a page shows them on demand."""
    columns = [[float.fromhex(value) for value in check[name]] for name in ("got", "truth")]
    return {
        "name": check["quantity"],
        "where": printable(check.get("where", "")),
        **{name: check[name] for name in ("got", "truth", "bound")},
        "ulp": [in_ulp(got, truth, check["dtype"]) for got, truth in zip(*columns, strict=True)],
    }


def _graph(view: View, case: str) -> dict[str, Any] | None:
    traces = [(column, trace) for column in view.columns for trace in column.of_kind("trace", case)]
    if not traces:
        return None
    first = traces[0][1]
    traces = [(column, trace) for column, trace in traces if graphs.names(trace) == graphs.names(first)]
    sources = {"exact": graphs.frames(first, "truth")}
    shown = {"exact": graphs.numbers(first, "truth")}
    for column, trace in traces:
        name = f"{column.backend} {column.version} {trace['dtype']}"
        sources[name], shown[name] = graphs.frames(trace, "got"), graphs.numbers(trace, "got")
    rows = [
        [f"{name}, {what}", *(_exactly(found[name][what]) for found in shown.values())]
        for name in graphs.names(first)
        for what in ("value", "adjoint")
    ]
    return {
        "sources": list(sources),
        "svg": graphs.drawing(first, f"Computation graph of {case}"),
        "frames": sources["exact"],
        "long": len(sources["exact"]) > 12,
        "table": Table(f"numbers of {case}", ["number", *shown], rows),
        "data": {
            source: [
                [frame.name, frame.what, frame.caption, graphs.shown(shown[source][frame.name][frame.what])] for frame in frames
            ]
            for source, frames in sources.items()
        },
    }


def _exactly(number: float | None) -> str:
    return "-" if number is None else repr(number)


def _ledger(environments: Sequence[Environment]) -> dict[str, Any]:
    steps, left_out = ledger(environments)
    return {
        "left_out": left_out,
        "ledger": [
            {
                "table": overview(name, found),
                "steps": [
                    (one.title, [*named([line for _, line in changed(one)]), *unpaired(one)], numbers(one)) for one in found
                ],
                "versions": [found[0].before.version, *(one.after.version for one in found)] if found else [],
                "sparks": _sparks(found),
            }
            for name, found in steps
        ],
    }


def _sparks(steps: Sequence[Step]) -> list[dict[str, str]]:
    """A line for each program that changed: the largest share of a bound in each version."""
    releases = [steps[0].before, *(one.after for one in steps)] if steps else []
    found: list[dict[Any, list[Record]]] = []
    for release in releases:
        cells: dict[Any, list[Record]] = {}
        for key, check in release.checks.items():
            cells.setdefault((key.cell.case, key.cell.level, key.cell.mode, key.cell.dtype), []).append(check)
        found.append(cells)
    moved = {
        (key.cell.case, key.cell.level, key.cell.mode, key.cell.dtype) for one in steps for key in {*one.bits, *one.verdicts}
    }
    sparks = []
    for cell in sorted(moved):
        groups = [cells.get(cell, []) for cells in found]
        shares = [largest_share(group) if group else None for group in groups]
        marks = [worst(group) if group else "-" for group in groups]
        words = marks[0] if len({*marks}) == 1 else " → ".join(marks)
        sparks.append({"name": " ".join(cell), "svg": _spark(shares), "words": words})
    return sparks


def _spark(shares: Sequence[float | None]) -> str:
    width, height = 16 * max(1, len(shares) - 1) + 8, 22
    points = [(4 + 16 * k, height - 3 - (height - 6) * min(share, 1.0)) for k, share in enumerate(shares) if share is not None]
    words = ", ".join("-" if share is None else f"{100 * share:.3g}%" for share in shares)
    line = " ".join(f"{x},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x}" cy="{y:.1f}" r="2"/>' for x, y in points)
    drawing = f'<title>{words}</title><polyline points="{line}"/>{dots}'
    return f'<svg class="spark" role="img" width="{width}" height="{height}">{drawing}</svg>'


def _quality(view: View, environments: Sequence[Environment]) -> dict[str, Any]:
    checks = list(view.checks)
    power = []
    for environment in environments:
        records = environment.records
        if any(of_kind(records, "kill")):
            power.append(
                {
                    "name": environment.name,
                    "score": score(records),
                    "matrix": matrix(records),
                    "lines": [*false_alarms(records), *survivors(records)],
                }
            )
    silent = Table(
        "checks that are not green, by framework",
        ["framework", *(word for word in SIGNS if word != CONFORMS)],
        [
            [f"{column.backend} {column.version}", *(str(found[word]) for word in SIGNS if word != CONFORMS)]
            for column in view.columns
            for found in [counts(column.release.checks.values())]
        ],
    )
    empty = {line: None for environment in environments for line in empty_cells(environment.records)}
    return {
        "trust": TRUST,
        "slack": _slack(checks),
        "slack_lines": slack(checks),
        "power": power,
        "unjudged": silent,
        "empty": list(empty),
    }


def _slack(checks: Sequence[Record]) -> list[dict[str, Any]]:
    """A histogram of how many times the bound is as wide as the worst error of a check: for each class, counts and bars."""
    found: dict[tuple[str, int], int] = {}
    for check in checks:
        share = float.fromhex(check["share"]) if "share" in check else 0.0
        if verdict(check) == CONFORMS and share > 0 and check["case"] != CONTRACT:
            place = min(int(math.log2(1 / share)) if share < 1 else 0, len(SLACK) - 1)
            found[check["dtype"], place] = found.get((check["dtype"], place), 0) + 1
    dtypes, most = sorted({dtype for dtype, _ in found}), max(found.values(), default=1)
    return [
        {
            "from": f"{low}" if low < SLACK[-1] else f"{low} or more",
            "counts": [(dtype, count, 100 * count // most) for dtype in dtypes for count in [found.get((dtype, k), 0)]],
        }
        for k, low in enumerate(SLACK if found else ())
    ]
