"""What classifiers have learned: the numbers on which all runs agree, once, and those on which they part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from report.document import Record, of_kind
from report.table import Table, program


def classifiers(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return for each case and dtype: the runs, a sentence, the numbers of the first run in tables, and what parts."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in of_kind(list(records), "classifier"):
        groups.setdefault((record["case"], record["dtype"]), []).append(record)
    return [_described(case, dtype, runs) for (case, dtype), runs in groups.items()]


def _described(case: str, dtype: str, runs: list[Record]) -> dict[str, Any]:
    first = runs[0]["counted"]
    parted = [
        f"{run['backend']} {program(run)}: {name}"
        for run in runs
        for name, value in run["counted"].items()
        if value != first[name]
    ]
    losses = {words: [run["losses"][words] for run in runs] for words in runs[0]["losses"]}
    names = {f"{run['backend']} ({run['level']})" for run in runs}
    return {
        "title": f"{case} {dtype}",
        "line": f"{len(runs)} runs ({', '.join(sorted(names))}), of which all agree on every number below"
        if not parted
        else f"{len(runs)} runs, which part on {len(parted)} of the numbers below; the first is {parted[0]}",
        "tables": [_epochs(first, losses), _classes(first), _confusion(first), _examples(runs[0])],
    }


def _epochs(counted: Record, losses: dict[str, list[list[float]]]) -> Table:
    heading = ["epoch", *(f"{words} {what}" for words in losses for what in ("loss", "accuracy"))]
    rows = []
    for epoch in range(len(counted["training accuracy"])):
        row = [str(epoch + 1)]
        for words, runs in losses.items():
            low, high = (f"{pick(run[epoch] for run in runs):.6f}" for pick in (min, max))
            row += [low if low == high else f"{low} to {high}", f"{counted[f'{words} accuracy'][epoch]:.4f}"]
        rows.append(row)
    return Table("Loss and accuracy after each epoch", heading, rows)


MEASURES = ("precision", "recall", "F1")


def _classes(counted: Record) -> Table:
    columns = [counted[f"held out {measure}"] for measure in MEASURES]
    rows = [[str(k), *(f"{column[k]:.4f}" for column in columns)] for k in range(len(columns[0]))]
    rows.append(["macro average", *(f"{value:.4f}" for value in counted["held out macro averages"])])
    return Table("Held-out data at the end, class by class", ["class", *MEASURES], rows)


def _confusion(counted: Record) -> Table:
    matrix = counted["held out confusion matrix"]
    heading = ["label", *(f"answered {k}" for k in range(len(matrix)))]
    return Table("Confusion matrix of the held-out data", heading, [[str(k), *map(str, row)] for k, row in enumerate(matrix)])


def _examples(run: Record) -> Table:
    rows = [
        [kind, str(index), f"{p:.6g}"]
        for kind in ("easiest", "hardest")
        for index, p in zip(run["counted"][f"held out {kind}"], run["p"][f"held out {kind}"], strict=True)
    ]
    return Table("Easiest and hardest held-out examples", ["", "example", "p(y given x)"], rows)
