"""The power of judges: how many planted faults each finds, and which it does not."""

from __future__ import annotations

from collections.abc import Sequence

from report.document import Record, of_kind
from report.table import Table

SUITE = "this suite"


def score(records: Sequence[Record]) -> list[Table]:
    """Return killed / visible faults per family and dtype, one table a judge, the suite first.

    A fault is visible in a dtype if it changes a bit of what is judged on any case, and killed if it is caught on any.
    """
    kills, families = _by_fault(records)
    judges = sorted({kill["judge"] for kill in kills}, key=lambda judge: (judge != SUITE, judge))
    dtypes = list(dict.fromkeys(kill["dtype"] for kill in kills))
    tables = []
    for judge in judges:
        rows = []
        for family in [*dict.fromkeys(families.values()), ""]:
            names = [name for name in families if family in ("", families[name])]
            cells = [f"{killed} / {visible}" for killed, visible in (_counts(kills, judge, names, dtype) for dtype in dtypes)]
            rows.append([family or "all", str(len(names)), *cells])
        tables.append(Table(f"{judge}: faults killed / visible", ["family", "faults", *dtypes], rows))
    return tables


def _by_fault(records: Sequence[Record]) -> tuple[list[Record], dict[str, str]]:
    return list(of_kind(list(records), "kill")), {fault["name"]: fault["family"] for fault in of_kind(list(records), "fault")}


def _counts(kills: Sequence[Record], judge: str, names: Sequence[str], dtype: str) -> tuple[int, int]:
    """Visible is what the suite saw change: other judges are measured on the same faults."""
    wanted = set(names)
    visible = {kill["fault"] for kill in kills if kill["visible"] and kill["dtype"] == dtype and kill["fault"] in wanted}
    killed = {kill["fault"] for kill in kills if kill["judge"] == judge and kill["caught"] and kill["dtype"] == dtype}
    return len(killed & visible), len(visible)


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
            elif visible and not any(kill["caught"] for kill in visible):
                lines += [f"{name} {dtype} {kill['case']}: {kill['note']}" for kill in visible]
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
