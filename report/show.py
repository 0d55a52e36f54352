"""One check in full: its numbers entry by entry, what is declared, how to judge it again, and a script without this suite."""

from __future__ import annotations

import math
from collections.abc import Sequence

from report.document import DocumentError, Record, few, of_kind, printable
from report.environments import Environment
from report.script import again, script
from report.table import Table, verdict
from report.terminal import drawn

MOST_NAMED = 20
FIELDS = ("backend", "case", "level", "mode", "dtype", "test", "quantity")
# Bits of the significand, and the exponent of the smallest normal number.
FORMATS = {"float64": (53, -1022), "float32": (24, -126), "float16": (11, -14)}


def in_ulp(got: float, truth: float, dtype: str) -> str:
    """Return |got - truth| in units in the last place of ``truth`` in ``dtype``."""
    if not (math.isfinite(got) and math.isfinite(truth)):
        return "-"
    bits, least = FORMATS[dtype]
    exponent = max(math.frexp(truth)[1] - 1 if truth else least, least)
    return f"{abs(got - truth) / 2.0 ** max(exponent - bits + 1, -1074):.3g}"


def found(environments: Sequence[Environment], words: Sequence[str]) -> tuple[Environment, Record]:
    """Return the one check that all ``words`` belong to. Raises DocumentError, which names what there is, for none or several.

    A word is the value of a field or the beginning of the quantity, as in: torch nand float64 autodiff "gradient w".
    """
    matching = [
        (environment, check)
        for environment in environments
        for check in of_kind(environment.records, "check")
        if all(_is_of(word, check) for word in words)
    ]
    exact = [(where, check) for where, check in matching if check["quantity"] in words]
    if len(exact) == 1:
        return exact[0]
    if len(matching) == 1:
        return matching[0]
    if not matching:
        lost = [word for word in words if not any(_is_of(word, c) for e in environments for c in of_kind(e.records, "check"))]
        raise DocumentError(
            printable(f"no check has {' and '.join(map(repr, lost or words))}; a check has a {', a '.join(FIELDS)}")
        )
    names = [name(check) for _, check in matching]
    raise DocumentError(
        printable(f"{len(matching)} checks have these words; add some that tell one of them: {few(names, MOST_NAMED)}")
    )


def name(check: Record) -> str:
    """The words that tell a check from all others of its environment."""
    return f"{check['backend']} {check['case']} {check['level']} {check['mode']} {check['dtype']} {check['quantity']!r}"


def _is_of(word: str, check: Record) -> bool:
    return word in (check[field] for field in FIELDS) or str(check["quantity"]).startswith(word)


def shown(environment: Environment, check: Record) -> str:
    """Return a check in full."""
    lines = [name(check), f"{verdict(check)}{': ' if check['message'] else ''}{check['message']}"]
    if "share" in check:
        lines.append(f"the worst error takes {100 * float.fromhex(check['share']):.3g} % of its bound")
    if check.get("points"):
        without = check["points_without_verdict"]
        lines.append(f"{check['entries']} numbers at {check['points']} points or steps; {without} of these gave no verdict")
    described = _described(environment, check)
    for deviation in described.get("deviations", ()):
        if deviation["subject"] == check["declared"] and check["dtype"] in deviation["dtypes"]:
            lines.append(
                f"declared in {deviation.get('place', 'the adapter')}: {deviation['reason']} Measured: {deviation['size']}"
            )
            lines.append(f"upstream: {deviation['link']}")
    lines = [printable(line) for line in lines]
    if check.get("got"):
        lines.append(drawn(_numbers(check)))
    lines.append(f"again: {again(check['backend'], check['case'], check['level'], check['dtype'], [check])}")
    return "\n".join([*lines, "", script_of(environment, check) or NO_SCRIPT])


NO_SCRIPT = "There is no script: scripts are of losses and gradients by automatic differentiation, in frameworks that have it."


def script_of(environment: Environment, check: Record) -> str:
    """Return a script that computes the case of a check without this suite, or nothing where there is none."""
    cases = (case for case in of_kind(environment.records, "case") if case["name"] == check["case"])
    vectors = (
        each
        for each in of_kind(environment.records, "vector")
        if (each["case"], each["dtype"]) == (check["case"], check["dtype"])
    )
    return script(_described(environment, check), next(cases, None), next(vectors, None), check["level"])


def _described(environment: Environment, check: Record) -> Record:
    return next((each for each in of_kind(environment.records, "backend") if each["name"] == check["backend"]), {})


def _numbers(check: Record) -> Table:
    rows = []
    for entry, (got, truth, bound) in enumerate(zip(check["got"], check["truth"], check["bound"], strict=True)):
        a, b = float.fromhex(got), float.fromhex(truth)
        rows.append([str(entry), f"{a!r}", f"{b!r}", f"{float.fromhex(bound):.3g}", in_ulp(a, b, check["dtype"]), got, truth])
    title = printable(check.get("where") or check["quantity"])
    return Table(title, ["entry", "got", "exact", "allowed", "ulp", "got, hex", "exact, hex"], rows)
