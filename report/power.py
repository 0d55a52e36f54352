"""The power of judges: how many planted faults each finds, and which it does not."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from report.document import Record, of_kind
from report.table import Table

SUITE = "this suite"
# In place of a test: the adapter raised, died or hung. No verdict, so no kill.
EXCEPTION = "exception"


@dataclasses.dataclass(frozen=True)
class Tally:
    """The faults that each judge was given in each dtype and those that it found, and those that the suite saw change a bit."""

    given: dict[tuple[str, str], set[str]]
    killed: dict[tuple[str, str], set[str]]
    visible: dict[str, set[str]]

    @classmethod
    def of(cls, kills: Iterable[Record]) -> Tally:
        tally = cls(defaultdict(set), defaultdict(set), defaultdict(set))
        for kill in kills:
            fault, whose = kill["fault"], (kill["judge"], kill["dtype"])
            tally.given[whose].add(fault)
            if {*kill["caught"]} - {EXCEPTION}:
                tally.killed[whose].add(fault)
            if kill["visible"]:
                tally.visible[kill["dtype"]].add(fault)
        return tally

    def counts(self, judge: str, dtype: str, names: set[str] | None = None) -> str:
        """Return killed / visible of all faults or those ``names``; visible is what the suite saw change, whoever judges."""
        given, killed, visible = self.given[judge, dtype], self.killed[judge, dtype], self.visible[dtype]
        if names is not None:
            given, visible = given & names, visible & names
        return f"{len(killed & visible)} / {len(visible)}" if given else "-"


def score(records: Sequence[Record]) -> list[Table]:
    """Return killed / visible faults per family and dtype; beside other judges, of all on the cases that those were given.

    A fault is visible in a dtype if it changes a bit of what is judged on any case, and killed if it is caught on any.
    """
    kills, families = _by_fault(records)
    planted = [kill for kill in kills if kill["fault"] in families]
    dtypes = list(dict.fromkeys(kill["dtype"] for kill in kills))
    members: dict[str, set[str]] = {}
    for name, family in families.items():
        members.setdefault(family, set()).add(name)
    tally = Tally.of(planted)
    rows = [
        [family, str(len(names)), *(tally.counts(SUITE, dtype, names) for dtype in dtypes)] for family, names in members.items()
    ]
    rows.append(["all", str(len(families)), *(tally.counts(SUITE, dtype) for dtype in dtypes)])
    tables = [Table("faults killed / visible", ["family", "faults", *dtypes], rows)]
    others = sorted({kill["judge"] for kill in kills} - {SUITE})
    if others:
        common = {kill["case"] for kill in kills if kill["judge"] != SUITE}
        tally = Tally.of(kill for kill in planted if kill["case"] in common)
        rows = [[judge, *(tally.counts(judge, dtype) for dtype in dtypes)] for judge in (SUITE, *others)]
        tables.append(Table(f"faults killed / visible on {len(common)} cases", ["judge", *dtypes], rows))
    return tables


def _by_fault(records: Sequence[Record]) -> tuple[list[Record], dict[str, str]]:
    return list(of_kind(list(records), "kill")), {fault["name"]: fault["family"] for fault in of_kind(list(records), "fault")}


def _of_suite(kills: Sequence[Record], families: Iterable[str]) -> dict[tuple[str, str], list[Record]]:
    """What became of each fault in each dtype before this suite, on every case."""
    dtypes = dict.fromkeys(kill["dtype"] for kill in kills)
    found: dict[tuple[str, str], list[Record]] = {(name, dtype): [] for name in families for dtype in dtypes}
    for kill in kills:
        if kill["judge"] == SUITE and kill["fault"] in families:
            found[kill["fault"], kill["dtype"]].append(kill)
    return found


def matrix(records: Sequence[Record]) -> Table:
    """Return for each fault and dtype on how many cases it is visible and killed, and which tests catch it how often."""
    kills, families = _by_fault(records)
    rows = []
    for (name, dtype), found in _of_suite(kills, families).items():
        visible = [kill for kill in found if kill["visible"]]
        by_test = Counter(test for kill in visible for test in kill["caught"])
        tests = ", ".join(f"{test} {count}" for test, count in sorted(by_test.items()))
        killed = sum(bool(kill["caught"]) for kill in visible)
        rows.append([families[name], name, dtype, f"{killed} / {len(visible)}", tests or "-"])
    return Table("kill matrix: cases killed / visible", ["family", "fault", "dtype", "cases", "caught by"], rows)


def survivors(records: Sequence[Record]) -> list[str]:
    """Say of every fault that the suite lets live in a dtype why, and which faults no case sees."""
    lines = []
    for (name, dtype), found in _of_suite(*_by_fault(records)).items():
        visible = [kill for kill in found if kill["visible"]]
        if found and not visible:
            lines.append(f"{name} {dtype}: changes no bit of anything that is judged")
        elif visible and not any({*kill["caught"]} - {EXCEPTION} for kill in visible):
            lines += [f"{name} {dtype} {kill['case']}: {kill['note'] or 'only raises or dies'}" for kill in visible]
    return lines


def false_alarms(records: Sequence[Record]) -> list[str]:
    """Say on how many cases each judge calls a sound adapter wrong."""
    kills, families = _by_fault(records)
    sound = [kill for kill in kills if kill["fault"] not in families]
    given = Counter(kill["judge"] for kill in sound)
    wrong = Counter(kill["judge"] for kill in sound if kill["caught"])
    return [
        f"{judge}: {wrong[judge]} false alarms on {count} sound adapters, cases and dtypes" for judge, count in given.items()
    ]
