"""What a schema cannot say of records: numbers that contradict each other, and lists that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Fault = tuple[str, str]

# A page of more cells of backend and program serves no reader, and a file of distinct names could ask for billions. A full
# run of seven backends has about two thousand.
MAX_CELLS = 100_000

# What the lists of a classifier count, by the last word of their names.
LISTED = (
    dict.fromkeys(("accuracy", "training", "out"), "epochs")
    | dict.fromkeys(("precision", "recall", "F1", "matrix"), "classes")
    | dict.fromkeys(("easiest", "hardest"), "examples")
)


def inconsistencies(records: list[dict[str, Any]]) -> Iterator[Fault]:
    """Return the place and the fault of each contradiction in ``records``, each of which follows the schema."""
    sizes: dict[tuple[str, str], dict[str, int]] = {}
    for index, record in enumerate(records):
        if record["kind"] == "check":
            found = _check(record)
        elif record["kind"] == "classifier":
            found = _classifier(record, sizes.setdefault((record["case"], record["dtype"]), {}))
        else:
            continue
        for field, fault in found:
            yield f"$.records[{index}].{field}, a {record['kind']}", fault
    yield from crowd([record for record in records if record["kind"] == "check"])


def _check(check: dict[str, Any]) -> Iterator[Fault]:
    for part, whole in (("points_without_verdict", "points"), ("too_wide", "entries")):
        if check.get(part, 0) > check.get(whole, 0):
            yield part, f"{check[part]} of {check.get(whole, 0)} {whole}"
    lengths = {name: len(check[name]) for name in ("got", "truth", "bound") if name in check}
    if len(set(lengths.values())) > 1:
        yield "got", f"got, truth and bound belong together, and have the lengths {lengths}"


def _classifier(run: dict[str, Any], sizes: dict[str, int]) -> Iterator[Fault]:
    """Hold a run to ``sizes``, those of the first run of its case and dtype: the page sets them side by side."""
    for part in ("counted", "exact", "losses", "p"):
        for name, values in run[part].items():
            words, _, last = name.rpartition(" ")
            what = LISTED.get(last)
            if what is None:  # the macro averages, which the schema counts
                continue
            what = f"{words} {what}" if what == "examples" else what
            for length in (len(values), *(len(row) for row in values if isinstance(row, list))):
                if length != sizes.setdefault(what, length):
                    yield f"{part}['{name}']", f"{length} {what}; other lists of the same case and dtype have {sizes[what]}"


def crowd(checks: list[dict[str, Any]]) -> Iterator[Fault]:
    """Checks of more cells than a page shows."""
    backends = {check["backend"] for check in checks}
    programs = {(check["case"], check["level"], check["mode"], check["dtype"]) for check in checks}
    yield from _too_many("$.records", len(backends), len(programs))


def crowd_asked_for(run: dict[str, Any], records: list[dict[str, Any]]) -> Iterator[Fault]:
    """A run that was asked for more cells than a page shows, whether or not they have checks."""
    if "plan" in run:
        cases = sum(record["kind"] == "case" for record in records)
        programs = cases * len(run["plan"]["levels"]) * len(run["plan"]["dtypes"])
        yield from _too_many("$.run.backends", len(run.get("backends", ())), programs)


def _too_many(place: str, backends: int, programs: int) -> Iterator[Fault]:
    if backends * programs > MAX_CELLS:
        yield (
            place,
            f"{backends} backends and {programs} programs (case, level and dtype) make a table of more than {MAX_CELLS} cells",
        )
