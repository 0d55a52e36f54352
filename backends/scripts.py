"""How a user of the framework writes what an adapter computes: the script of its folder, and the names of its operations.

A folder may hold ``script.txt``, a program in the framework's own API that prints loss and gradient at the start of a case. Of
string.Template, it has the fields ``$case``, ``$dtype``, ``$params`` and ``$data`` (dictionaries of arrays) and ``$loss`` (the
body of ``loss(p, d)``, an operation a line). It imports the framework as the adapter does, and defines by its name each
operation that the adapter makes by itself.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from backends.base import Backend
from vocabulary.operators import named

SCRIPT = "script.txt"


def script_of(backend: Backend) -> dict[str, Any] | None:
    """Return the ``template`` of an adapter, and how operations are ``spelled`` in it; None without one."""
    try:
        path = Path(inspect.getfile(type(backend))).with_name(SCRIPT)
    except (OSError, TypeError):  # a class that stands in no file
        return None
    if not path.is_file():
        return None
    return {"template": path.read_text(), "spelled": {name: word for name in named() if (word := _spelled(backend, name))}}


def _spelled(backend: Backend, name: str) -> str:
    """Return what the adapter's module would write to call an operation, or nothing where it makes it by itself."""
    if hasattr(type(backend), name):
        return ""
    called = backend.names.get(name, name)
    for space in backend.namespaces:
        if callable(getattr(space, called, None)):
            return f"{_path(space, vars(sys.modules[type(backend).__module__]))}.{called}"
    return ""


def _path(space: object, bound: dict[str, Any]) -> str:
    """Return the name by which a module reaches ``space``: its own, or that of a module inside of one of its own."""
    modules = {alias: found for alias, found in bound.items() if isinstance(found, ModuleType)}
    for alias, module in modules.items():
        if module is space:
            return alias
    name = getattr(space, "__name__", "").rpartition(".")[2]
    for alias, module in modules.items():
        if getattr(module, name, None) is space:
            return f"{alias}.{name}"
    raise LookupError(f"no name for {space!r} in the module of the adapter")
