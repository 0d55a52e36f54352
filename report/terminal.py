"""Tables and lines for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import rich.box
import rich.cells
import rich.console
import rich.table

from report.document import Record, few, of_kind, printable
from report.table import PART, SIGNS, SILENT, Table, judged_share, verdict
from vocabulary.words import DECLARED

# What stands between two columns.
GAP = 1
# A table that is wider than a narrow terminal is no worse than one in two parts.
NARROWEST = 100


def drawn(table: Table, gap: int = 1) -> str:
    """Return ``table`` in lines of text, as wide as it has to be, with ``gap`` and one more blank between columns."""
    drawing = rich.table.Table(title=table.title, title_justify="left", box=rich.box.SIMPLE_HEAD, padding=(0, gap, 0, 0))
    for name in table.heading:
        drawing.add_column(name, no_wrap=True)
    for row in table.rows:
        drawing.add_row(*row)
    width = max(sum(_widths(table)) + 4 * len(table.heading), rich.cells.cell_len(table.title) + 2)
    console = rich.console.Console(width=width, color_system=None, markup=False)
    with console.capture() as capture:
        console.print(drawing)
    return capture.get()


def _widths(table: Table) -> list[int]:
    return [max(rich.cells.cell_len(line[k]) for line in (table.heading, *table.rows)) for k in range(len(table.heading))]


def fitted(table: Table, width: int) -> list[Table]:
    """Return a table in parts that fit ``width``, each with the first column; names of adapters lose their modules."""
    first, *names = table.heading
    short = [name.rpartition(":")[2] for name in names]
    table = Table(table.title, [first, *(short if len({*short}) == len(names) else names)], table.rows)
    widths = [each + GAP for each in _widths(table)]
    parts: list[list[int]] = [[]]
    for column in range(1, len(widths)):
        if parts[-1] and widths[0] + sum(widths[k] for k in parts[-1]) + widths[column] > max(width, NARROWEST):
            parts.append([])
        parts[-1].append(column)
    return [
        Table(
            table.title,
            [table.heading[0], *(table.heading[k] for k in part)],
            [[row[0], *(row[k] for k in part)] for row in table.rows],
        )
        for part in parts
    ]


def legend(checks: Iterable[Record]) -> str:
    """Say what the signs mean that occur."""
    found = list(checks)
    words = {verdict(check) for check in found}
    said = [f"{sign} {word}" for word, sign in SIGNS.items() if word in words]
    if any(judged_share(check) < 1 for check in found):
        said.append(f"{PART} a part of its points or steps gave no verdict")
    return ", ".join(said)


def unanswered(checks: Iterable[Record]) -> list[str]:
    """Return a line for each backend that gave no answer, and for each signal, status or limit that ended it."""
    counted = Counter(
        (check["backend"], verdict(check), check.get("cause", "")) for check in checks if verdict(check) in SILENT
    )
    return [
        printable(f"{SIGNS[word]} {backend}: {' '.join(filter(None, (word, cause)))} in {count} checks")
        for (backend, word, cause), count in sorted(counted.items())
    ]


def deviations(records: Sequence[Record]) -> list[str]:
    """Return a line for each declared deviation that explains a check: whose, of what, in how many checks, and its place."""
    counted: dict[tuple[str, str], list[Record]] = {}
    for check in of_kind(list(records), "check"):
        if verdict(check) == DECLARED:
            for subject in check["declared"].split(", "):
                counted.setdefault((check["backend"], subject), []).append(check)
    places = {
        (backend["name"], deviation["subject"]): deviation.get("place", "")
        for backend in of_kind(list(records), "backend")
        for deviation in backend["deviations"]
    }
    lines = []
    for (backend, subject), checks in sorted(counted.items()):
        dtypes = few(sorted({check["dtype"] for check in checks}), 3)
        place = f", declared in {places[backend, subject]}" if places.get((backend, subject)) else ""
        lines.append(printable(f"{SIGNS[DECLARED]} {backend} {subject}: {len(checks)} checks in {dtypes}{place}"))
    return lines
