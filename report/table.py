"""What a run found, as rows of text: the same for the terminal and for the page."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence

from report.document import Record
from vocabulary.cell import CONTRACT
from vocabulary.words import AUTODIFF, CONFORMS, DECLARED, DEVIATES, EAGER, LEVELS, MISSING, VERDICTS

# The best first: a cell shows the worst verdict that occurs in it.
ORDER = (CONFORMS, DECLARED, *(word for word in VERDICTS if word != CONFORMS))
# What fails a run, and what of it is no answer.
RED = ORDER[ORDER.index(DEVIATES) :]
SILENT = ORDER[ORDER.index(MISSING) :]

# A sign for each, where there is no room for the word: colour may add to it, and says nothing alone.
SIGNS = dict(zip(ORDER, ("✓", "≈", "–", "?", "✗", "∅", "!", "T", "†"), strict=True))
# Follows the share of a bound where a part of the points or steps gave no verdict.
PART = "*"

# Case, level and dtype.
Program = tuple[str, str, str]


@dataclasses.dataclass(frozen=True)
class Table:
    """Text in rows under a heading; the first column names the row."""

    title: str
    heading: list[str]
    rows: list[list[str]]


def verdict(check: Record) -> str:
    """The verdict of a check, with stated deviations told from others."""
    return DECLARED if check["declared"] and check["verdict"] == DEVIATES else str(check["verdict"])


def is_red(check: Record) -> bool:
    """Whether a check fails its run."""
    return verdict(check) in RED


def agreement(checks: Sequence[Record]) -> list[Table]:
    """Backend by case and level, one table a dtype: the verdict, the worst error in ulp, the worst error / bound."""
    return _by_program(checks, "worst error in ulp, and the largest share of a bound", _cell)


def brief(checks: Sequence[Record]) -> list[Table]:
    """The same for the terminal: a sign, and how much of a bound is used; programs with a red cell come first."""
    return _by_program(checks, "the largest share of a bound", _sign, red_first=True)


def _by_program(
    checks: Sequence[Record], title: str, cell: Callable[[list[Record]], str], *, red_first: bool = False
) -> list[Table]:
    backends = sorted({check["backend"] for check in checks})
    tables = []
    split = in_both_modes(checks)
    for dtype in dict.fromkeys(check["dtype"] for check in checks):
        here = [check for check in checks if check["dtype"] == dtype]
        cells: dict[tuple[str, str], list[Record]] = {}
        places = {}
        for check in here:
            name = program(check, split)
            cells.setdefault((name, check["backend"]), []).append(check)
            places[name] = _place(check)
        reds = {name for name, _ in cells if red_first and any(is_red(c) for b in backends for c in cells.get((name, b), []))}
        rows = [
            [name, *(cell(cells.get((name, backend), [])) for backend in backends)]
            for name in sorted(places, key=lambda name: (name not in reds, places[name], name))
        ]
        tables.append(Table(f"{dtype}: {title}", ["case", *backends], rows))
    return tables


def in_both_modes(checks: Iterable[Record]) -> frozenset[Program]:
    """Return the programs of which some backend was judged in both modes, in the same quantity: a table shows them apart.

    Elsewhere a program stands in one row, though its gradients may be eager and its training compiled.
    """
    modes: dict[tuple[Program, str, str, str], set[str]] = {}
    for check in checks:
        modes.setdefault((_program(check), check["backend"], check["test"], check["quantity"]), set()).add(check["mode"])
    return frozenset(one for (one, *_), found in modes.items() if len(found) > 1)


def _program(check: Record) -> Program:
    return check["case"], check["level"], check["dtype"]


def program(check: Record, split: Container[Program] = ()) -> str:
    """The case and, above autodiff, the level of a check; of the programs that are ``split`` by it, also the mode."""
    name = str(check["case"]) if check["level"] == AUTODIFF else f"{check['case']} {check['level']}"
    return f"{name} {check['mode']}" if _program(check) in split else name


def in_its_mode(check: Record) -> str:
    """The program of a check by itself: eager is not said, as autodiff is not."""
    return program(check) if check["mode"] == EAGER else f"{program(check)} {check['mode']}"


def _place(check: Record) -> tuple[bool, str, int]:
    return check["case"] != CONTRACT, check["case"], LEVELS.index(check["level"])


def worst(checks: Iterable[Record]) -> str:
    """The worst verdict of some checks."""
    return max((verdict(check) for check in checks), key=ORDER.index)


def in_short(share: float) -> str:
    """How much of a bound an error takes: in percent, or times."""
    return f"{100 * share:.0f}%" if share <= 1 else f"{in_digits(share)}×"


def _sign(checks: list[Record]) -> str:
    if not checks:
        return ""
    share = "" if (found := largest_share(checks)) is None else f" {in_short(found)}"
    part = PART if min(map(judged_share, checks)) < 1 else ""
    return f"{SIGNS[worst(checks)]}{share}{part}"


def largest_share(checks: Sequence[Record]) -> float | None:
    """The largest share of a bound in the checks that have the worst verdict of all, or that conform."""
    words = (worst(checks), CONFORMS)
    return max((float.fromhex(c["share"]) for c in checks if "share" in c and verdict(c) in words), default=None)


def _cell(checks: list[Record]) -> str:
    if not checks:
        return "not run"
    word = worst(checks)
    ulps = [float.fromhex(check["error_ulp"]) for check in checks if "error_ulp" in check]
    shares = [float.fromhex(check["share"]) for check in checks if "share" in check]
    mark = SIGNS[CONFORMS] if word == CONFORMS else word
    causes = dict.fromkeys(check["cause"] for check in checks if verdict(check) == word and "cause" in check)
    mark += f" {', '.join(causes)}" if causes else ""
    numbers = f" {in_digits(max(ulps))} ulp {_fraction(max(shares))}" if ulps else ""
    share = min(judged_share(check) for check in checks)
    return f"{mark}{numbers}" + (f", {math.floor(100 * share)}% judged" if share < 1 else "")


def judged_share(check: Record) -> float:
    """The part of a check's points or training steps that gave a verdict."""
    return (check["points"] - check["points_without_verdict"]) / check["points"] if check.get("points") else 1.0


def _fraction(share: float) -> str:
    return f"{100 * share:.0f}%" if share <= 1 else f"{in_digits(share)} bounds"


def in_digits(value: float) -> str:
    """Return a number that is read at a glance: two decimals below 1, whole below 10000."""
    if 0.005 <= value < 1:
        return f"{value:.2f}"
    return f"{value:.0f}" if value < 10000 else f"{value:.0e}".replace("e+0", "e").replace("e+", "e")


def counts(checks: Iterable[Record]) -> Counter[str]:
    """Number of checks per verdict."""
    return Counter(verdict(check) for check in checks)


def slack(checks: Iterable[Record]) -> list[str]:
    """How wide the bounds of the cases are: bound / error, its median over the checks and its least, per dtype."""
    lines = []
    values: dict[str, tuple[list[float], list[float]]] = {}
    for check in checks:
        if "share" in check and verdict(check) == CONFORMS and check["case"] != CONTRACT:
            medians, worst = values.setdefault(check["dtype"], ([], []))
            medians.append(float.fromhex(check["share_median"]))
            worst.append(float.fromhex(check["share"]))
    for dtype, (medians, worst) in values.items():
        # Results that are exactly right say nothing about the width of a bound.
        inexact = [value for value in medians if value > 0]
        if inexact and max(worst) > 0:
            lines.append(
                f"{dtype}: the bound is {1 / statistics.median(inexact):.1f} times the error in the median check, "
                f"{1 / max(worst):.2f} times in the tightest"
            )
    return lines


def verdict_lines(records: Sequence[Record]) -> list[str]:
    """The run in a few sentences: how many checks ended how, and how wide their bounds are."""
    checks = [record for record in records if record["kind"] == "check"]
    found = counts(checks)
    names = {DECLARED: "deviate as declared"}
    lines = [
        ", ".join(f"{found[word]} {names.get(word, word)}" for word in ORDER if found[word]) + f", of {len(checks)} checks"
    ]
    points, unjudged, entries, too_wide = (
        sum(check.get(field, 0) for check in checks) for field in ("points", "points_without_verdict", "entries", "too_wide")
    )
    lines.append(
        f"{entries} numbers judged, {too_wide} of them by a bound that is too wide to tell a wrong value of that number alone; "
        f"{unjudged} of {points} points and training steps gave no verdict"
    )
    return [*lines, *slack(checks)]


def empty_cells(records: Sequence[Record]) -> list[str]:
    """Why a program has no cell: levels that a framework lacks, and levels at which a case cannot be written."""
    lines = []
    for record in records:
        field = {"backend": "unsupported_levels", "case": "levels"}.get(record["kind"])
        lacking = record[field] if field else {}
        reasons: dict[str, list[str]] = {}
        for level, reason in lacking.items():
            if reason:
                reasons.setdefault(reason, []).append(level)
        lines += [f"{record['name']}, {', '.join(levels)}: {reason}" for reason, levels in reasons.items()]
    return lines


def times(checks: Sequence[Record], slowest: int = 10) -> list[str]:
    """Seconds of computing and judging per level, summed over processes, and the slowest tests."""
    levels: Counter[str] = Counter()
    tests: Counter[tuple[str, ...]] = Counter()
    for check in checks:
        levels[check["level"]] += check["duration"]
        # The checks of one test share its time.
        tests[check["backend"], in_its_mode(check), check["dtype"], check["test"]] += check["duration"]
    lines = [f"{level}: {levels[level]:.0f} s" for level in LEVELS if level in levels]
    return [*lines, *(f"{' '.join(words)}: {seconds:.1f} s" for words, seconds in tests.most_common(slowest))]
