"""The Markdown report of one or many results files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2

from report.classifiers import classifiers
from report.document import Record, of_kind, read
from report.table import Table, agreement, empty_cells, judged_share, program, times, verdict_lines
from report.validity import claims


def build(paths: Sequence[str | Path], directory: str | Path) -> Path:
    """Write ``directory``/report.md from results files and return its path.

    Raises DocumentError for a file that cannot be read, before anything is written.
    """
    runs = [_run(path) for path in paths]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["cell"] = _escaped
    target = Path(directory) / "report.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(environment.get_template("page.md.jinja").render(runs=runs), encoding="utf-8", errors="backslashreplace")
    return target


def _run(path: str | Path) -> Record:
    document = read(path)
    checks = list(of_kind(document["records"], "check"))
    return document | {
        "file": str(path),
        "lines": [*verdict_lines(document["records"]), *claims(document["records"])],
        "backends": list(of_kind(document["records"], "backend")),
        "tables": agreement(checks),
        "empty": empty_cells(document["records"]),
        "classifiers": classifiers(document["records"]),
        "times": times(checks),
        "drift": _drift(checks),
        "partly": [check for check in checks if judged_share(check) < 1],
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
    line = " ".join(str(text).split())
    for character in "\\`*_[]<>|":
        line = line.replace(character, "\\" + character)
    return line
