"""The Markdown report of one or many results files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import jinja2

from report.classifiers import classifiers
from report.document import DocumentError, Record, escaped, of_kind, printable
from report.environments import Environment, NotRun, gathered, matrix_of
from report.ledger import Step, changed, ledger, named, numbers, overview, unpaired
from report.power import false_alarms, matrix, score, survivors
from report.site import GENERATOR, pages
from report.table import Table, agreement, empty_cells, in_both_modes, judged_share, program, times, verdict_lines
from report.validity import claims
from report.writing import write
from vocabulary.words import CONFORMS, EAGER

# tox says which interpreter it did not find, and no more.
HOW_TO_GET = "If tox found no Python for it: uv python install 3.11 3.12 3.13 (https://docs.astral.sh/uv/), and again"


def build(
    paths: Sequence[str | Path],
    directory: str | Path,
    expected: Iterable[str] = (),
    *,
    published: str = "",
    force: bool = False,
) -> tuple[Path, list[DocumentError], list[str]]:
    """Write the report from results files, or those in folders: index.html and other pages, report.md, and summary.md.

    Return the path of report.md, the errors of files that have no part in it, and what is missing: environments that were
    ``expected``, or have left an empty file, and parts of those that ran. All are listed on the page. Raises DocumentError,
    before anything is written, where no file can be read and no environment is missing, or where a file in ``directory`` is in
    the way that is not of a report, unless ``force`` is given. Pages of an earlier report that are no longer made are removed.
    ``published`` is the address under which runs are kept.
    """
    environments, errors = gathered(paths)
    absent = _absent(environments, [*expected, *(error.name for error in errors if isinstance(error, NotRun))])
    unread = [error for error in errors if not (isinstance(error, NotRun) and error.name in absent)]
    environments = [environment for environment in environments if environment.name not in absent]
    if not environments and not absent:
        raise DocumentError("\n".join(map(str, unread)))
    lost = [f"{name}: {reason}" for name, reason in absent.items()]
    lost += [f"{environment.name}: {words}" for environment in environments for words in environment.lost]
    steps, left_out = ledger(environments)
    facts = {
        "eager": EAGER,
        "runs": [_section(environment) for environment in environments],
        "unread": unread,
        "lost": lost,
        "parts": [(environment.name, environment.only) for environment in environments if environment.only],
        "left_out": left_out,
        "matrix": matrix_of(environments, absent) if len(environments) + len(absent) > 1 else None,
        "ledger": [(overview(name, found), [(one.title, _told(one), numbers(one)) for one in found]) for name, found in steps],
    }
    site = [(Path(directory) / name, text) for name, text in pages(environments, facts, published)]
    summary, report = (Path(directory) / name for name in ("summary.md", "report.md"))
    texts = [(path, _templates().get_template(f"{path.name}.jinja").render(facts)) for path in (summary, report)]
    if not force:
        _refuse_others([path for path, _ in (*texts, *site)])
    write([*texts, *site])
    for path in {*Path(directory).glob("case-*.html")} - {path for path, _ in site}:
        if _is_ours(path):
            path.unlink()
    return report, unread, lost


def _refuse_others(paths: Iterable[Path]) -> None:
    for path in paths:
        if os.path.lexists(path) and not _is_ours(path):
            raise DocumentError(printable(f"{path} is there and is not of a report: give another folder, or --force"))


def _is_ours(path: Path) -> bool:
    """Whether a file begins as those of a report do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        beginning = file.read(400)
    return beginning.startswith(b"# Gradient conformance report") or GENERATOR.encode() in beginning


def _told(one: Step) -> list[str]:
    return [*named([line for _, line in changed(one)]), *unpaired(one)]


def _absent(environments: Sequence[Environment], expected: Iterable[str]) -> dict[str, str]:
    """Map every expected environment that did not run to the reason, as far as it is known."""
    judged = {environment.name: bool(environment.checks) for environment in environments}
    none, empty = f"there are no results of it that can be taken. {HOW_TO_GET}", "its results hold no check"
    return {name: f"not run, {empty if name in judged else none}" for name in expected if not judged.get(name)}


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"cell": escaped, "drawn": _drawn}
    return environment


def _section(environment: Environment) -> Record:
    records = environment.records
    checks, kills = (list(of_kind(records, kind)) for kind in ("check", "kill"))
    return {
        "name": environment.name,
        "files": environment.files,
        "runs": environment.runs,
        "lost": environment.lost,
        "only": environment.only,
        "lines": [*verdict_lines(records), *claims(records, environment.asked, environment.lost)] if checks else ["no checks"],
        "backends": list(of_kind(records, "backend")),
        "tables": agreement(checks),
        "empty": empty_cells(records),
        "classifiers": classifiers(records),
        "times": times(checks),
        "drift": _drift(checks),
        "partly": [check for check in checks if judged_share(check) < 1],
        "power": [matrix(records), *score(records)] if kills else [],
        "survivors": [*false_alarms(records), *survivors(records)],
        "others": [check for check in checks if check["verdict"] != CONFORMS],
    }


def _drift(checks: list[Record]) -> Table:
    measured = [check for check in checks if "drift" in check]
    backends = list(dict.fromkeys(check["backend"] for check in measured))
    rows: dict[str, dict[str, str]] = {}
    split = in_both_modes(checks)
    for check in measured:
        end, worst = (float.fromhex(check["drift"][key]) for key in ("end", "worst"))
        text = f"{end:.1f}, worst {worst:.1f} at step {check['drift']['worst_step']}"
        rows.setdefault(f"{program(check, split)} {check['dtype']}", {})[check["backend"]] = text
    return Table(
        "drift", ["case", *backends], [[name, *(row.get(backend, "-") for backend in backends)] for name, row in rows.items()]
    )


def _drawn(table: Table) -> str:
    rows = ["| " + " | ".join(map(escaped, row)) + " |" for row in (table.heading, *table.rows)]
    return "\n".join([rows[0], "|" + "---|" * len(table.heading), *rows[1:]])
