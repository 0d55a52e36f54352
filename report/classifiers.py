"""What classifiers have learned: the numbers of the exact run, once, and which runs part from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from report.document import Record, of_kind
from report.table import Table
from vocabulary.words import EAGER


def classifiers(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return for each case and dtype a title, a sentence on the runs, and the numbers of the exact run in tables."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in of_kind(list(records), "classifier"):
        groups.setdefault((record["case"], record["dtype"]), []).append(record)
    return [_described(case, dtype, runs) for (case, dtype), runs in groups.items()]


def _described(case: str, dtype: str, runs: list[Record]) -> dict[str, Any]:
    runs = sorted(runs, key=name_of)
    exact = runs[0]["exact"]
    parted = [f"{name_of(run)}: {name}" for run in runs for name in exact if run["counted"][name] != run["exact"][name]]
    losses = {words: [list(map(float.fromhex, run["losses"][words])) for run in runs] for words in runs[0]["losses"]}
    agreed = (
        "which all count what the exact run counts" if not parted else f"which part from the exact run in {'; '.join(parted)}"
    )
    return {
        "title": f"{case} {dtype}",
        "line": f"{len(runs)} runs, {agreed}: {', '.join(map(name_of, runs))}",
        "tables": [_epochs(exact, losses), _classes(exact), _confusion(exact), _examples(runs)],
    }


def name_of(run: Record) -> str:
    return f"{run['backend']} {run['level']}" + ("" if run["mode"] == EAGER else f" {run['mode']}")


def _epochs(counted: Record, losses: dict[str, list[list[float]]]) -> Table:
    heading = ["epoch", *(f"{words} {what}" for words in losses for what in ("loss", "accuracy"))]
    rows = []
    for epoch in range(len(counted["training accuracy"])):
        row = [str(epoch + 1)]
        for words, runs in losses.items():
            row += [_range([run[epoch] for run in runs]), f"{counted[f'{words} accuracy'][epoch]:.4f}"]
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


def _examples(runs: list[Record]) -> Table:
    rows = []
    for kind in ("easiest", "hardest"):
        name = f"held out {kind}"
        alike = [run["p"][name] for run in runs if run["counted"][name] == run["exact"][name]]
        for place, index in enumerate(runs[0]["exact"][name]):
            rows.append([kind, str(index), _range([float.fromhex(p[place]) for p in alike])])
    return Table("Easiest and hardest held-out examples", ["kind", "example", "p(y given x), in all runs"], rows)


def _range(values: list[float]) -> str:
    low, high = (f"{pick(values, default=float('nan')):.6f}" for pick in (min, max))
    return low if low == high else f"{low} to {high}"
