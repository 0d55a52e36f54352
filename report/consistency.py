"""What a schema cannot say of records: numbers that contradict each other, and lists that belong together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

Fault = tuple[str, str]

# A page of more cells of backend and program serves no reader, and a file of distinct names could ask for billions. A full
# run of seven backends has about two thousand.
MAX_CELLS = 100_000

# What the lists of a classifier count, by the last word of their names.
LISTED = (
    dict.fromkeys(("accuracy", "training", "out"), "epochs")
    | dict.fromkeys(("precision", "recall", "F1", "matrix"), "classes")
    | dict.fromkeys(("easiest", "hardest"), "examples")
)


def inconsistencies(records: list[dict[str, Any]]) -> Iterator[Fault]:
    """Return the place and the fault of each contradiction in ``records``, each of which follows the schema."""
    sizes: dict[tuple[str, str], dict[str, int]] = {}
    for index, record in enumerate(records):
        if record["kind"] == "classifier":
            found = _classifier(record, sizes.setdefault((record["case"], record["dtype"]), {}))
        elif record["kind"] in ALONE:
            found = ALONE[record["kind"]](record)
        else:
            continue
        for field, fault in found:
            yield f"$.records[{index}].{field}, a {record['kind']}", fault
    yield from crowd([record for record in records if record["kind"] == "check"])


def _check(check: dict[str, Any]) -> Iterator[Fault]:
    for part, whole in (("points_without_verdict", "points"), ("too_wide", "entries")):
        if check.get(part, 0) > check.get(whole, 0):
            yield part, f"{check[part]} of {check.get(whole, 0)} {whole}"
    lengths = {name: len(check[name]) for name in ("got", "truth", "bound") if name in check}
    if len(set(lengths.values())) > 1:
        yield "got", f"got, truth and bound belong together, and have the lengths {lengths}"


def _case(case: dict[str, Any]) -> Iterator[Fault]:
    """The operands of a program: what it has computed before, numbers, and names, of which it says nothing."""
    for k, (operation, *operands) in enumerate(case.get("program", ())):
        if not _has_operands(operation, operands):
            yield f"program[{k}]", f"{operation!r} of {len(operands)} operands"
        for operand in operands:
            if operand.startswith("node ") and operand not in {f"node {j + 1}" for j in range(k)}:
                yield f"program[{k}]", f"the operand {operand!r} of operation {k + 1}"


def _vector(vector: dict[str, Any]) -> Iterator[Fault]:
    for part in ("params", "data"):
        for name, array in vector[part].items():
            if len(array["values"]) != math.prod(array["shape"]):
                yield f"{part}['{name}']", f"{len(array['values'])} values of the shape {array['shape']}"
    for name, expected in vector["expected"].items():
        if not len(expected["truth"]) == len(expected["bound"]) == math.prod(expected["shape"]):
            yield (
                f"expected['{name}']",
                f"{len(expected['truth'])} truths and {len(expected['bound'])} bounds of the shape {expected['shape']}",
            )


def _exact_run(run: dict[str, Any]) -> Iterator[Fault]:
    if len(run["steps"]) != len(run["loss"]):
        yield "loss", f"{len(run['loss'])} losses of {len(run['steps'])} steps"


def _run(run: dict[str, Any]) -> Iterator[Fault]:
    if len(run["loss"]) != len(run["digits"]):
        yield "digits", f"{len(run['digits'])} digits and {len(run['loss'])} losses of the same steps"


def _exact_plane(plane: dict[str, Any]) -> Iterator[Fault]:
    for axis in ("x", "y"):
        numbers = plane[axis]
        if len(numbers) < 2 or None in numbers or not numbers[0] < numbers[-1]:
            yield axis, "an axis is two numbers or more, the last larger than the first"
    if len(plane["p"]) != len(plane["x"]) * len(plane["y"]):
        yield "p", f"{len(plane['p'])} predictions at {len(plane['x'])} by {len(plane['y'])} points"
    if len(plane["points"]) != len(plane["labels"]) or any(len(point) != 2 or None in point for point in plane["points"]):
        yield "points", "a point is two numbers, and has one label"


def _trace(trace: dict[str, Any]) -> Iterator[Fault]:
    names = [each["name"] for each in (*trace["leaves"], *trace["nodes"])]
    if len({*names}) != len(names) or not trace["nodes"]:
        yield "nodes", f"the names {names}: a graph has an operation or more, and a name belongs to one leaf or operation"
    known = {leaf["name"] for leaf in trace["leaves"]}
    for k, node in enumerate(trace["nodes"]):
        if not _has_operands(node["operation"], node["operands"]):
            yield f"nodes[{k}].operands", f"{node['operation']!r} of {len(node['operands'])} operands"
        for operand in node["operands"]:
            if operand not in known | {f"node {j + 1}" for j in range(k)} and not _is_number(operand):
                yield f"nodes[{k}].operands", f"{operand!r} is no leaf, no number, and no operation before"
    for place, traced in (
        *((f"leaves[{k}].adjoint", leaf["adjoint"]) for k, leaf in enumerate(trace["leaves"])),
        *((f"nodes[{k}].{what}", node[what]) for k, node in enumerate(trace["nodes"]) for what in ("value", "adjoint")),
    ):
        if len(traced["got"]) != len(traced["truth"]):
            yield place, f"{len(traced['got'])} numbers beside {len(traced['truth'])} exact ones"


def _has_operands(operation: str, operands: list[str]) -> bool:
    """Whether an operation has as many operands as it is written with; of those by name, one or more."""
    if operation == "-":
        return len(operands) in (1, 2)
    return len(operands) == 2 if operation in ("+", "*", "/", "@") else bool(operands)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# What holds of a record by itself.
ALONE: dict[str, Callable[[dict[str, Any]], Iterator[Fault]]] = {
    "check": _check,
    "case": _case,
    "vector": _vector,
    "exact_run": _exact_run,
    "run": _run,
    "exact_plane": _exact_plane,
    "trace": _trace,
}


def _classifier(run: dict[str, Any], sizes: dict[str, int]) -> Iterator[Fault]:
    """Hold a run to ``sizes``, those of the first run of its case and dtype: the page sets them side by side."""
    pictures = run.get("pictures", {})
    for example, picture in pictures.get("examples", {}).items():
        if len(picture["pixels"]) != math.prod(pictures.get("shape", [0])):
            yield f"pictures['{example}']", f"{len(picture['pixels'])} pixels of the shape {pictures.get('shape')}"
    for part in ("counted", "exact", "losses", "p"):
        for name, values in run[part].items():
            words, _, last = name.rpartition(" ")
            what = LISTED.get(last)
            if what is None:  # the macro averages, which the schema counts
                continue
            what = f"{words} {what}" if what == "examples" else what
            for length in (len(values), *(len(row) for row in values if isinstance(row, list))):
                if length != sizes.setdefault(what, length):
                    yield f"{part}['{name}']", f"{length} {what}; other lists of the same case and dtype have {sizes[what]}"


def crowd(checks: list[dict[str, Any]]) -> Iterator[Fault]:
    """Checks of more cells than a page shows."""
    backends = {check["backend"] for check in checks}
    programs = {(check["case"], check["level"], check["mode"], check["dtype"]) for check in checks}
    yield from _too_many("$.records", len(backends), len(programs))


def crowd_asked_for(run: dict[str, Any], records: list[dict[str, Any]]) -> Iterator[Fault]:
    """A run that was asked for more cells than a page shows, whether or not they have checks."""
    if "plan" in run:
        cases = sum(record["kind"] == "case" for record in records)
        programs = cases * len(run["plan"]["levels"]) * len(run["plan"]["dtypes"])
        yield from _too_many("$.run.backends", len(run.get("backends", ())), programs)


def _too_many(place: str, backends: int, programs: int) -> Iterator[Fault]:
    if backends * programs > MAX_CELLS:
        yield (
            place,
            f"{backends} backends and {programs} programs (case, level and dtype) make a table of more than {MAX_CELLS} cells",
        )
