"""The Markdown report of one or many results files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2

from report.classifiers import classifiers
from report.document import DocumentError, Record, of_kind, printable, read
from report.power import false_alarms, matrix, score, survivors
from report.table import Table, agreement, empty_cells, judged_share, program, times, verdict_lines
from report.validity import claims


def build(paths: Sequence[str | Path], directory: str | Path) -> tuple[Path, list[DocumentError]]:
    """Write ``directory``/report.md from results files; return its path, and the errors of files that cannot be read.

    They are listed on the page. Raises DocumentError, before anything is written, where no file can be read.
    """
    runs, unread = [], []
    for path in paths:
        try:
            runs.append(_run(path))
        except DocumentError as error:
            unread.append(error)
    if not runs:
        raise DocumentError("\n".join(map(str, unread)))
    target = Path(directory) / "report.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_template().render(runs=runs, unread=unread), encoding="utf-8")
    return target, unread


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = _escaped
    return environment.get_template("page.md.jinja")


def _run(path: str | Path) -> Record:
    document = read(path)
    checks, kills = (list(of_kind(document["records"], kind)) for kind in ("check", "kill"))
    return document | {
        "file": str(path),
        "lines": [*verdict_lines(document["records"]), *claims(document["records"], document["run"].get("backends", ()))]
        if checks
        else ["no checks"],
        "backends": list(of_kind(document["records"], "backend")),
        "tables": agreement(checks),
        "empty": empty_cells(document["records"]),
        "classifiers": classifiers(document["records"]),
        "times": times(checks),
        "drift": _drift(checks),
        "partly": [check for check in checks if judged_share(check) < 1],
        "power": [matrix(document["records"]), *score(document["records"])] if kills else [],
        "survivors": [*false_alarms(document["records"]), *survivors(document["records"])],
        "others": [check for check in checks if check["verdict"] != "conforms"],
    }


def _drift(checks: list[Record]) -> Table:
    measured = [check for check in checks if "drift" in check]
    backends = list(dict.fromkeys(check["backend"] for check in measured))
    rows: dict[str, dict[str, str]] = {}
    for check in measured:
        end, worst = (float.fromhex(check["drift"][key]) for key in ("end", "worst"))
        text = f"{end:.1f}, worst {worst:.1f} at step {check['drift']['worst_step']}"
        rows.setdefault(f"{program(check)} {check['dtype']}", {})[check["backend"]] = text
    return Table(
        "drift", ["case", *backends], [[name, *(row.get(backend, "-") for backend in backends)] for name, row in rows.items()]
    )


def _escaped(text: object) -> str:
    """Text from a file as one line of Markdown that says no more than itself."""
    line = printable(" ".join(str(text).split()))
    for character in "\\`*_[]<>|#&~":
        line = line.replace(character, "\\" + character)
    return line
