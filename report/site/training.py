"""What a case looks like as it trains: curves of loss and drift, the plane, and what a classifier has learned."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from report.classifiers import classifiers, name_of
from report.document import Record, few, of_kind
from report.site.plots import Numbers, lines, pixels, plane
from report.site.view import Column, View
from report.table import Table
from vocabulary.words import EAGER

# Lines that a plot tells apart.
MOST_LINES = 7
CONTOURS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclasses.dataclass(frozen=True)
class Picture:
    """A drawing with a sentence on it and a table of its numbers."""

    id: str
    caption: str
    svg: str
    table: Table


def training(view: View, case: str) -> list[Picture]:
    """Return the curves of a case and its plane, a group for each dtype and reading of the update rule."""
    found: list[Picture] = []
    curves: dict[tuple[str, str], tuple[float | None, ...]] = {}  # those that are drawn: of another dtype mostly the same
    exacts = [record for environment in view.environments for record in of_kind(environment.records, "exact_run")]
    exacts.sort(key=lambda record: record["dtype"], reverse=True)
    for key, exact in {_key(each): each for each in exacts if each["case"] == case}.items():
        runs = [(column, run) for column in view.columns for run in column.of_kind("run", case) if _key(run) == key]
        runs = [(column, run) for column, run in runs if len(run["loss"]) == len(exact["loss"])]
        seen = to_the_eye(exact["loss"])
        told = next((other for other, curve in curves.items() if other[1] == key[1] and curve == seen), None)
        if runs and (told is None or any(to_the_eye(run["loss"]) != seen for _, run in runs)):
            found.append(_loss(case, exact, runs))
            curves[key] = seen
        if runs:
            found.append(_drift(case, exact, runs))
    return found


def to_the_eye(values: Numbers) -> tuple[float | None, ...]:
    """Return numbers in the three digits that a drawing shows."""
    return tuple(value if value is None else float(f"{value:.3g}") for value in values)


def planes(view: View, case: str) -> list[tuple[str, list[Picture]]]:
    """Return for each dtype of a case in the plane the boundary of the exact run, and how far each backend is from it."""
    groups = []
    exacts = [record for environment in view.environments for record in of_kind(environment.records, "exact_plane")]
    for key, exact in {_key(each): each for each in exacts if each["case"] == case}.items():
        offs = [(column, each) for column in view.columns for each in column.of_kind("plane", case) if _key(each) == key]
        offs = [(column, each) for column, each in offs if len(each["off"]) == len(exact["p"])]
        if offs:
            groups.append((_said(exact), [_boundary(case, exact), *_differences(case, exact, offs)]))
    return groups


def _key(record: Record) -> tuple[str, str]:
    return record["dtype"], record["convention"]


def _said(record: Record) -> str:
    return f"{record['dtype']}, {record['convention']} convention" if record["convention"] else str(record["dtype"])


def _groups(runs: Iterable[tuple[Column, Record]], numbers: str) -> dict[tuple[float | None, ...], list[str]]:
    """Map each list of numbers to the runs that have it: of most programs they are the same at several levels."""
    found: dict[tuple[float | None, ...], dict[str, list[str]]] = {}
    for column, run in runs:
        level = run["level"] if run["mode"] == EAGER else f"{run['level']} {run['mode']}"
        name = f"{column.backend} {column.version}"
        found.setdefault(tuple(run[numbers]), {}).setdefault(name, []).append(level)
    return {key: [f"{name} ({', '.join(levels)})" for name, levels in names.items()] for key, names in found.items()}


def _loss(case: str, exact: Record, runs: Sequence[tuple[Column, Record]]) -> Picture:
    rounded: dict[tuple[float | None, ...], list[str]] = {}
    for values, names in _groups(runs, "loss").items():
        rounded.setdefault(to_the_eye(values), []).extend(names)
    same = rounded.pop(to_the_eye(exact["loss"]), [])
    curves: dict[str, Numbers] = {f"exact run, and {len(same)} backends on it" if same else "exact run": exact["loss"]}
    for values, names in list(rounded.items())[:MOST_LINES]:
        curves[few(names, 2)] = values
    title = f"Loss of {case}, {_said(exact)}"
    left = "" if len(rounded) <= MOST_LINES else f" {len(rounded) - MOST_LINES} further curves are left out."
    positive = all(value is None or value > 0 for value in exact["loss"])
    svg = lines(title, "step", "loss", exact["steps"], curves, logarithmic=positive)
    caption = f"{title}: to three digits, all backends lie on the exact run." if not rounded else f"{title}.{left}"
    return Picture(f"loss-{exact['dtype']}", caption, svg, _table(exact["steps"], curves))


def _drift(case: str, exact: Record, runs: Sequence[tuple[Column, Record]]) -> Picture:
    groups = sorted(_groups(runs, "digits").items(), key=lambda group: min((d for d in group[0] if d is not None), default=99))
    curves: dict[str, Numbers] = {}
    for values, names in groups[:MOST_LINES]:
        curves[few(names, 2)] = values
    title = f"Drift of {case}, {_said(exact)}"
    left = "" if len(groups) <= MOST_LINES else f" Shown are the {MOST_LINES} that agree least of {len(groups)}."
    caption = (
        f"{title}: decimal digits on which all parameters agree with the exact run. Measured, not judged: paths drift apart "
        f"for honest reasons. A gap is a step at which they are the same, or not finite.{left}"
    )
    svg = lines(title, "step", "digits", exact["steps"], curves)
    return Picture(f"drift-{exact['dtype']}", caption, svg, _table(exact["steps"], curves))


def _table(steps: Sequence[int], curves: dict[str, Numbers], most: int = 13) -> Table:
    """Return the numbers of a drawing at about ``most`` of its steps, the first and the last among them."""
    every = max(1, -(-len(steps) // most))
    chosen = sorted({*range(0, len(steps), every), len(steps) - 1})
    rows = [[str(steps[k]), *("-" if values[k] is None else f"{values[k]:g}" for values in curves.values())] for k in chosen]
    return Table("numbers of the drawing", ["step", *curves], rows)


def _boundary(case: str, exact: Record) -> Picture:
    title = f"Decision boundary of {case} at the end of the exact run, {_said(exact)}"
    caption = "Exact run: p from 0 (blue) to 1 (orange), lines at 0.1, 0.3, 0.5 (wide), 0.7 and 0.9; label 1 is a circle."
    across = len(exact["x"])
    rows = [
        [f"{y:g}", *("-" if p is None else f"{p:.2f}" for p in exact["p"][k * across : (k + 1) * across : 4])]
        for k, y in reversed(list(enumerate(exact["y"])))
    ][::4]
    table = Table("p by the two coordinates", ["y, x", *(f"{x:g}" for x in exact["x"][::4])], rows)
    return Picture(f"plane-{exact['dtype']}", caption, plane(title, exact, exact["p"], low=0, high=1, lines_at=CONTOURS), table)


def _differences(case: str, exact: Record, offs: Sequence[tuple[Column, Record]]) -> list[Picture]:
    found: list[Picture] = []
    for values, names in _groups(offs, "off").items():
        size = max((abs(value) for value in values if value is not None), default=0.0)
        title = f"{'; '.join(names)} less the exact run: {case}, {_said(exact)}"
        where = max(range(len(values)), key=lambda k: abs(values[k] or 0.0))
        x, y = exact["x"][where % len(exact["x"])], exact["y"][where // len(exact["x"])]
        caption = f"{'; '.join(names)}, less the exact run: from {-size:.2g} (blue) to {size:.2g} (orange)."
        table = Table("largest difference", ["at", "difference"], [[f"({x:g}, {y:g})", f"{values[where] or 0.0:.2g}"]])
        svg = plane(title, exact, values, low=-size, high=size)
        found.append(Picture(f"plane-{exact['dtype']}-{len(found) + 1}", caption, svg, table))
    return found


@dataclasses.dataclass(frozen=True)
class Digit:
    """An example as a picture, with its label and p(y|x) in all runs."""

    kind: str
    words: str
    source: str


@dataclasses.dataclass(frozen=True)
class Classifier:
    """What was learned in one dtype: curves, tables, and the easiest and hardest examples."""

    title: str
    line: str
    pictures: list[Picture]
    tables: list[Table]
    digits: list[Digit]


def learned(view: View, case: str) -> list[Classifier]:
    """Return what the classifiers of a case have learned, an entry for each dtype."""
    records = [record for column in view.columns for record in column.of_kind("classifier", case)]
    found = []
    for group in classifiers(records):
        runs = [record for record in records if f"{record['case']} {record['dtype']}" == group["title"]]
        epochs, *tables = group["tables"]
        found.append(Classifier(group["title"], group["line"], _epochs(group["title"], runs), [epochs, *tables], _digits(runs)))
    return found


def _epochs(title: str, runs: Sequence[Record]) -> list[Picture]:
    exact = runs[0]["exact"]
    epochs = list(range(1, len(exact["training accuracy"]) + 1))
    losses: dict[str, Numbers] = {}
    for words in ("training", "held out"):
        alike: dict[tuple[str, ...], list[Record]] = {}
        for run in runs:
            alike.setdefault(tuple(f"{float.fromhex(value):.3g}" for value in run["losses"][words]), []).append(run)
        for group in list(alike.values())[:MOST_LINES]:
            more = f" and {len(group) - 1} runs more, alike in three digits" if len(group) > 1 else ""
            losses[f"{words}: {name_of(group[0])}{more}"] = [float.fromhex(value) for value in group[0]["losses"][words]]
    accuracies: dict[str, Numbers] = {words: exact[f"{words} accuracy"] for words in ("training", "held out")}
    return [
        Picture(
            f"{kind}-{runs[0]['dtype']}",
            f"{kind.capitalize()} of {title} after each epoch, on both splits.",
            lines(f"{kind.capitalize()} of {title} by epoch", "epoch", kind, epochs, curves, marked=True),
            _table(epochs, curves),
        )
        for kind, curves in (("loss by epoch", losses), ("accuracy", accuracies))
    ]


def _digits(runs: Sequence[Record]) -> list[Digit]:
    shown = []
    pictures = runs[0].get("pictures", {})
    for kind in ("easiest", "hardest"):
        name = f"held out {kind}"
        alike = [run for run in runs if run["counted"][name] == run["exact"][name]]
        for place, example in enumerate(runs[0]["exact"][name]):
            found = pictures.get("examples", {}).get(str(example))
            if not found or not alike:
                continue
            rows, columns = pictures["shape"]
            p = float.fromhex(alike[0]["p"][name][place])
            grey = [(round(255 - 2.55 * pixel),) * 3 for pixel in found["pixels"]]
            words = f"example {example}, label {found['label']}, p(y|x) = {p:.6g}"
            shown.append(Digit(kind, words, pixels(columns, rows, grey)))
    return shown
