"""The cases to be judged: those of a file are its module-level Case objects."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from cases.case import JUDGED, LONG_RUN, Batches, Case, CaseError, Figure, shuffled
from vocabulary.layers import Dense
from vocabulary.network import Network

__all__ = [
    "JUDGED",
    "LONG_RUN",
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

    The file is a program and is run, with all that the user may do: give only files that you trust.

    Raises CaseError where the file is missing, fails to run, or defines no case; the message names the file and, where
    it fails, the line.
    """
    if not Path(path).is_file() or Path(path).suffix != ".py":
        raise CaseError(f"{path}: no such Python file of cases; give a regular file whose name ends in .py")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    assert spec is not None
    assert spec.loader is not None
    # The module stays out of sys.modules: its formulas then travel to other processes by value.
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except CaseError as error:
        raise CaseError(f"{_place(path, error)}: {error}") from error
    except (Exception, SystemExit) as error:  # whatever a user's file raises, the message has to name the file
        raise CaseError(f"{_place(path, error)}: failed to run: {type(error).__name__}: {error}") from error
    known = builtin().values()
    found = [case for case in _defined(module) if case not in known]  # those of ours that it imports are no cases of its own
    if not found:
        raise CaseError(f"{path} defines no case: assign a cases.Case to a module-level name")
    return found


def _place(path: str | Path, error: BaseException) -> str:
    """The file and the line in it that raised ``error``, or that is no Python."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(Path(path).absolute())]
    if lines:
        return f"{path}, line {lines[-1]}"
    if isinstance(error, OSError):  # it cannot be read
        return str(path)
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{path}, line {error.lineno}"
    # Python names no line for a NUL byte, nor for an unknown encoding, which the first line or the second declares.
    before, nul, _ = Path(path).read_bytes().partition(b"\0")
    line = before.count(b"\n") + 1 if nul else 1
    return f"{path}, line {line}"


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
