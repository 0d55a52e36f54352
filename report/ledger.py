"""The ledger: what changed numerically from one version of a framework to the next."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

from report.document import Record, of_kind
from report.environments import KEY, Environment, age
from report.table import ORDER, Table, is_red, program, verdict

Key = tuple[str, ...]
# Programs of which a step of the ledger shows the numbers, those that moved most.
MOST_PROGRAMS = 20


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
    """What is different from one release to the next: keys of checks that both have, and how many only one has."""

    before: Release
    after: Release
    same: list[Key]
    bits: list[Key]
    verdicts: list[Key]
    gone: int
    new: int


def ledger(environments: Sequence[Environment]) -> list[tuple[str, list[Step]]]:
    """Return the steps of every backend that was judged in two environments or more, by version, python and name."""
    found = []
    names = {backend["name"]: None for environment in environments for backend in of_kind(environment.records, "backend")}
    for name in sorted(names):
        versions = releases(name, environments)
        if sum(len(release.environments) for release in versions) > 1:
            found.append((name, [step(one, other) for one, other in itertools.pairwise(versions)]))
    return found


def releases(backend: str, environments: Sequence[Environment]) -> list[Release]:
    """Return the versions of ``backend``, the oldest first; environments whose numbers are all the same are one."""
    found: list[Release] = []
    for environment in environments:
        versions = [record["version"] for record in of_kind(environment.records, "backend") if record["name"] == backend]
        checks = {key_of(check): check for check in of_kind(environment.records, "check") if check["backend"] == backend}
        if not versions or not checks:
            continue
        alike = (one for one in found if one.version == versions[0] and _alike(one.checks, checks))
        if same := next(alike, None):
            same.environments.append(environment)
            same.checks.update(checks)
        else:
            found.append(Release(backend, versions[0], [environment], checks))
    return sorted(found, key=lambda release: (age(release.version), release.place))


def key_of(check: Record) -> Key:
    return tuple(check[word] for word in ("dtype", *KEY))


def _alike(one: dict[Key, Record], other: dict[Key, Record]) -> bool:
    return all(not _differs(one[key], other[key]) for key in one.keys() & other.keys())


def _differs(one: Record, other: Record) -> bool:
    return verdict(one) != verdict(other) or one.get("bits") != other.get("bits")


def step(before: Release, after: Release) -> Step:
    """Compare two releases check by check."""
    one, other = before.checks, after.checks
    both = [key for key in one if key in other]
    verdicts = [key for key in both if verdict(one[key]) != verdict(other[key])]
    bits = [key for key in both if one[key].get("bits") != other[key].get("bits")]
    same = [key for key in both if not _differs(one[key], other[key])]
    return Step(before, after, same, bits, verdicts, len(one) - len(both), len(other) - len(both))


def overview(name: str, steps: Sequence[Step]) -> Table:
    """The steps of a backend in numbers."""
    heading = ["from", "to", "checks in both", "all bits the same", "other bits", "other verdict", "only before", "only after"]
    rows = [
        [
            *(_place(release, one) for release in (one.before, one.after)),
            *map(str, (len({*one.same, *one.bits, *one.verdicts}), len(one.same), len(one.bits), len(one.verdicts))),
            str(one.gone),
            str(one.new),
        ]
        for one in steps
    ]
    return Table(name, heading, rows)


def _place(release: Release, one: Step) -> str:
    on = f" on {release.processors}" if one.before.processors != one.after.processors else ""
    return f"{release.version} in {release.place}{on}"


def numbers(one: Step) -> Table:
    """The programs whose numbers moved most: how many of their checks have other bits, and their errors and drift."""
    programs: dict[tuple[str, str], list[Key]] = {}
    for key in one.bits:
        programs.setdefault((program(one.before.checks[key]), key[0]), []).append(key)
    drifts = _drifts(one)
    rows = []
    for (name, dtype), keys in programs.items():
        moved = max((_moved(one, key) for key in keys), default=0.0)
        errors = " → ".join(_worst(release, keys) for release in (one.before, one.after))
        rows.append((moved, [f"{name} {dtype}", str(len(keys)), f"{moved:.2g}", errors, drifts.get((name, dtype), "-")]))
    rows.sort(key=lambda row: -row[0])
    title = f"{one.before.version} → {one.after.version}"
    if len(rows) > MOST_PROGRAMS:
        title += f", the {MOST_PROGRAMS} of {len(rows)} programs that moved most"
    heading = ["program", "checks with other bits", "moved, in bounds", "worst error in ulp", "digits of the path at its end"]
    return Table(title, heading, [row for _, row in rows[:MOST_PROGRAMS]])


def _moved(one: Step, key: Key) -> float:
    """How far a check moved in parts of its bound: of one point its entries, of many the worst error."""
    before, after = (release.checks[key] for release in (one.before, one.after))
    single = before.get("rows") == after.get("rows") == 1
    sizes = len(before.get("got", ())), len(after.get("got", ()))
    # Of a large array there is one entry, the worst, which need not be the same.
    if single and sizes[0] == sizes[1] > 0 and (sizes[0] > 1 or before["where"] == after["where"]):
        columns = zip(
            *([float.fromhex(x) for x in column] for column in (before["got"], after["got"], before["bound"])), strict=True
        )
        return max(abs(a - b) / bound if bound else float(a != b) for a, b, bound in columns)
    return abs(float.fromhex(before.get("used", "0x0.0p+0")) - float.fromhex(after.get("used", "0x0.0p+0")))


def _worst(release: Release, keys: Sequence[Key]) -> str:
    errors = [float.fromhex(release.checks[key]["error_ulp"]) for key in keys if "error_ulp" in release.checks[key]]
    return f"{max(errors):.3g}" if errors else "-"


def _drifts(one: Step) -> dict[tuple[str, str], str]:
    """Map the programs whose path ends elsewhere to the digits that agree with the exact path, before and after."""
    found = {}
    for key in one.before.checks.keys() & one.after.checks.keys():
        before, after = (release.checks[key] for release in (one.before, one.after))
        if "drift" in before and "drift" in after and before["drift"]["end"] != after["drift"]["end"]:
            digits = (f"{float.fromhex(check['drift']['end']):.1f}" for check in (before, after))
            found[program(before), key[0]] = " → ".join(digits)
    return found


def changed(one: Step) -> list[str]:
    """Say which verdicts changed, the gravest first."""
    lines = []
    for key in one.verdicts:
        before, after = (release.checks[key] for release in (one.before, one.after))
        words = f"{verdict(before)} → {verdict(after)}"
        message = f": {after['message'] or before['message']}" if after["message"] or before["message"] else ""
        place = f"{program(after)} {after['dtype']}, {after['test']}, {after['quantity']}"
        lines.append(
            (
                -ORDER.index(verdict(after)),
                f"{one.after.backend} {one.before.version} → {one.after.version}: {place}: {words}{message}",
            )
        )
    return [line for _, line in sorted(lines)]


def changes(before: Sequence[Environment], after: Sequence[Environment]) -> tuple[list[str], bool]:
    """Return the changed verdicts of each environment, whatever versions it holds, and whether any became red.

    An environment that is there no more has no verdicts any more, which is as grave.
    """
    gone = sorted({environment.name for environment in before} - {environment.name for environment in after})
    lines, red = [f"{name}: it was judged before, and there are no results of it now" for name in gone], bool(gone)
    for environment in after:
        for one in before:
            if one.name != environment.name:
                continue
            for backend in of_kind(environment.records, "backend"):
                found = [release for part in (one, environment) for release in releases(backend["name"], [part])]
                if len(found) == 2:
                    between = step(*found)
                    lines += [f"{environment.name}: {line}" for line in changed(between)]
                    pairs = ([release.checks[key] for release in found] for key in between.verdicts)
                    red |= any(is_red(new) and not is_red(old) for old, new in pairs)
    return lines, red
