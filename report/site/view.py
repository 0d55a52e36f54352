"""What the pages show, as plain values: columns of releases, rows of programs, and a mark where they meet."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from report.document import Record, of_kind
from report.environments import Environment
from report.ledger import Release, releases
from report.table import ORDER, SIGNS, in_both_modes, in_short, judged_share, largest_share, program, worst
from vocabulary.cell import CONTRACT
from vocabulary.words import LEVELS, UNSUPPORTED


def slug(*words: object) -> str:
    """Return words as a part of a file name or an id: letters of ASCII, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", " ".join(map(str, words)).lower()).strip("-") or "x"


# The records of an environment by kind, backend and case, where they have them.
Index = Mapping[tuple[str, str, str], list[Record]]


def indexed(environment: Environment) -> Index:
    """Return the records of an environment, but for its checks, which a release has."""
    found: dict[tuple[str, str, str], list[Record]] = {}
    for record in environment.records:
        if record["kind"] != "check":
            backend = record["name"] if record["kind"] == "backend" else record.get("backend", "")
            found.setdefault((record["kind"], backend, record.get("case", "")), []).append(record)
    return found


@dataclasses.dataclass(frozen=True)
class Column:
    """A framework in a version, as it was judged in environments that all gave the same."""

    id: str
    release: Release
    index: Index

    @property
    def backend(self) -> str:
        return self.release.backend

    @property
    def version(self) -> str:
        return self.release.version

    def of_kind(self, kind: str, case: str) -> list[Record]:
        """Return the records of a kind that belong to this backend and a case."""
        return self.index.get((kind, self.backend, case), [])

    @property
    def description(self) -> Record:
        """What the backend says of itself."""
        return next(iter(self.index.get(("backend", self.backend, ""), ())), {})

    def vector(self, case: str, dtype: str) -> Record | None:
        """The inputs and exact answers of a case."""
        return next((each for each in self.index.get(("vector", "", case), ()) if each["dtype"] == dtype), None)


@dataclasses.dataclass(frozen=True)
class Mark:
    """All checks of a column in a program and a dtype."""

    column: Column
    dtype: str
    checks: list[Record]

    @cached_property
    def word(self) -> str:
        return worst(self.checks)

    @property
    def sign(self) -> str:
        return SIGNS[self.word]

    @property
    def share(self) -> float | None:
        """The largest share of a bound that an error takes."""
        return largest_share(self.checks)

    @property
    def ulp(self) -> float | None:
        return max((float.fromhex(check["error_ulp"]) for check in self.checks if "error_ulp" in check), default=None)

    @property
    def judged(self) -> float:
        """The smallest part judged of the points or steps of a check."""
        return min(map(judged_share, self.checks))

    @property
    def modes(self) -> list[str]:
        return sorted({check["mode"] for check in self.checks})

    @property
    def level(self) -> str:
        return str(self.checks[0]["level"])

    @property
    def short(self) -> str:
        """What stands in the cell: the sign, and how much of a bound is used."""
        return self.sign if self.share is None else f"{self.sign} {in_short(self.share)}"

    @property
    def words(self) -> str:
        """The same for a reader who hears it."""
        part = "" if self.judged == 1 else f", {100 * self.judged:.0f} % judged"
        return f"{self.column.backend} {self.column.version} {self.dtype}: {self.word}{part}"

    @property
    def id(self) -> str:
        return slug(self.column.id, self.level, *(self.modes if len(self.modes) == 1 else []), self.dtype)


@dataclasses.dataclass(frozen=True)
class Row:
    """A program: a case at a level, and in a mode where some backend was judged in both."""

    case: str
    name: str
    level: str
    marks: dict[str, list[Mark]]

    @property
    def differing(self) -> list[str]:
        """The dtypes in which the frameworks that have the level got different verdicts."""
        return sorted(dtype for dtype, found in self._words.items() if len(found) > 1)

    def is_alone(self, mark: Mark) -> bool:
        """Whether all others, of two at least, got one verdict, and this column another."""
        found = self._words.get(mark.dtype, Counter())
        return len(found) == 2 and found[mark.word] == 1 and found.total() > 2

    @cached_property
    def _words(self) -> dict[str, Counter[str]]:
        """How many columns that have the level got each verdict, in each dtype."""
        found: dict[str, Counter[str]] = {}
        for mark in (mark for marks in self.marks.values() for mark in marks if mark.word != UNSUPPORTED):
            found.setdefault(mark.dtype, Counter())[mark.word] += 1
        return found


@dataclasses.dataclass(frozen=True)
class View:
    """All that was found: the columns, and the rows of every case, the contract first."""

    environments: Sequence[Environment]
    columns: list[Column]
    rows: dict[str, list[Row]]
    cases: dict[str, Record]

    @property
    def dtypes(self) -> list[str]:
        return sorted({check["dtype"] for check in self.checks})

    @property
    def checks(self) -> Iterator[Record]:
        return (check for column in self.columns for check in column.release.checks.values())

    @cached_property
    def words(self) -> dict[str, int]:
        """How many marks have each verdict, those of every verdict that occurs."""
        marks = (mark for rows in self.rows.values() for row in rows for found in row.marks.values() for mark in found)
        found = Counter(mark.word for mark in marks)
        return {word: found[word] for word in ORDER if word in found}


def viewed(environments: Sequence[Environment]) -> View:
    """Put the checks of all environments into rows and columns."""
    columns = list(_columns(releases(environments)))
    split = in_both_modes([check for column in columns for check in column.release.checks.values()])
    found: dict[tuple[str, str, str], dict[str, dict[str, list[Record]]]] = {}
    for column in columns:
        for check in column.release.checks.values():
            key = check["case"], program(check, split), check["level"]
            found.setdefault(key, {}).setdefault(column.id, {}).setdefault(check["dtype"], []).append(check)
    by_id = {column.id: column for column in columns}
    rows: dict[str, list[Row]] = {}
    for case, name, level in sorted(found, key=lambda key: (key[0] != CONTRACT, key[0], LEVELS.index(key[2]), key[1])):
        marks = {
            id: [Mark(by_id[id], dtype, checks) for dtype, checks in sorted(each.items())]
            for id, each in found[case, name, level].items()
        }
        rows.setdefault(case, []).append(Row(case, name, level, marks))
    cases = {case["name"]: case for environment in environments for case in of_kind(environment.records, "case")}
    return View(environments, columns, rows, cases)


def _columns(found: Iterable[Release]) -> Iterator[Column]:
    taken: Counter[str] = Counter()
    indexes: dict[str, Index] = {}
    for release in found:
        environment = release.environments[0]
        if environment.name not in indexes:
            indexes[environment.name] = indexed(environment)
        name = slug(release.backend, release.version)
        taken[name] += 1
        yield Column(name if taken[name] == 1 else f"{name}-{taken[name]}", release, indexes[environment.name])


def families(rows: Mapping[str, list[Row]]) -> dict[str, list[str]]:
    """Group the cases that have rows by the first word of their names, which is that of the program."""
    groups: dict[str, list[str]] = {}
    for name in rows:
        groups.setdefault(name.partition("-")[0], []).append(name)
    return groups
