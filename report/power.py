"""The power of judges: how many planted faults each finds, and which it does not."""

from __future__ import annotations

from collections.abc import Sequence

from report.document import Record, of_kind
from report.table import Table

SUITE = "this suite"
# In place of a test: the adapter raised, died or hung. No verdict, so no kill.
EXCEPTION = "exception"


def score(records: Sequence[Record]) -> list[Table]:
    """Return killed / visible faults per family and dtype; beside other judges, of all on the cases that those were given.

    A fault is visible in a dtype if it changes a bit of what is judged on any case, and killed if it is caught on any.
    """
    kills, families = _by_fault(records)
    dtypes = list(dict.fromkeys(kill["dtype"] for kill in kills))
    rows = []
    for family in [*dict.fromkeys(families.values()), ""]:
        names = {name for name in families if family in ("", families[name])}
        rows.append([family or "all", str(len(names)), *(_counts(kills, SUITE, names, dtype) for dtype in dtypes)])
    tables = [Table("faults killed / visible", ["family", "faults", *dtypes], rows)]
    others = sorted({kill["judge"] for kill in kills} - {SUITE})
    if others:
        common = {kill["case"] for kill in kills if kill["judge"] != SUITE}
        there = [kill for kill in kills if kill["case"] in common]
        rows = [[judge, *(_counts(there, judge, set(families), dtype) for dtype in dtypes)] for judge in (SUITE, *others)]
        tables.append(Table(f"faults killed / visible on {len(common)} cases", ["judge", *dtypes], rows))
    return tables


def _by_fault(records: Sequence[Record]) -> tuple[list[Record], dict[str, str]]:
    return list(of_kind(list(records), "kill")), {fault["name"]: fault["family"] for fault in of_kind(list(records), "fault")}


def _counts(kills: Sequence[Record], judge: str, names: set[str], dtype: str) -> str:
    """Return killed / visible of some faults; visible is what the suite saw change, whoever judges."""
    here = [kill for kill in kills if kill["dtype"] == dtype and kill["fault"] in names]
    if not any(kill["judge"] == judge for kill in here):
        return "-"
    visible = {kill["fault"] for kill in here if kill["visible"]}
    killed = {kill["fault"] for kill in here if kill["judge"] == judge and {*kill["caught"]} - {EXCEPTION}}
    return f"{len(killed & visible)} / {len(visible)}"


def matrix(records: Sequence[Record]) -> Table:
    """Return for each fault and dtype on how many cases it is visible and killed, and which tests catch it how often."""
    kills, families = _by_fault(records)
    rows = []
    for name, family in families.items():
        for dtype in dict.fromkeys(kill["dtype"] for kill in kills):
            here = [k for k in kills if (k["judge"], k["fault"], k["dtype"]) == (SUITE, name, dtype) and k["visible"]]
            by_test: dict[str, int] = {}
            for kill in here:
                for test in kill["caught"]:
                    by_test[test] = by_test.get(test, 0) + 1
            tests = ", ".join(f"{test} {count}" for test, count in sorted(by_test.items()))
            rows.append([family, name, dtype, f"{sum(bool(kill['caught']) for kill in here)} / {len(here)}", tests or "-"])
    return Table("kill matrix: cases killed / visible", ["family", "fault", "dtype", "cases", "caught by"], rows)


def survivors(records: Sequence[Record]) -> list[str]:
    """Say of every fault that the suite lets live in a dtype why, and which faults no case sees."""
    kills, families = _by_fault(records)
    lines = []
    for name in families:
        for dtype in dict.fromkeys(kill["dtype"] for kill in kills):
            here = [k for k in kills if (k["judge"], k["fault"], k["dtype"]) == (SUITE, name, dtype)]
            visible = [kill for kill in here if kill["visible"]]
            if here and not visible:
                lines.append(f"{name} {dtype}: changes no bit of anything that is judged")
            elif visible and not any({*kill["caught"]} - {EXCEPTION} for kill in visible):
                lines += [f"{name} {dtype} {kill['case']}: {kill['note'] or 'only raises or dies'}" for kill in visible]
    return lines


def false_alarms(records: Sequence[Record]) -> list[str]:
    """Say on how many cases each judge calls a sound adapter wrong."""
    kills, families = _by_fault(records)
    sound = [kill for kill in kills if kill["fault"] not in families]
    lines = []
    for judge in dict.fromkeys(kill["judge"] for kill in sound):
        here = [kill for kill in sound if kill["judge"] == judge]
        wrong = [kill for kill in here if kill["caught"]]
        lines.append(f"{judge}: {len(wrong)} false alarms on {len(here)} sound adapters, cases and dtypes")
    return lines
