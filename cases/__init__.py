"""The programs to be judged, one file each; a file's module-level Case objects are its cases."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from cases.case import Batches, Case, CaseError, Figure, shuffled
from cases.network import Dense, Network

__all__ = [
    "Batches",
    "Case",
    "CaseError",
    "Dense",
    "Figure",
    "Network",
    "builtin",
    "from_file",
    "shuffled",
    "unique",
]


def builtin() -> dict[str, Case]:
    """Return the cases of this folder by name, in the order of files and of definitions in them."""
    modules = (importlib.import_module(f"cases.{found.name}") for found in pkgutil.iter_modules(__path__))
    return unique(case for module in modules for case in _defined(module))


def from_file(path: str | Path) -> list[Case]:
    """Return the cases that a Python file outside this repository defines.

    Raises CaseError where the file is missing, fails to run, or defines no case.
    """
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise CaseError(f"{path}: no such Python file of cases")
    # The module stays out of sys.modules: its formulas then travel to other processes by value.
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except CaseError as error:
        raise CaseError(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever a user's file raises, the message has to name the file
        raise CaseError(f"{path} failed to run: {type(error).__name__}: {error}") from error
    known = builtin().values()
    found = [case for case in _defined(module) if case not in known]  # those of ours that it imports are no cases of its own
    if not found:
        raise CaseError(f"{path} defines no case: assign a cases.Case to a module-level name")
    return found


def unique(cases: Iterable[Case]) -> dict[str, Case]:
    """Index cases by name; CaseError for a name that stands twice."""
    index: dict[str, Case] = {}
    for case in cases:
        if case.name in index:
            raise CaseError(f"case {case.name!r} is defined twice; give one of them another name")
        index[case.name] = case
    return index


def _defined(module: ModuleType) -> list[Case]:
    return list(dict.fromkeys(value for value in vars(module).values() if isinstance(value, Case)))
