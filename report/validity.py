"""What may be claimed from a run: agreement only between engines that ran, were judged alike, and computed as stated."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

from report.document import Record, of_kind
from report.table import in_both_modes, is_red, program, verdict
from vocabulary.cell import CONTRACT
from vocabulary.words import CONFORMS, DECLARED, DEVIATES, MISSING, UNINFORMATIVE, UNSUPPORTED

# Why a program is not agreed on, the gravest first.
NO_ANSWER = "with a backend that gave no answer"
DEVIATION = "with a deviation"
BROKEN_CONTRACT = "with a backend that breaks the contract"
OTHER_MODE = "in numeric modes that are not those stated, or not probed"
NOT_JUDGED = "without a verdict in some check"
NOT_ALIKE = "of which loss and gradient were not judged in every backend alike"
DECLARED_DEVIATION = "with a declared deviation"
REASONS = (NO_ANSWER, DEVIATION, BROKEN_CONTRACT, OTHER_MODE, NOT_JUDGED, NOT_ALIKE, DECLARED_DEVIATION)
BY_VERDICT = {
    CONFORMS: "",
    DECLARED: DECLARED_DEVIATION,
    UNINFORMATIVE: NOT_JUDGED,
    UNSUPPORTED: NOT_JUDGED,
    DEVIATES: DEVIATION,
}

# The checks of every backend in a program: its case and level, and the dtype.
Cells = dict[tuple[str, str], dict[str, list[Record]]]


def claims(records: Sequence[Record], asked: Iterable[str] = (), lost: Sequence[str] = ()) -> list[str]:
    """Say which backends agree on how many programs, why not on the others, and what became of every cell.

    ``asked`` are the backends that the run was asked for, ``lost`` says what of it is missing. No agreement is claimed without
    two backends that share no engine, nor where a backend is missing or was not judged at all, or a part of the run is lost.
    A program (case, level and dtype) is agreed on if every backend that has its level conforms in every check, loss and
    gradient among them and the same in all, keeps the contract in that dtype, and computes in its stated numeric modes.
    """
    checks = [check for check in records if check["kind"] == "check"]
    cells: Cells = {}
    split = in_both_modes(checks)
    for check in checks:
        if check["case"] != CONTRACT:
            cells.setdefault((program(check, split), check["dtype"]), {}).setdefault(check["backend"], []).append(check)
    if lost:
        lines = [f"no agreement is claimed: {'; '.join(lost)}"]
    else:
        lines = [_agreement(records, checks, cells, asked)] if checks else []
    judged = {check["dtype"] for check in checks}
    modes = other_modes(records).items()
    lines += [f"{backend} {dtype}: {words}" for (backend, dtype), words in modes if words and dtype in judged]
    lines += _only_stated(records)
    return [*lines, _cells(cells)] if cells else lines


def other_modes(records: Sequence[Record]) -> dict[tuple[str, str], str]:
    """Map each backend and probed dtype to the numeric modes that its probes find and that it does not state."""
    found: dict[tuple[str, str], list[str]] = {}
    for backend in of_kind(list(records), "backend"):
        for name, probed in backend["probed"].items():
            stated = backend["numeric"].get(name)
            words = [f"{name}: {probed} found, {stated} stated"] if probed != stated else []
            found.setdefault((backend["name"], name.partition(" ")[0]), []).extend(words)
    return {key: "; ".join(words) for key, words in found.items()}


def engines(records: Iterable[Record]) -> dict[str, set[str]]:
    """Map each backend to its engines: the known frameworks that it has imported.

    Without any, its engine is its own: what stands for it is the name that it states, and the modules that it is made of.
    """
    found: dict[str, set[str]] = {}
    for backend in of_kind(list(records), "backend"):
        own = [backend["engine"], *backend.get("modules", ())]
        found.setdefault(backend["name"], set()).update(backend.get("measured") or own)
    return found


def _only_stated(records: Sequence[Record]) -> list[str]:
    stated = [backend for backend in of_kind(list(records), "backend") if backend.get("measured") == {}]
    return [
        f"{backend['name']}: its engine is stated as {backend['engine']} {backend['version']} and cannot be measured: of the "
        "known frameworks it uses none, or numpy's arrays alone"
        for backend in stated
    ]


def _agreement(records: Sequence[Record], checks: Sequence[Record], cells: Cells, asked: Iterable[str]) -> str:
    known = engines(records)

    def are_two(backends: Iterable[str]) -> bool:
        sets = {frozenset(known.get(backend, {backend})) for backend in backends}
        return any(a.isdisjoint(b) for a, b in itertools.combinations(sets, 2))

    ran = sorted({check["backend"] for check in checks if _numeric(check) and check["verdict"] in (CONFORMS, DEVIATES)})
    absent = sorted({check["backend"] for check in checks if check["verdict"] == MISSING} | {*asked} - {*ran})
    if absent:
        return f"no agreement is claimed: asked for and missing or not judged: {', '.join(absent)}"
    if not ran:
        return "no agreement is claimed: 0 engines ran"
    if not are_two(ran):
        shared = "; ".join(f"{backend} computes with {', '.join(sorted(known.get(backend, {backend})))}" for backend in ran)
        what = "one backend ran" if len(ran) == 1 else "no two of the backends that ran have separate engines"
        return f"no agreement is claimed: {what}: {shared}"
    modes = other_modes(records)
    broken = {(check["backend"], check["dtype"]) for check in checks if check["case"] == CONTRACT and is_red(check)}
    found: Counter[str] = Counter()
    for (_, dtype), cell in cells.items():
        # Whoever lacks the level takes no part.
        parts = {name: here for name, here in cell.items() if {verdict(check) for check in here} != {UNSUPPORTED}}
        if not are_two(parts):
            continue
        reasons = {BY_VERDICT.get(verdict(check), NO_ANSWER) for here in parts.values() for check in here}
        reasons |= {BROKEN_CONTRACT for name in parts if (name, dtype) in broken}
        # A backend without a record of itself, as in a part of a results file, has none to be held to.
        reasons |= {OTHER_MODE for name in parts if name in known and modes.get((name, dtype), "not probed")}
        reasons |= {"" if _alike(parts.values()) else NOT_ALIKE}
        found[next((reason for reason in REASONS if reason in reasons), "")] += 1
    agreed = found.pop("", 0)
    others = "".join(f", {found[reason]} {reason}" for reason in REASONS if found[reason])
    what = f"agreement of all {len(ran)} backends ({', '.join(ran)})" if agreed else "no agreement"
    return (
        f"{what}, as far as they have the level, on {agreed} of {agreed + found.total()} programs (case, level and dtype) "
        f"that two or more engines have{others}"
    )


def _numeric(check: Record) -> bool:
    """Whether a check has held numbers to a bound."""
    return bool(check.get("points"))


def _alike(parts: Iterable[list[Record]]) -> bool:
    """Whether the same quantities were judged of all, a loss and a gradient among them."""
    first, *others = ({(check["test"], check["quantity"]) for check in part if _numeric(check)} for part in parts)
    kinds = {quantity.split()[0] for _, quantity in first}
    return {"loss", "gradient"} <= kinds and all(other == first for other in others)


def _cells(cells: Cells) -> str:
    found = [here for cell in cells.values() for here in cell.values()]
    numeric = [{check["verdict"] for check in here if _numeric(check)} for here in found]
    judged = sum(bool(words & {CONFORMS, DEVIATES}) for words in numeric)
    blank = sum(words == {UNINFORMATIVE} for words in numeric)
    unsupported = sum({check["verdict"] for check in here} == {UNSUPPORTED} for here in found)
    return (
        f"{len(found)} cells of backend and program: {judged} judged, {unsupported} unsupported, {blank} without any verdict "
        f"on a number, {len(found) - judged - unsupported - blank} without an answer"
    )
