"""The ledger: what changed numerically from one version of a framework to the next."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence

from report.document import Record, few
from report.environments import Environment, Key, Test, age
from report.table import ORDER, RED, SILENT, Table, in_its_mode, is_red, judged_share, verdict
from vocabulary.words import CONFORMS, DECLARED, DEVIATES

# What the page shows of one step of the ledger. A step summary of GitHub holds a mebibyte.
MOST_PROGRAMS = 20  # whose numbers moved most
MOST_VERDICTS = 50  # the gravest changes of a verdict
MOST_BESIDE = 6  # other packages, in its title
QUOTED = 300  # characters of a message
IN_PART = "conforms in part"


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
        words = ", ".join(f"{what} {' and '.join(self.beside[what])}" for what in ("Python", "numpy"))
        return f"{', '.join(environment.name for environment in self.environments)} ({words})"

    @property
    def processors(self) -> str:
        return " and ".join(dict.fromkeys(run["cpu"]["model"] for run in self._runs))

    @property
    def beside(self) -> dict[str, list[str]]:
        """The versions of what besides the framework can change numbers."""
        found: dict[str, dict[str, None]] = {}
        for run in self._runs:
            parts = run.get("made_of", {}).get(self.backend, {})
            others = {"numpy": run["packages"].get("numpy", "unknown"), "Python": run["python"]}
            for name, version in ({part: parts[part] for part in parts if part != self.backend} | others).items():
                found.setdefault(name, {})[version] = None
        return {name: list(versions) for name, versions in found.items()}

    @property
    def _runs(self) -> list[Record]:
        return [run for environment in self.environments for run in environment.runs]


@dataclasses.dataclass(frozen=True)
class Step:
    """What is different from one release to the next.

    ``pairs`` are the checks that both have, ``gone`` and ``new`` those that only one has. A test that gave no answer on one
    side, and so judged no quantity of the other, is one pair.
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
        both = sorted(one.keys() & other.keys())
        new = [name for name in both if name != self.before.backend and not {*one[name]} & {*other[name]}]
        others = few([f"{name} {' and '.join(one[name])} → {' and '.join(other[name])}" for name in new], MOST_BESIDE)
        versions = " → ".join(dict.fromkeys((self.before.version, self.after.version)))
        return versions + (f" (also {others})" if others else "")

    @property
    def verdicts(self) -> list[Key]:
        return [key for key, (one, other) in self.pairs.items() if _word(one) != _word(other)]

    @property
    def bits(self) -> list[Key]:
        return [key for key, (one, other) in self.pairs.items() if one.get("bits") != other.get("bits")]

    @property
    def without(self) -> list[Key]:
        """The checks that have no numbers, and so no bits."""
        return [key for key, (one, other) in self.pairs.items() if "bits" not in one and "bits" not in other]

    @property
    def same(self) -> list[Key]:
        return [key for key, (one, other) in self.pairs.items() if "bits" in one and one["bits"] == other.get("bits")]


def ledger(environments: Sequence[Environment]) -> tuple[list[tuple[str, list[Step]]], list[str]]:
    """Return the steps of every backend that was judged in two environments or more, and which environments are left out.

    Left out are environments of which a part is lost, and those that were asked for another part than most. One that judged
    less would stand between two others and hide what changed from the first to the last.
    """
    parts = Counter(tuple(environment.only) for environment in environments if not environment.lost)
    part = () if () in parts else next((words for words, _ in parts.most_common(1)), ())
    found: dict[str, dict[object, Release]] = {}
    left_out = []
    for environment in environments:
        if environment.lost:
            left_out.append(f"{environment.name} (a part is missing)")
        elif tuple(environment.only) != part:
            left_out.append(f"{environment.name} (asked for {' '.join(environment.only) or 'all'})")
        else:
            for release in released(environment):
                _add(found.setdefault(release.backend, {}), release)
    steps = []
    for name, alike in sorted(found.items()):
        releases = sorted(alike.values(), key=_order)
        if sum(len(release.environments) for release in releases) > 1:
            steps.append((name, [_in_both(step(one, other)) for one, other in itertools.pairwise(releases)]))
    return steps, left_out


def _in_both(one: Step) -> Step:
    """A step without the checks of programs that one of the releases was not asked for."""
    gone, new = (
        [check for check in checks if any(environment.asked_for(check) for environment in release.environments)]
        for checks, release in ((one.gone, one.after), (one.new, one.before))
    )
    return dataclasses.replace(one, gone=gone, new=new)


def _order(release: Release) -> tuple[object, ...]:
    """Releases of one version go by what else is new, so that a change is seen beside its cause."""
    beside = release.beside
    return age(release.version), *(min(map(age, beside[what])) for what in ("numpy", "Python")), release.place


def released(environment: Environment) -> list[Release]:
    """Return the backends of one environment."""
    versions = environment.versions
    return [
        Release(name, versions.get(name, "unknown"), [environment], {Key.of(check): check for check in checks})
        for name, checks in environment.checks.items()
    ]


def releases(environments: Sequence[Environment]) -> list[Release]:
    """Return every backend in every version, by name, then by age; environments that gave the same are one release."""
    found: dict[str, dict[object, Release]] = {}
    for environment in environments:
        for release in released(environment):
            _add(found.setdefault(release.backend, {}), release)
    return [release for _, alike in sorted(found.items()) for release in sorted(alike.values(), key=_order)]


def _add(found: dict[object, Release], release: Release) -> None:
    """Environments whose numbers are all the same are one release."""
    told = frozenset((key, _word(check), check.get("bits")) for key, check in release.checks.items())
    one = found.setdefault((release.version, told), dataclasses.replace(release, environments=[]))
    one.environments.extend(release.environments)


def _word(check: Record) -> str:
    """The verdict, or what it says of a check of which some points or training steps gave none."""
    found = verdict(check)
    return IN_PART if found == CONFORMS and judged_share(check) < 1 else found


def step(before: Release, after: Release) -> Step:
    """Compare two releases test by test."""
    one, other = (_by_test(release) for release in (before, after))
    pairs: dict[Key, tuple[Record, Record]] = {}
    for test in one.keys() & other.keys():
        if common := one[test].keys() & other[test].keys():
            pairs |= {key: (one[test][key], other[test][key]) for key in common}
        elif _is_lone(one[test]) or _is_lone(other[test]):  # the best before, so that no deviation hides a loss of another
            pairs[Key(*test, "")] = min(one[test].values(), key=_gravity), max(other[test].values(), key=_gravity)
    gone, new = (
        [check for key, check in release.checks.items() if not {key, Key(*key.whole_test, "")} & pairs.keys()]
        for release in (before, after)
    )
    return Step(before, after, dict(sorted(pairs.items())), gone, new)


def _by_test(release: Release) -> dict[Test, dict[Key, Record]]:
    tests: dict[Test, dict[Key, Record]] = {}
    for key, check in release.checks.items():
        tests.setdefault(key.whole_test, {})[key] = check
    return tests


def _is_lone(checks: dict[Key, Record]) -> bool:
    """Whether a test has but one check, or one in each mode, without a number, as where the backend gave no answer."""
    return len({key.cell for key in checks}) == len(checks) and not any("points" in check for check in checks.values())


def _gravity(check: Record) -> int:
    return ORDER.index(verdict(check))


def overview(name: str, steps: Sequence[Step]) -> Table:
    """The steps of a backend in numbers."""
    parts = ["checks in both", "same bits", "other bits", "no bits", "other verdict", "only before", "only after"]
    rows = [
        [
            *(_where(release, one) for release in (one.before, one.after)),
            *map(str, map(len, (one.pairs, one.same, one.bits, one.without, one.verdicts, one.gone, one.new))),
        ]
        for one in steps
    ]
    return Table(name, ["from", "to", *parts], rows)


def _where(release: Release, one: Step) -> str:
    on = f" on {release.processors}" if one.before.processors != one.after.processors else ""
    return f"{release.version} in {release.place}{on}"


def numbers(one: Step) -> Table:
    """The programs whose numbers moved most: how many of their checks have other bits, and their errors and drift."""
    programs: dict[tuple[str, str], list[tuple[Record, Record]]] = {}
    for key in one.bits:
        before, after = one.pairs[key]
        programs.setdefault((in_its_mode(before), before["dtype"]), []).append((before, after))
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
    """Return how far a check moved, in parts of its bound, and whether it cannot have moved further.

    Of a check of one point, the file holds all entries, or the worst. Of many points it holds only the worst error. If that
    has changed, some entry has moved by at least as much.
    """
    single = before.get("points") == after.get("points") == 1
    sizes = len(before.get("got", ())), len(after.get("got", ()))
    # Of a large array there is one entry, the worst, which need not be the same.
    if single and sizes[0] == sizes[1] > 0 and (sizes[0] > 1 or before.get("where") == after.get("where")):
        columns = ([float.fromhex(x) for x in column] for column in (before["got"], after["got"], before["bound"]))
        parts = (abs(a - b) / bound if bound else math.inf for a, b, bound in zip(*columns, strict=True) if a != b)
        return max((math.inf if math.isnan(part) else part for part in parts), default=0.0), True
    change = abs(float.fromhex(before.get("share", "0x0.0p+0")) - float.fromhex(after.get("share", "0x0.0p+0")))
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
            found[in_its_mode(before), before["dtype"]] = " → ".join(digits)
    return found


def changed(one: Step) -> list[tuple[bool, str]]:
    """Say of every changed verdict whether it is a loss, and which it is: the losses first, and of them the gravest."""
    lines = []
    for before, after in (one.pairs[key] for key in one.verdicts):
        loss = is_loss(_word(before), _word(after))
        message = _quoted(after["message"]) or (f"before: {_quoted(before['message'])}" if before["message"] else "")
        words = f"{_word(before)} → {_word(after)}{': ' if message else ''}{message}"
        lines.append((not loss, -_gravity(after), f"{place(after)}: {words}"))
    return [(not fine, line) for fine, _, line in sorted(lines)]


def is_loss(before: str, after: str) -> bool:
    """Whether a verdict became red, or is no longer green though no declaration explains it.

    A wrong answer is a loss also where there was no answer before. So is a check of which only a part conforms now.
    """
    red = after in RED and (before not in RED or (before in SILENT and after == DEVIATES))
    green = {CONFORMS: (DECLARED,), IN_PART: (CONFORMS, DECLARED)}
    return red or (before in green and after not in green[before])


def unpaired(one: Step) -> list[str]:
    """Say what only one of the releases has."""
    return [
        f"{len(checks)} checks only {when}, of {_programs(checks)}"
        for when, checks in (("before", one.gone), ("after", one.new))
        if checks
    ]


def _programs(checks: Sequence[Record]) -> str:
    return few(list(dict.fromkeys(f"{in_its_mode(check)} {check['dtype']}" for check in checks)), MOST_PROGRAMS)


def _quoted(message: str) -> str:
    return message if len(message) <= QUOTED else f"{message[:QUOTED]} ..."


def named(lines: Sequence[str]) -> list[str]:
    """Return as many lines as a page names, and how many more there are."""
    more = len(lines) - MOST_VERDICTS
    return [*lines[:MOST_VERDICTS], *([f"and {more} verdicts more"] if more > 0 else [])]


def place(check: Record) -> str:
    return f"{in_its_mode(check)} {check['dtype']}, {check['test']}, {check['quantity']}"


def red(checks: Iterable[Record]) -> list[str]:
    """Return a line for each of the new ``checks`` that is red."""
    return [f"{place(check)}: {verdict(check)}, and new: {_quoted(check['message'])}" for check in checks if is_red(check)]
