"""The same number without this suite: a script in a framework's own API, made of a case's program and the adapter's words."""

from __future__ import annotations

import shlex
import string
from collections.abc import Mapping, Sequence
from typing import Any

from report.document import Record, printable
from vocabulary.cell import CONTRACT
from vocabulary.words import AUTODIFF

INFIX = ("+", "-", "*", "/", "@")


def again(backend: str, case: str, level: str, dtype: str, checks: Sequence[Record]) -> str:
    """Return the command that judges a cell again."""
    words = ["sh", "conform", "--backend", backend, "--dtype", dtype]
    if case == CONTRACT:
        return printable(shlex.join([*words, "-k", "test_contract or test_losses or test_layers"]))
    chosen = [] if level == AUTODIFF else ["--level", level]
    nodes = ["--nodes"] if any(check["test"] == "trace" for check in checks) else []
    return printable(shlex.join([*words, "--case", case, *chosen, *nodes]))


def program(case: Record) -> list[str]:
    """Return the operations of a case's loss, a line each."""
    return [f"n{k} = {_written(each, {}, str)}" for k, each in enumerate(case.get("program", ()), 1)]


def _written(operation: Sequence[str], spelled: Mapping[str, str], name: Any) -> str:
    sign, *operands = operation
    taken = [f"n{word.removeprefix('node ')}" if word.startswith("node ") else name(word) for word in operands]
    if sign in INFIX:
        return f"{taken[0]} {sign} {taken[1]}" if len(taken) == 2 else f"{sign}{taken[0]}"
    return f"{spelled.get(sign, sign)}({', '.join(taken)})"


def script(backend: Record, case: Record | None, vector: Record | None, level: str) -> str:
    """Return a script that prints loss and gradient at the start of a case, or nothing where there is none.

    It is text from a results file: who runs it trusts that file.
    """
    known = backend.get("script")
    if level != AUTODIFF or not known or case is None or vector is None or not case.get("program"):
        return ""
    params, data = vector["params"], vector["data"]

    def name(word: str) -> str:
        return f'p["{word}"]' if word in params else f'd["{word}"]' if word in data else word

    lines = [f"    n{k} = {_written(each, known['spelled'], name)}" for k, each in enumerate(case["program"], 1)]
    text = string.Template(known["template"]).safe_substitute(
        case=case["name"],
        dtype=vector["dtype"],
        params=_arrays(params),
        data=_arrays(data),
        loss="\n".join([*lines, f"    return n{len(lines)}"]),
    )
    return "\n".join(map(printable, text.split("\n")))


def _arrays(arrays: Mapping[str, Record]) -> str:
    """Return arrays by name as Python writes them, in numbers that lose no bit."""
    rows = [
        f'    "{name}": array({_nested([float.fromhex(x) for x in each["values"]], each["shape"])}),'
        for name, each in arrays.items()
    ]
    return "\n".join(["{", *rows, "}"]) if rows else "{}"


def _nested(values: Sequence[float], shape: Sequence[int]) -> str:
    if not shape:
        return repr(values[0])
    size = len(values) // shape[0] if shape[0] else 0
    return "[" + ", ".join(_nested(values[k * size : (k + 1) * size], shape[1:]) for k in range(shape[0])) + "]"
