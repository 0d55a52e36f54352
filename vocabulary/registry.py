"""A folder is a registry: what its modules define at their top level is all that there is of a kind."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

Entry = TypeVar("Entry")


def found_in(package: ModuleType, kind: type[Entry], name: Callable[[Entry], str]) -> dict[str, Entry]:
    """Return the records of ``kind`` in the modules of ``package`` by name, in the order of files and definitions.

    Raises ValueError for a name that stands twice.
    """
    entries: dict[str, Entry] = {}
    for file in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{file.name}")
        for entry in vars(module).values():
            if not isinstance(entry, kind) or entries.get(name(entry)) is entry:  # a record that another file imports is one
                continue
            if name(entry) in entries:
                raise ValueError(f"{package.__name__}: {name(entry)!r} is defined twice; give one of them another name")
            entries[name(entry)] = entry
    return entries
