"""What may be claimed from a run: agreement only between engines that ran, were judged, and computed as stated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from report.document import Record, of_kind
from report.table import program, verdict

# Why a program is not agreed on, the gravest first.
NOT_JUDGED = "without a verdict in some check"
OTHER_MODE = "computed in another numeric mode than stated"
DECLARED = "with a declared deviation"
DEVIATES = "with a deviation"
NO_ANSWER = "with a backend that gave no answer"
REASONS = (NO_ANSWER, DEVIATES, OTHER_MODE, NOT_JUDGED, DECLARED)
BY_VERDICT = {
    "conforms": "",
    "declared": DECLARED,
    "uninformative": NOT_JUDGED,
    "unsupported": NOT_JUDGED,
    "deviates": DEVIATES,
}


def claims(records: Sequence[Record]) -> list[str]:
    """Say which backends agree on how many programs, why not on the others, and what became of every cell.

    No agreement is claimed between fewer than two backends, nor where one that was asked for is missing. A program (case,
    level and dtype) is agreed on if every backend that has its level conforms in every check, in its stated numeric modes.
    """
    checks = [check for check in records if check["kind"] == "check"]
    cells: dict[tuple[str, str], dict[str, set[str]]] = {}
    for check in checks:
        if check["case"] != "contract":
            cells.setdefault((program(check), check["dtype"]), {}).setdefault(check["backend"], set()).add(verdict(check))
    modes = other_modes(records)
    lines = [_agreement(checks, cells, set(modes))] if checks else []
    lines += [f"{backend} {dtype}: {words}" for (backend, dtype), words in modes.items()]
    return [*lines, _cells(cells)] if cells else lines


def other_modes(records: Sequence[Record]) -> dict[tuple[str, str], str]:
    """Map each backend and dtype to the numeric modes that its probes find and that it does not state."""
    found: dict[tuple[str, str], str] = {}
    for backend in of_kind(list(records), "backend"):
        for name, stated in backend["numeric"].items():
            if (probed := backend["probed"].get(name)) != stated:
                key = backend["name"], name.partition(" ")[0]
                words = f"{name}: {probed} found, {stated} stated"
                found[key] = "; ".join(filter(None, (found.get(key), words)))
    return found


def _agreement(checks: Sequence[Record], cells: dict[tuple[str, str], dict[str, set[str]]], modes: set[tuple[str, str]]) -> str:
    ran = sorted({check["backend"] for check in checks if verdict(check) in ("conforms", "declared", "deviates")})
    missing = sorted({check["backend"] for check in checks if check["verdict"] == "missing"})
    if missing:
        return f"no agreement is claimed: {', '.join(missing)} was asked for and is missing"
    if len(ran) < 2:
        return f"no agreement is claimed: {len(ran)} backend ran"
    found: Counter[str] = Counter()
    for (_, dtype), cell in cells.items():
        # Whoever lacks the level takes no part.
        parts = {backend: words for backend, words in cell.items() if words != {"unsupported"}}
        if len(parts) > 1:
            reasons = {BY_VERDICT.get(word, NO_ANSWER) for words in parts.values() for word in words}
            reasons |= {OTHER_MODE for backend in parts if (backend, dtype) in modes}
            found[next((reason for reason in REASONS if reason in reasons), "")] += 1
    agreed = found.pop("", 0)
    others = "".join(f", {found[reason]} {reason}" for reason in REASONS if found[reason])
    return (
        f"agreement of all {len(ran)} backends ({', '.join(ran)}), as far as they have the level, on {agreed} of "
        f"{agreed + found.total()} programs (case, level and dtype) that two or more of them have{others}"
    )


def _cells(cells: dict[tuple[str, str], dict[str, set[str]]]) -> str:
    found = [words for cell in cells.values() for words in cell.values()]
    judged = sum(bool(words & {"conforms", "declared", "deviates"}) for words in found)
    unsupported = sum(words == {"unsupported"} for words in found)
    blank = sum(words in ({"uninformative"}, {"uninformative", "unsupported"}) for words in found)
    return (
        f"{len(found)} cells of backend and program: {judged} judged, {unsupported} unsupported, {blank} uninformative in "
        f"every check, {len(found) - judged - unsupported - blank} without an answer"
    )
