"""Tables drawn for the terminal."""

from __future__ import annotations

import rich.box
import rich.console
import rich.table

from report.table import Table


def drawn(table: Table) -> str:
    """Return ``table`` in lines of text, as wide as it has to be."""
    drawing = rich.table.Table(title=table.title, title_justify="left", box=rich.box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in table.heading:
        drawing.add_column(name, no_wrap=True)
    for row in table.rows:
        drawing.add_row(*row)
    widths = sum(max(len(line[i]) for line in [table.heading, *table.rows]) + 4 for i in range(len(table.heading)))
    console = rich.console.Console(width=max(widths, len(table.title)), color_system=None, markup=False)
    with console.capture() as capture:
        console.print(drawing)
    return capture.get()
