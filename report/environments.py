"""Results files put together: the shards of one environment, and the environments of a matrix."""

from __future__ import annotations

import dataclasses
import json
import os
import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from packaging.version import Version

from report.consistency import crowd
from report.document import DocumentError, Record, few, of_kind, printable, read
from report.schema import QUOTE
from report.table import ORDER, Table, counts
from vocabulary.cell import CONTRACT, Cell

MOST_NAMED = 20
Named = tuple[str, Record]
# The cell of a test, without a mode, and what it judges.
Test = tuple[Cell, str]


class Key(NamedTuple):
    """What tells one check from another: its cell, the test that it belongs to, and the quantity that is judged there."""

    cell: Cell
    test: str
    quantity: str

    @classmethod
    def of(cls, check: Record) -> Key:
        return cls(Cell.of(check), check["test"], check["quantity"])

    @property
    def whole_test(self) -> Test:
        """The test, whatever its mode: one that gives no answer may not have come to what is compiled."""
        return dataclasses.replace(self.cell, mode=""), self.test


class NoResults(DocumentError):
    """A folder that holds no results file."""


class NotRun(DocumentError):
    """An empty file in a folder: the environment ``name``, which was to write it, has not run."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(printable(f"{path}: empty: what was to write it has not run"))
        self.name = Path(path).name.partition(".json")[0]


@dataclasses.dataclass(frozen=True)
class Environment:
    """All that was found in one environment.

    ``name`` is the tox environment. A run outside tox has the name of its file, or of the folder of its shards. ``runs`` say
    where and how each of ``files`` was made. ``lost`` holds a phrase for each part that is missing.
    """

    name: str
    files: list[str]
    runs: list[Record]
    records: list[Record]
    lost: list[str]

    @property
    def asked(self) -> list[str]:
        """The backends that the run was asked for."""
        return list(self.runs[0].get("backends", ()))

    @property
    def only(self) -> list[str]:
        """The options by which the run was asked for a part of the cases, dtypes, levels or tests."""
        plan = self.runs[0].get("plan", {})
        return [*plan.get("only", ()), *plan.get("tests", ())]

    def asked_for(self, check: Record) -> bool:
        """Whether the run was asked for the program of ``check``. Of a file that does not say so nothing is known."""
        plan = self.runs[0].get("plan")
        return plan is None or (
            check["dtype"] in plan["dtypes"]
            and (check["case"] == CONTRACT or (check["case"] in self._cases and check["level"] in plan["levels"]))
        )

    @cached_property
    def _cases(self) -> set[str]:
        return {case["name"] for case in of_kind(self.records, "case")}

    @cached_property
    def versions(self) -> dict[str, str]:
        """The version of every backend: what it says itself, or what is installed of one that cannot be imported."""
        installed = {name: packages[name] for name, packages in self.packages.items() if name in packages}
        return installed | {backend["name"]: backend["version"] for backend in of_kind(self.records, "backend")}

    @property
    def packages(self) -> dict[str, dict[str, str]]:
        """The installed versions of the packages that make up every backend."""
        return dict(self.runs[0].get("made_of", {}))

    @cached_property
    def checks(self) -> dict[str, list[Record]]:
        """The checks of every backend."""
        return _by_backend(self.records)


def gathered(paths: Sequence[str | Path]) -> tuple[list[Environment], list[DocumentError]]:
    """Read results files, or those in folders, in any order; return the environments, and why any file has no part in them.

    Two files of one environment contradict each other, unless they are different shards of one run. Then neither is read: the
    report cannot know which one was meant.
    """
    errors: list[DocumentError] = []
    documents: dict[str, list[Named]] = {}
    for given in paths:
        folder = Path(given) if os.path.isdir(given) else None
        inside = sorted((*folder.rglob("*.json"), *folder.rglob("*.json.gz"))) if folder else [given]
        if not inside:
            errors.append(NoResults(printable(f"{given}: no results files in this folder (*.json)")))
        for path in inside:
            if folder and os.path.isfile(path) and not os.path.getsize(path):
                errors.append(NotRun(path))
                continue
            try:
                document = read(path)
            except DocumentError as error:
                errors.append(error)
            else:
                documents.setdefault(_name(path, document["run"]), []).append((str(path), document))
    environments = []
    for name, parts in sorted(documents.items()):
        if fault := _contradiction(parts):
            files = ", ".join(file for file, _ in parts)
            errors.append(DocumentError(printable(f"{files}: environment {name!r}: {fault}")))
        else:
            environments.append(_merged(name, sorted(parts, key=_number)))
    return environments, errors


def _name(path: str | Path, run: Record) -> str:
    alone = str(path) if "shard" not in run else f"shards in {Path(path).parent}"
    return str(run.get("environment", alone))


def age(version: str) -> tuple[int, Version | str]:
    """Return what orders versions, whatever a file says in place of one."""
    try:
        return 1, Version(version.split()[-1])
    except (ValueError, IndexError):  # InvalidVersion is one, and a number of thousands of digits another
        return 0, version


def matrix_of(environments: Sequence[Environment], absent: Iterable[str]) -> Table:
    """Framework by version: where each ran, on what, and how its checks ended; and what did not run."""
    heading = ["backend", "version", "environment", "Python", "numpy", "checks", *ORDER]
    places: dict[tuple[str, ...], list[str]] = {}  # numpy runs beside every framework: told once where it ended alike
    none = ["not run", *("-" for _ in ORDER)]
    for environment in environments:
        run = environment.runs[0]
        versions = environment.versions
        name = f"{environment.name} (not all)" if environment.lost else environment.name
        for backend in dict.fromkeys([*environment.checks, *environment.asked]):
            found = counts(environment.checks.get(backend, []))
            numbers = [str(found.total()), *(str(found[word]) for word in ORDER)] if found else none
            numpy = run["packages"].get("numpy", "unknown")
            facts = (backend, versions.get(backend, "unknown"), run["python"], numpy, *numbers)
            places.setdefault(facts, []).append(name)
    rows = [[*facts[:2], ", ".join(names), *facts[2:]] for facts, names in places.items()]
    rows.sort(key=lambda row: (row[0], age(row[1]), row[2]))
    rows += [["-", "-", name, "-", "-", *none] for name in absent]
    return Table("environments", heading, rows)


def _by_backend(records: list[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for check in of_kind(records, "check"):
        found.setdefault(check["backend"], []).append(check)
    return found


def _number(part: Named) -> int:
    return int(_shard(part)["number"])


def _shard(part: Named) -> Record:
    shard: Record = part[1]["run"].get("shard", {"number": 1, "of": 1})
    return shard


def _contradiction(parts: Sequence[Named]) -> str:
    """Why ``parts`` cannot be shards of one run, or nothing."""
    sizes = sorted({_shard(part)["of"] for part in parts})
    if len(sizes) > 1:
        return f"its files are shards of {' and of '.join(map(str, sizes))}; give those of one run"
    (number, times), *_ = Counter(map(_number, parts)).most_common(1)
    if times > 1:
        what = f"shard {number} of {sizes[0]} is" if sizes[0] > 1 else "it is"
        return f"{what} in {times} of these files; give one of them"
    (first, document), *others = parts
    facts = _in_common(document)
    for file, other in others:
        for what, fact in _in_common(other).items():
            if fact != facts[what]:
                told = f"{reprlib.repr(facts[what])} and {reprlib.repr(fact)}"
                return f"{first} and {file} are shards of different runs: {what} {told}"
    return _twice(parts) or next(
        (fault for _, fault in crowd([c for _, d in parts for c in of_kind(d["records"], "check")])), ""
    )


def _in_common(document: Record) -> dict[str, object]:
    """What the shards of one run have in common."""
    run = document["run"]
    cases = [case["name"] for case in of_kind(document["records"], "case")]
    facts = {what: run.get(what) for what in ("backends", "plan", "packages", "made_of", "settings")}
    return facts | {"cases": cases, "Python": run["python"].split(".")[:2]}


def _twice(parts: Sequence[Named]) -> str:
    """Which version or check is told twice, or nothing."""
    versions: dict[str, tuple[str, str]] = {}
    seen: set[Key] = set()
    for file, document in parts:
        for backend in of_kind(document["records"], "backend"):
            first, before = versions.setdefault(backend["name"], (file, backend["version"]))
            if first != file and before != backend["version"]:
                return f"its shards have {backend['name']} {before} and {backend['version']}"
        for check in of_kind(document["records"], "check"):
            key = Key.of(check)
            if key in seen:
                twice = "the same check twice" if len(parts) == 1 else "a check that is in another shard or twice in it"
                return f"{file} has {twice}: {QUOTE.repr(f'{key.cell} {key.test} {key.quantity}')}"
            seen.add(key)
    return ""


def _shards(numbers: list[int], of: int) -> str:
    several, are = ("s", "are") if len(numbers) > 1 else ("", "is")
    return f"shard{several} {few([*map(str, numbers)], MOST_NAMED)} of {of} {are}"


def _merged(name: str, parts: Sequence[Named]) -> Environment:
    of = _shard(parts[0])["of"]
    missing = sorted({*range(1, of + 1)} - {_number(part) for part in parts})
    lost = [f"{_shards(missing, of)} missing"] if missing else []
    if unfinished := [_number(part) for part in parts if not part[1]["complete"]]:
        lost.append(f"{_shards(unfinished, of) if of > 1 else 'the run is'} not finished")
    records: list[Record] = []
    told: set[str] = set()  # which every shard tells
    for record in (record for _, document in parts for record in document["records"]):
        if record["kind"] in ("backend", "case"):
            text = json.dumps(record, sort_keys=True)
            if text in told:
                continue
            told.add(text)
        records.append(record)
    run = parts[0][1]["run"]
    checked = _by_backend(records)
    # Of tests that were chosen, as those of the suite itself, there may be none that judges anything.
    if not lost and (checked or not run.get("plan", {"tests": True})["tests"]):
        absent = sorted({*run.get("backends", ())} - checked.keys()) or _unjudged(run, records)
        lost += [f"asked for and never judged: {few(absent, MOST_NAMED)}"] if absent else []
    return Environment(name, [file for file, _ in parts], [document["run"] for _, document in parts], records, lost)


def _unjudged(run: Record, records: list[Record]) -> list[str]:
    """The programs without any check, of a run that was asked for all tests of what it was asked for."""
    if "plan" not in run or run["plan"]["tests"]:
        return []
    found = {(check["backend"], check["case"], check["level"], check["dtype"]) for check in of_kind(records, "check")}
    return [
        " ".join((backend, case["name"], level, dtype))
        for backend in run.get("backends", ())
        for case in of_kind(records, "case")
        for level in run["plan"]["levels"]
        for dtype in run["plan"]["dtypes"]
        if not case["levels"].get(level, "unknown") and (backend, case["name"], level, dtype) not in found
    ]
