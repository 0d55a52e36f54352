"""Worked computation graphs: leaves left, the result right, circles for leaves that want gradients, squares for operators.

Values are filled in from left to right and adjoints from right to left, one a frame, with the worked equation as the caption.
The layout is the smallest that draws such graphs without crossings: a layer for each depth, leaves in the order in which the
result reaches them, an operator in the middle of what it takes.
"""

from __future__ import annotations

import dataclasses
import html
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from report.document import Record, printable
from vocabulary.words import UNKNOWN

SIGNS = {"*": "×", "/": "÷", "-": "−"}
ACROSS, DOWN, SIDE = 96, 78, 34


@dataclasses.dataclass(frozen=True)
class Frame:
    """One number that is filled in: that of ``name``, its value or its adjoint, by a worked equation."""

    name: str
    what: str
    caption: str


def shown(number: float | None) -> str:
    """Return a number in five digits."""
    return UNKNOWN if number is None else f"{number:.5g}".replace("-", "−")


def letter(name: str) -> str:
    """Return the Greek letter that a name is, or the name."""
    try:
        return unicodedata.lookup(f"GREEK SMALL LETTER {name}") if len(name) > 1 else name
    except (KeyError, ValueError):  # a name may be anything
        return name


def names(trace: Record) -> list[str]:
    """The leaves, and the results of the operations in their order."""
    return [each["name"] for each in (*trace["leaves"], *trace["nodes"])]


def _operands(trace: Record) -> dict[str, list[str]]:
    """Map each result to its operands: names of leaves and results, and numbers as they are written."""
    results = {f"node {k}": node["name"] for k, node in enumerate(trace["nodes"], 1)}
    return {node["name"]: [results.get(operand, operand) for operand in node["operands"]] for node in trace["nodes"]}


def numbers(trace: Record, which: str) -> dict[str, dict[str, float | None]]:
    """Map each name to its value and its adjoint: those that were ``got``, or the ``truth``."""

    def first(values: Sequence[str]) -> float | None:
        return float.fromhex(values[0]) if values else None

    leaves = {
        leaf["name"]: {"value": first(leaf["value"]), "adjoint": first(leaf["adjoint"][which])} for leaf in trace["leaves"]
    }
    return leaves | {node["name"]: {what: first(node[what][which]) for what in ("value", "adjoint")} for node in trace["nodes"]}


# The derivative of a result y with respect to the operand a, or b, in words and as a number, for the operations of such graphs.
Local = Callable[[int, Sequence[str], Sequence[float], str, float], tuple[str, float]]
LOCAL: Mapping[str, Local] = {
    "+": lambda k, names, x, y, value: ("1", 1.0),
    "-": lambda k, names, x, y, value: ("1", 1.0) if len(x) == 2 and k == 0 else ("(−1)", -1.0),
    "*": lambda k, names, x, y, value: (names[1 - k], x[1 - k]),
    "/": lambda k, names, x, y, value: (
        (f"1/{names[1]}", 1 / x[1]) if k == 0 else (f"(−{names[0]}/{names[1]}²)", -x[0] / x[1] ** 2)
    ),
    "exp": lambda k, names, x, y, value: (y, value),
    "log": lambda k, names, x, y, value: (f"1/{names[0]}", 1 / x[0]),
    "tanh": lambda k, names, x, y, value: (f"(1 − {y}²)", 1 - value**2),
    "sigmoid": lambda k, names, x, y, value: (f"{y}(1 − {y})", value * (1 - value)),
}


def frames(trace: Record, which: str) -> list[Frame]:
    """Return the frames in their order: values from the leaves to the result, then adjoints from the result to the leaves."""
    known, operands = numbers(trace, which), _operands(trace)
    found = [
        Frame(leaf["name"], "value", f"{letter(leaf['name'])} = {shown(known[leaf['name']]['value'])}")
        for leaf in trace["leaves"]
    ]
    for node in trace["nodes"]:
        name = node["name"]
        written = _written(node["operation"], [letter(operand) for operand in operands[name]])
        filled = _written(node["operation"], [_filled(operand, known) for operand in operands[name]])
        found.append(Frame(name, "value", f"{letter(name)} = {written} = {filled} = {shown(known[name]['value'])}"))
    root = trace["nodes"][-1]["name"]
    back = reversed(names(trace))
    return found + [Frame(name, "adjoint", _adjoint(trace, name, root, known, operands)) for name in back]


def _written(operation: str, operands: Sequence[str]) -> str:
    sign = SIGNS.get(operation, operation)
    if operation in ("+", "-", "*", "/") and len(operands) == 2:
        return f"{operands[0]} {sign} {operands[1]}"
    if operation == "-":
        return f"{sign}{operands[0]}"
    return f"{operation}({', '.join(operand.strip('()') for operand in operands)})"


def _filled(operand: str, known: Mapping[str, Mapping[str, float | None]]) -> str:
    text = shown(known[operand]["value"]) if operand in known else operand
    return f"({text})" if text.startswith("−") else text


def _adjoint(
    trace: Record,
    name: str,
    root: str,
    known: Mapping[str, Mapping[str, float | None]],
    operands: Mapping[str, Sequence[str]],
) -> str:
    """Return the equation of an adjoint: over all uses, the adjoint of the result times the derivative of the operation."""
    said = f"d{letter(root)}/d{letter(name)}"
    if name == root:
        return f"{said} = {shown(known[name]['adjoint'])}"
    words, filled = [], []
    for node in trace["nodes"]:
        result, taken = node["name"], operands[node["name"]]
        for k, operand in enumerate(taken):
            if operand != name:
                continue
            all_values = [*(known[each]["value"] if each in known else float(each) for each in taken), known[result]["value"]]
            values = [value for value in all_values if value is not None]
            if node["operation"] not in LOCAL or len(values) < len(all_values):
                return f"{said} = {shown(known[name]['adjoint'])}"
            letters = [letter(each) for each in taken]
            try:
                word, number = LOCAL[node["operation"]](k, letters, values[:-1], letter(result), values[-1])
            except ArithmeticError:  # of 1 / 0 there is no equation to show
                return f"{said} = {shown(known[name]['adjoint'])}"
            words.append(f"d{letter(root)}/d{letter(result)} · {word}")
            filled.append(f"{_bracketed(known[result]['adjoint'])} · {_bracketed(number)}")
    if not words:
        return f"{said} = {shown(known[name]['adjoint'])}"
    return f"{said} = {' + '.join(words)} = {' + '.join(filled)} = {shown(known[name]['adjoint'])}"


def _bracketed(number: float | None) -> str:
    text = shown(number)
    return f"({text})" if text.startswith("−") else text


def drawing(trace: Record, title: str) -> str:
    """Return the graph as SVG, with the exact numbers; each is an element of its own, by the name of what has it."""
    operands = _operands(trace)
    places = _places(trace, operands)
    known = numbers(trace, "truth")
    width = max(x for x, _ in places.values()) * ACROSS + 2 * SIDE + 20
    height = max(y for _, y in places.values()) * DOWN + 96
    leaves = {leaf["name"] for leaf in trace["leaves"]}
    symbols = {node["name"]: _symbol(node["operation"], operands[node["name"]], known) for node in trace["nodes"]}
    parts = []
    for result, taken in operands.items():
        uses = [operand for operand in taken if operand in places]
        for k, operand in enumerate(uses):
            (x1, y1), (x2, y2) = _at(places[operand]), _at(places[result])
            bend = 14 * (k - (len(uses) - 1) / 2) if uses.count(operand) > 1 else 0
            parts.append(f'<path class="edge" d="M{x1 + 16} {y1}Q{(x1 + x2) / 2} {y1 + 2 * bend} {x2 - 16} {y2 + bend / 2}"/>')
    for name, place in places.items():
        x, y = _at(place)
        shape = (
            f'<circle cx="{x}" cy="{y}" r="16"/>'
            if name in leaves
            else f'<rect x="{x - 16}" y="{y - 16}" width="32" height="32"/>'
        )
        inside = letter(name) if name in leaves else symbols[name]
        under = "" if name in leaves else f'<text class="name" x="{x}" y="{y + 43}">{_safe(letter(name))}</text>'
        parts.append(
            f'<g class="node" data-name="{_safe(name)}">{shape}<text x="{x}" y="{y + 5}">{_safe(inside)}</text>{under}'
            f'<text class="value" x="{x}" y="{y - 21}">{shown(known[name]["value"])}</text>'
            f'<text class="adjoint" x="{x}" y="{y + 30}">{shown(known[name]["adjoint"])}</text></g>'
        )
    return (
        f'<svg class="graph" role="img" viewBox="0 0 {width} {height}" width="{width}"><title>{_safe(title)}</title>'
        f"{''.join(parts)}</svg>"
    )


def _safe(text: str) -> str:
    return html.escape(printable(text))


def _symbol(operation: str, operands: Sequence[str], known: Mapping[str, object]) -> str:
    """The sign of an operation, with the numbers that it takes."""
    sign = SIGNS.get(operation, operation)
    if len(operands) != 2:
        return sign
    left, right = ("" if operand in known else operand for operand in operands)
    return f"{left}{sign}{right}"


def _at(place: tuple[float, float]) -> tuple[float, float]:
    return place[0] * ACROSS + SIDE, place[1] * DOWN + 44


def _places(trace: Record, operands: Mapping[str, Sequence[str]]) -> dict[str, tuple[float, float]]:
    """Return the layer and the height of each name."""
    depth = {leaf["name"]: 0 for leaf in trace["leaves"]}
    for node in trace["nodes"]:
        depth[node["name"]] = 1 + max((depth[each] for each in operands[node["name"]] if each in depth), default=0)
    heights: dict[str, float] = {}

    def place(name: str) -> float:
        if name not in heights:
            below = [place(each) for each in operands.get(name, ()) if each in depth]
            lowest = max((height for each, height in heights.items() if each not in operands), default=-1.0)
            heights[name] = sum(below) / len(below) if below else lowest + 1
        return heights[name]

    for name in reversed([node["name"] for node in trace["nodes"]]):
        place(name)
    for leaf in trace["leaves"]:
        place(leaf["name"])
    return {name: (depth[name], heights[name]) for name in depth}
