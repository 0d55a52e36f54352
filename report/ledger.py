"""The ledger: what changed numerically from one version of a framework to the next."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from report.document import Record
from report.environments import Environment, age
from report.table import ORDER, Table, is_red, program, verdict

Key = tuple[str, ...]
# Programs of which a step of the ledger shows the numbers, those that moved most; changed verdicts that the page names of a
# step, the gravest; and how much is quoted of a message. A step summary of GitHub holds a mebibyte.
MOST_PROGRAMS = 20
MOST_VERDICTS = 50
QUOTED = 300
# What tells one check of a backend from another: the test that it belongs to, and what it judges there.
KEY = ("dtype", "case", "level", "test", "quantity")


@dataclasses.dataclass(frozen=True)
class Release:
    """A version of a framework as it was judged in ``environments``, which all gave the same bits and verdicts."""

    backend: str
    version: str
    environments: list[Environment]
    checks: dict[Key, Record]

    @property
    def place(self) -> str:
        """Where it ran: the environments, and what besides the framework can change numbers."""
        facts = ("Python", self._facts("python")), ("numpy", self._facts("numpy"))
        words = ", ".join(f"{what} {' and '.join(values)}" for what, values in facts)
        return f"{', '.join(environment.name for environment in self.environments)} ({words})"

    @property
    def processors(self) -> str:
        return " and ".join(self._facts("cpu"))

    def _facts(self, what: str) -> list[str]:
        found: dict[str, None] = {}
        for run in (run for environment in self.environments for run in environment.runs):
            known = {"python": run["python"], "numpy": run["packages"].get("numpy", "unknown"), "cpu": run["cpu"]["model"]}
            found[known[what]] = None
        return list(found)


@dataclasses.dataclass(frozen=True)
class Step:
    """What is different from one release to the next.

    ``pairs`` are the checks that both have, ``gone`` and ``new`` those of tests that only one has. A test that did not judge
    the same quantities in both, as one that crashed, is one pair: its worst check before and after.
    """

    before: Release
    after: Release
    pairs: dict[Key, tuple[Record, Record]]
    gone: list[Record]
    new: list[Record]

    @property
    def verdicts(self) -> list[Key]:
        return [key for key, (one, other) in self.pairs.items() if verdict(one) != verdict(other)]

    @property
    def bits(self) -> list[Key]:
        return [key for key, (one, other) in self.pairs.items() if one.get("bits") != other.get("bits")]

    @property
    def same(self) -> list[Key]:
        return [key for key, (one, other) in self.pairs.items() if not _differs(one, other)]


def ledger(environments: Sequence[Environment]) -> list[tuple[str, list[Step]]]:
    """Return the steps of every backend that was judged in two environments or more, by version, python and name.

    Environments of which a part is lost have no place in it.
    """
    found: dict[str, list[Release]] = {}
    for environment in environments:
        if not environment.lost:
            for release in released(environment):
                _add(found.setdefault(release.backend, []), release)
    steps = []
    for name, releases in sorted(found.items()):
        releases.sort(key=lambda release: (age(release.version), release.place))
        if sum(len(release.environments) for release in releases) > 1:
            steps.append((name, [step(one, other) for one, other in itertools.pairwise(releases)]))
    return steps


def released(environment: Environment) -> list[Release]:
    """Return the backends of one environment; one that could not be imported has no version, and its checks say why."""
    versions = environment.versions
    return [
        Release(name, versions.get(name, "unknown"), [environment], {_key(check): check for check in checks})
        for name, checks in environment.checks.items()
    ]


def _add(releases: list[Release], release: Release) -> None:
    """Environments whose numbers are all the same are one release."""
    for one in releases:
        alike = one.version == release.version and one.checks.keys() == release.checks.keys()
        if alike and not any(_differs(check, release.checks[key]) for key, check in one.checks.items()):
            one.environments.extend(release.environments)
            return
    releases.append(release)


def _key(check: Record) -> Key:
    return tuple(check[word] for word in KEY)


def _differs(one: Record, other: Record) -> bool:
    return verdict(one) != verdict(other) or one.get("bits") != other.get("bits")


def step(before: Release, after: Release) -> Step:
    """Compare two releases test by test."""
    sides: list[dict[Key, dict[Key, Record]]] = []
    for release in (before, after):
        tests: dict[Key, dict[Key, Record]] = {}
        for key, check in release.checks.items():
            tests.setdefault(key[:-1], {})[key] = check
        sides.append(tests)
    one, other = sides
    pairs: dict[Key, tuple[Record, Record]] = {}
    for test in one.keys() & other.keys():
        if one[test].keys() == other[test].keys():
            pairs |= {key: (check, other[test][key]) for key, check in one[test].items()}
        else:
            worst = (max(side[test].values(), key=lambda check: ORDER.index(verdict(check))) for side in sides)
            pairs[*test, ""] = tuple(worst)  # type: ignore[assignment]
    gone, new = ([c for test in a.keys() - b.keys() for c in a[test].values()] for a, b in ((one, other), (other, one)))
    return Step(before, after, dict(sorted(pairs.items())), gone, new)


def overview(name: str, steps: Sequence[Step]) -> Table:
    """The steps of a backend in numbers."""
    heading = ["from", "to", "checks in both", "all bits the same", "other bits", "other verdict", "only before", "only after"]
    rows = [
        [
            *(_place(release, one) for release in (one.before, one.after)),
            *map(str, map(len, (one.pairs, one.same, one.bits, one.verdicts, one.gone, one.new))),
        ]
        for one in steps
    ]
    return Table(name, heading, rows)


def _place(release: Release, one: Step) -> str:
    on = f" on {release.processors}" if one.before.processors != one.after.processors else ""
    return f"{release.version} in {release.place}{on}"


def numbers(one: Step) -> Table:
    """The programs whose numbers moved most: how many of their checks have other bits, and their errors and drift."""
    programs: dict[tuple[str, str], list[tuple[Record, Record]]] = {}
    for key in one.bits:
        before, after = one.pairs[key]
        programs.setdefault((program(before), before["dtype"]), []).append((before, after))
    drifts = _drifts(one)
    rows = []
    for (name, dtype), pairs in programs.items():
        moved = max(_moved(*pair) for pair in pairs)
        errors = " → ".join(_worst(side) for side in zip(*pairs, strict=True))
        drift = drifts.get((name, dtype), "-")
        rows.append((moved, [f"{name} {dtype}", str(len(pairs)), f"{moved:.2g}", errors, drift]))
    rows.sort(key=lambda row: -row[0])
    title = f"{one.before.version} → {one.after.version}"
    if len(rows) > MOST_PROGRAMS:
        title += f", the {MOST_PROGRAMS} of {len(rows)} programs that moved most"
    heading = ["program", "checks with other bits", "moved, in bounds", "worst error in ulp", "digits of the path at its end"]
    return Table(title, heading, [row for _, row in rows[:MOST_PROGRAMS]])


def _moved(before: Record, after: Record) -> float:
    """How far a check moved in parts of its bound: of one point its entries, of many the worst error."""
    single = before.get("rows") == after.get("rows") == 1
    sizes = len(before.get("got", ())), len(after.get("got", ()))
    # Of a large array there is one entry, the worst, which need not be the same.
    if single and sizes[0] == sizes[1] > 0 and (sizes[0] > 1 or before.get("where") == after.get("where")):
        columns = ([float.fromhex(x) for x in column] for column in (before["got"], after["got"], before["bound"]))
        return max(abs(a - b) / bound if bound else float(a != b) for a, b, bound in zip(*columns, strict=True))
    return abs(float.fromhex(before.get("used", "0x0.0p+0")) - float.fromhex(after.get("used", "0x0.0p+0")))


def _worst(checks: Sequence[Record]) -> str:
    errors = [float.fromhex(check["error_ulp"]) for check in checks if "error_ulp" in check]
    return f"{max(errors):.3g}" if errors else "-"


def _drifts(one: Step) -> dict[tuple[str, str], str]:
    """Map the programs whose path ends elsewhere to the digits that agree with the exact path, before and after."""
    found = {}
    for before, after in one.pairs.values():
        if "drift" in before and "drift" in after and before["drift"]["end"] != after["drift"]["end"]:
            digits = (f"{float.fromhex(check['drift']['end']):.1f}" for check in (before, after))
            found[program(before), before["dtype"]] = " → ".join(digits)
    return found


def changed(one: Step) -> list[str]:
    """Say which verdicts changed, the gravest first."""
    lines = []
    for before, after in (one.pairs[key] for key in one.verdicts):
        message = (after["message"] or before["message"])[:QUOTED]
        words = f"{verdict(before)} → {verdict(after)}{': ' if message else ''}{message}"
        lines.append((-ORDER.index(verdict(after)), f"{one.before.version} → {one.after.version}: {_named(after)}: {words}"))
    return [f"{one.after.backend} {line}" for _, line in sorted(lines)]


def named(lines: list[str]) -> list[str]:
    """Return as many lines as a page names, and how many more there are."""
    more = len(lines) - MOST_VERDICTS
    return [*lines[:MOST_VERDICTS], *([f"and {more} changed verdicts more"] if more > 0 else [])]


def _named(check: Record) -> str:
    return f"{program(check)} {check['dtype']}, {check['test']}, {check['quantity']}"


def changes(before: Sequence[Environment], after: Sequence[Environment]) -> tuple[list[str], bool]:
    """Return the changed verdicts of each environment, whatever versions it holds, and whether any became red.

    What was judged before and is not now is as grave: an environment, a part of it, a backend or a test. What is new is said
    where it is red.
    """
    lines, red = [], False
    known = {environment.name: {one.backend: one for one in released(environment)} for environment in before}
    for name in sorted(known.keys() - {environment.name for environment in after}):
        lines.append(f"{name}: it was judged before, and there are no results of it now")
        red = True
    for environment in after:
        lost = list(environment.lost)
        now = {one.backend: one for one in released(environment)}
        olds = known.get(environment.name, {})
        lost += [f"{backend} was judged before, and is not now" for backend in sorted(olds.keys() - now.keys())]
        found = []
        for backend, release in now.items():
            one = step(olds.get(backend, Release(backend, "none", [], {})), release)
            found += changed(one)
            found += [
                f"{backend} {release.version}: {_named(c)}: {verdict(c)}, and new: {c['message'][:QUOTED]}"
                for c in one.new
                if is_red(c)
            ]
            lost += [f"{backend} has {len(one.gone)} checks less, of tests that were judged before"] if one.gone else []
            red |= any(map(is_red, one.new))
            red |= any(is_red(new) and not is_red(old) for old, new in one.pairs.values())
        red |= bool(lost)
        lines += [f"{environment.name}: {line}" for line in (*lost, *found)]
    return lines, red
