"""Where Python source compares with a tolerance, seen in its syntax tree.

A tolerance is a small number that somebody chose. In source it is one of these:

- an ordering (``<``, ``>=``, ``np.less``) of anything with a number that is written out and smaller than LEAST, or with a
  name or attribute that the source gives such a number, or a table of such numbers;
- a comparison of what is rounded to so many digits;
- a name of numpy, pytest and others for a comparison within a tolerance, or for the tolerance itself.

It does not see a number that is computed from anything but numbers, nor one that is read from text.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Set

# From here on a number is no tolerance that anybody would choose.
LEAST = 0.1
ORDERINGS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
CALLED_ORDERINGS = frozenset(("lt", "le", "gt", "ge", "less", "less_equal", "greater", "greater_equal", "assert_array_less"))
# In pieces, since the rule is held to this file as well.
NAMES = re.compile(
    "|".join(
        (
            "^([ra]|rel_?|abs_?)?to" + "l$",
            "^(is|all|assert_|assert_all)_?clos" + "e$",
            "^appro" + "x$",
            "almost_?equa" + "l",
            "max_ul" + "p$",
        )
    ),
    re.I,
)
ROUNDINGS = frozenset(("round", "around"))
OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def small_constants(source: str) -> set[str]:
    """Return the names and attributes to which ``source`` gives a small number, or a table that holds one."""
    return {
        target
        for node in ast.walk(ast.parse(source))
        for target, value in _bindings(node)
        if any(number is not None and 0 < abs(number) < LEAST for number in map(_number, _entries(value)))
    }


def tolerances(source: str, constants: Mapping[str, Set[str]] | None = None) -> list[str]:
    """Return the comparisons in ``source`` that have a tolerance, and the names of such, as source text, each once.

    ``constants`` maps modules to their small constants, which ``source`` may import by name.
    """
    tree = ast.parse(source)
    small = small_constants(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            known = (constants or {}).get(node.module or "", frozenset())
            small |= {alias.asname or alias.name for alias in node.names if alias.name in known}
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if _orders(node) and any(_is_small(part, small) for part in ast.walk(node)):
            found[ast.unparse(node)] = None
        if isinstance(node, ast.Compare) and any(_rounds(part) for part in ast.walk(node)):
            found[ast.unparse(node)] = None
        found |= dict.fromkeys(name for name in _names(node) if NAMES.search(name))
    return list(found)


def _orders(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        return any(isinstance(symbol, ORDERINGS) for symbol in node.ops)
    return isinstance(node, ast.Call) and _called(node) in CALLED_ORDERINGS


def _rounds(node: ast.AST) -> bool:
    """Whether ``node`` rounds to a number of digits, as round(x, 6), np.round(x, 6) and x.round(6) do."""
    if not isinstance(node, ast.Call) or _called(node) not in ROUNDINGS:
        return False
    return any(isinstance(_number(digits), int) for digits in (*node.args, *(word.value for word in node.keywords)))


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _names(node: ast.AST) -> Iterator[str]:
    """The names that stand at ``node`` itself: of variables, attributes, arguments, functions and what is imported."""
    for field in ("id", "attr", "arg", "name"):
        if isinstance(name := getattr(node, field, None), str):
            yield name.rpartition(".")[2]


def _is_small(node: ast.AST, small: set[str]) -> bool:
    number = _number(node)
    if number is not None:
        return 0 < abs(number) < LEAST
    return getattr(node, "id", getattr(node, "attr", None)) in small


def _number(node: ast.AST | None) -> float | None:
    """The number that ``node`` is, where it is made of numbers alone."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _number(node.operand)
        return None if number is None else -number
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        a, b = _number(node.left), _number(node.right)
        try:
            return None if a is None or b is None else OPERATORS[type(node.op)](a, b)
        except (ArithmeticError, ValueError):  # 1 / 0 is for whoever runs it
            return None
    return None


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Pairs of a name, or the last part of one, and what ``node`` gives it."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr | ast.For | ast.comprehension):
        targets = [node.target]
    value = getattr(node, "iter", getattr(node, "value", None))
    for target in targets:
        name = getattr(target, "id", getattr(target, "attr", None))
        if name and value is not None:
            yield name, value
    if isinstance(node, ast.arguments):
        positional = [*node.posonlyargs, *node.args]
        yield from (
            (argument.arg, value) for argument, value in zip(reversed(positional), reversed(node.defaults), strict=False)
        )
        yield from ((argument.arg, value) for argument, value in zip(node.kwonlyargs, node.kw_defaults, strict=True) if value)


def _entries(value: ast.AST) -> list[ast.AST]:
    """What may be a number in ``value``: itself, the only argument of a call, as of float32(1e-6), or entries of a table."""
    if isinstance(value, ast.Call):
        return [*value.args] if len(value.args) == 1 else []
    if isinstance(value, ast.Dict):
        return [*value.values]
    return [*value.elts] if isinstance(value, ast.Tuple | ast.List | ast.Set) else [value]
