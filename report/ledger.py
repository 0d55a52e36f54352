"""The ledger: what changed numerically from one version of a framework to the next."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence

from report.document import Record
from report.environments import KEY, Environment, age
from report.table import ORDER, RED, Table, is_red, program, verdict

Key = tuple[str, ...]
# Programs of which a step of the ledger shows the numbers, those that moved most; changed verdicts that the page names of a
# step, the gravest; and how much is quoted of a message. A step summary of GitHub holds a mebibyte.
MOST_PROGRAMS = 20
MOST_VERDICTS = 50
QUOTED = 300


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
        words = ", ".join(f"{what} {self.beside[what]}" for what in ("Python", "numpy"))
        return f"{', '.join(environment.name for environment in self.environments)} ({words})"

    @property
    def processors(self) -> str:
        return _joined(run["cpu"]["model"] for run in self._runs)

    @property
    def beside(self) -> dict[str, str]:
        """The versions of what besides the framework can change numbers."""
        parts = [run.get("made_of", {}).get(self.backend, {}) for run in self._runs]
        names = {name: None for part in parts for name in part if name != self.backend}
        found = {name: _joined(part[name] for part in parts if name in part) for name in names}
        numpy = _joined(run["packages"].get("numpy", "unknown") for run in self._runs)
        return found | {"numpy": numpy, "Python": _joined(run["python"] for run in self._runs)}

    def asked_for(self, check: Record) -> bool:
        return not self.environments or any(environment.asked_for(check) for environment in self.environments)

    @property
    def _runs(self) -> list[Record]:
        return [run for environment in self.environments for run in environment.runs]


def _joined(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(words))


@dataclasses.dataclass(frozen=True)
class Step:
    """What is different from one release to the next.

    ``pairs`` are the checks that both have, ``gone`` and ``new`` those that only one has, as far as both were asked for their
    programs. A test of which no quantity was judged in both, as one that crashed, is one pair: its worst checks.
    """

    before: Release
    after: Release
    pairs: dict[Key, tuple[Record, Record]]
    gone: list[Record]
    new: list[Record]

    @property
    def title(self) -> str:
        """From which version to which, and what else is of another version."""
        one, other = self.before.beside, self.after.beside
        others = [
            f"{name} {one[name]} → {other[name]}" for name in sorted(one.keys() & other.keys()) if one[name] != other[name]
        ]
        versions = " → ".join(dict.fromkeys((self.before.version, self.after.version)))
        return versions + (f" (also {', '.join(others)})" if others else "")

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
    """Return the steps of every backend that was judged in two environments or more, from the oldest release on.

    Environments of which a part is lost have no place in it.
    """
    found: dict[str, list[Release]] = {}
    for environment in environments:
        if not environment.lost:
            for release in released(environment):
                _add(found.setdefault(release.backend, []), release)
    steps = []
    for name, releases in sorted(found.items()):
        releases.sort(key=_order)
        if sum(len(release.environments) for release in releases) > 1:
            steps.append((name, [step(one, other) for one, other in itertools.pairwise(releases)]))
    return steps


def _order(release: Release) -> tuple[object, ...]:
    """Releases of one version go by what else is new, so that a change is seen beside its cause."""
    beside = release.beside
    return age(release.version), age(beside["numpy"]), age(beside["Python"]), release.place


def released(environment: Environment) -> list[Release]:
    """Return the backends of one environment; one of which no version is known comes before all others."""
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
        if common := one[test].keys() & other[test].keys():
            pairs |= {key: (one[test][key], other[test][key]) for key in common}
        else:
            worst = (max(side[test].values(), key=lambda check: ORDER.index(verdict(check))) for side in sides)
            pairs[*test, ""] = tuple(worst)  # type: ignore[assignment]
    gone, new = (
        [
            check
            for key, check in release.checks.items()
            if key not in pairs and (*key[:-1], "") not in pairs and to.asked_for(check)
        ]
        for release, to in ((before, after), (after, before))
    )
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
        found = [_moved(*pair) for pair in pairs]
        moved = max(part for part, _ in found)
        words = f"{moved:.2g}" if all(whole for _, whole in found) else f"≥ {moved:.2g}" if moved else "-"
        errors = " → ".join(_worst(side) for side in zip(*pairs, strict=True))
        rows.append((moved, [f"{name} {dtype}", str(len(pairs)), words, errors, drifts.get((name, dtype), "-")]))
    rows.sort(key=lambda row: -row[0])
    title = "Programs with other bits"
    if len(rows) > MOST_PROGRAMS:
        title = f"The {MOST_PROGRAMS} of {len(rows)} programs that moved most"
    heading = ["program", "checks with other bits", "moved, in bounds", "worst error in ulp", "digits of the path at its end"]
    return Table(title, heading, [row for _, row in rows[:MOST_PROGRAMS]])


def _moved(before: Record, after: Record) -> tuple[float, bool]:
    """How far a check moved in parts of its bound, and whether that is all.

    Of one point all entries, or the worst, are in the file. Of many points only the worst error is, and that it has changed
    says that some error has, by as much at least.
    """
    single = before.get("rows") == after.get("rows") == 1
    sizes = len(before.get("got", ())), len(after.get("got", ()))
    # Of a large array there is one entry, the worst, which need not be the same.
    if single and sizes[0] == sizes[1] > 0 and (sizes[0] > 1 or before.get("where") == after.get("where")):
        columns = ([float.fromhex(x) for x in column] for column in (before["got"], after["got"], before["bound"]))
        parts = (abs(a - b) / bound if bound else math.inf for a, b, bound in zip(*columns, strict=True) if a != b)
        return max((math.inf if math.isnan(part) else part for part in parts), default=0.0), True
    change = abs(float.fromhex(before.get("used", "0x0.0p+0")) - float.fromhex(after.get("used", "0x0.0p+0")))
    return math.inf if math.isnan(change) else change, False


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
    """Say which verdicts changed, the gravest first, and which programs only one of the releases has checks of."""
    lines = []
    for before, after in (one.pairs[key] for key in one.verdicts):
        message = _quoted(after["message"] or before["message"])
        words = f"{verdict(before)} → {verdict(after)}{': ' if message else ''}{message}"
        lines.append((-ORDER.index(verdict(after)), f"{_named(after)}: {words}"))
    found = [line for _, line in sorted(lines)]
    found += [
        f"{len(checks)} checks only {when}, of {_programs(checks)}"
        for when, checks in (("before", one.gone), ("after", one.new))
        if checks
    ]
    return found


def _programs(checks: Sequence[Record]) -> str:
    found = list(dict.fromkeys(f"{program(check)} {check['dtype']}" for check in checks))
    return ", ".join(found[:MOST_PROGRAMS]) + (f" and {more} more" if (more := len(found) - MOST_PROGRAMS) > 0 else "")


def _quoted(message: str) -> str:
    return message if len(message) <= QUOTED else f"{message[:QUOTED]} ..."


def named(lines: list[str]) -> list[str]:
    """Return as many lines as a page names, and how many more there are."""
    more = len(lines) - MOST_VERDICTS
    return [*lines[:MOST_VERDICTS], *([f"and {more} changed verdicts more"] if more > 0 else [])]


def _named(check: Record) -> str:
    return f"{program(check)} {check['dtype']}, {check['test']}, {check['quantity']}"


def changes(
    before: Sequence[Environment], after: Sequence[Environment], older: Sequence[Environment] = ()
) -> tuple[list[str], bool]:
    """Return the changed verdicts of each environment, whatever versions it holds, and whether any of them is a loss.

    ``older`` is what to compare with where ``before`` has nothing of an environment; that it has nothing is no news then.

    A loss is a verdict that became red, or that conformed and does so no more without a declaration; and all that was judged
    before and is not now: an environment, a part of it, a backend or a check. What is new is said where it is red.
    """
    lines, worse = [], False
    known = {environment.name: environment for environment in (*older, *before)}
    for name in sorted({environment.name for environment in before} - {environment.name for environment in after}):
        lines.append(f"{name}: it was judged before, and there are no results of it now")
        worse = True
    for environment in after:
        old = known.get(environment.name)
        olds = {one.backend: one for one in released(old)} if old else {}
        now = {one.backend: one for one in released(environment)}
        # What was lost last night too is no news.
        lost = [words for words in environment.lost if not old or words not in old.lost]
        lost += [f"{backend} was judged before, and is not now" for backend in sorted(olds.keys() - now.keys())]
        found = []
        for backend, release in now.items():
            one = step(olds.get(backend, Release(backend, "none", [], {})), release)
            red = [check for check in one.new if is_red(check)]
            found += [f"{backend} {one.title}: {line}" for line in changed(dataclasses.replace(one, new=[]))]
            found += [f"{backend} {release.version}: {_named(c)}: {verdict(c)}, and new: {_quoted(c['message'])}" for c in red]
            worse |= bool(red or one.gone) or any(_is_loss(*map(verdict, pair)) for pair in one.pairs.values())
        worse |= bool(lost)
        lines += [f"{environment.name}: {line}" for line in (*lost, *named(found))]
    return lines, worse


def _is_loss(before: str, after: str) -> bool:
    return (after in RED and before not in RED) or (before == "conforms" and after not in ("conforms", "declared"))
