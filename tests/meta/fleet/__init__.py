"""The fleet: adapters with one planted fault each, which the suite has to find.

Each is a class with a ``family`` and a docstring that says what is wrong, derived from the sound adapter that its file names
as SOUND. They are listed by reading their files: whether a framework is installed does not matter to the list.
"""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Fault:
    """A planted fault: the adapter that has it, the sound adapter that it is made from, and what is wrong."""

    adapter: str
    sound: str
    family: str
    title: str

    @property
    def name(self) -> str:
        return self.adapter.partition(":")[2]


def fleet() -> list[Fault]:
    """Return all faults, sorted by file and place. Imports no framework."""
    return [fault for path in sorted(Path(__file__).parent.glob("*.py")) for fault in _faults(path)]


def adapter(name: str) -> str:
    """Return the adapter of the fault ``name``, as --backend takes it."""
    return next(fault.adapter for fault in fleet() if fault.name == name)


def _faults(path: Path) -> list[Fault]:
    body = ast.parse(path.read_text()).body
    sound = next((value for node in body if (value := _assigned(node, "SOUND"))), "")
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    families = {node.name: next((value for each in node.body if (value := _assigned(each, "family"))), "") for node in classes}
    return [
        Fault(f"{__name__}.{path.stem}:{node.name}", sound, families[node.name], ast.get_docstring(node) or "")
        for node in classes
        if families[node.name]
    ]


def _assigned(node: ast.stmt, name: str) -> str:
    if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == name for target in node.targets):
        return str(ast.literal_eval(node.value))
    return ""
