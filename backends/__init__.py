"""Who computes: one folder a framework, loaded only when asked for.

Importing this package imports no framework but numpy. ``load`` is the only place that does.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import platform
import sys
import types
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from packaging.version import InvalidVersion, Version

from backends import about
from backends.about import About
from backends.base import Backend
from vocabulary.words import UNKNOWN

# The order of import in one process, as far as it is known to be sound: TensorFlow before MXNet ends in a segmentation fault.
ORDER = ("numpy", "chainer", "mxnet", "autograd", "torch", "jax", "tensorflow")


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return frameworks in the order in which one process imports them; those that ORDER does not name come last."""
    return tuple(sorted(names, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)))


ABOUT = about.read(Path(__file__).parent)

# One word a framework: the name of its folder, which makes it one, of its class (capitalised), and of the package it needs.
FRAMEWORKS = in_order(ABOUT)

# Packages that a framework's users take for layers, losses and optimisers, where it brings none.
LAYERS = {name: ABOUT[name].layers for name in FRAMEWORKS if ABOUT[name].layers}

# The suite's own tape. It is what numpy, which every process imports, differentiates with here.
TAPE = "arithmetic.tape"

# Settings that several frameworks read.
COMMON = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
# Those that the frameworks read when they are imported. They keep them quiet, on the CPU and on one thread. A value already in
# the environment wins; the results file records what holds.
SETTINGS = dict(sorted([*COMMON.items(), *(pair for each in ABOUT.values() for pair in each.settings.items())]))


def caches(folder: Path) -> dict[str, str]:
    """Map the variable of each framework that keeps what it compiles to a folder below ``folder``, one for each processor."""
    return {each.cache: str(folder / name / _processor()) for name, each in ABOUT.items() if each.cache}


def _processor() -> str:
    """Return a digest of what the processor is and can do: code compiled for one may crash on another."""
    known = platform.machine() + platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        known += "".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name"))}))
    return hashlib.sha256(known.encode()).hexdigest()[:16]


def _of(name: str) -> About:
    return ABOUT.get(name, About())


def is_external(name: str) -> bool:
    """Whether ``name`` is the ``package.module:Class`` of an adapter outside this repository."""
    return ":" in name


def missing(name: str) -> str | None:
    """Return why backend ``name`` cannot be loaded because a package is absent, or None. Imports no framework."""
    packages = (name.partition(":")[0].partition(".")[0],) if is_external(name) else (name, *_of(name).layers)
    for package in packages:
        if importlib.util.find_spec(package) is None:
            return f"package {package!r} is not installed in this environment"
    return None


def installed(name: str) -> dict[str, str]:
    """Map the packages that make up backend ``name``, itself first, to their installed versions. Imports no framework."""
    found = {}
    for package in () if is_external(name) else (name, *_of(name).parts, *_of(name).layers):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = installed_version(package)
    return found


def installed_version(name: str) -> str:
    """Return the version that the installed distribution of the package ``name`` states. Imports no framework."""
    distributions = _distributions().get(name, [name])
    return importlib.metadata.version(distributions[0])


def version_of(module: str) -> str:
    """Return the version of the distribution that has installed ``module``, or UNKNOWN where none has."""
    file = getattr(sys.modules.get(module), "__file__", None)
    for name in _distributions().get(module.partition(".")[0], ()):
        distribution = importlib.metadata.distribution(name)
        place = Path(str(distribution.locate_file(module.replace(".", "/"))))
        if file and Path(file).with_suffix("") in (place, place / "__init__"):  # another may have a package of the same name
            return distribution.version
    return UNKNOWN


def is_installed(stated: str, installed: str) -> bool:
    """Whether both are one version. The local part, as of PyTorch's builds (+cpu), counts where both have one."""
    try:
        a, b = Version(stated), Version(installed)
    except InvalidVersion:
        return stated == installed
    return a.public == b.public and (None in (a.local, b.local) or a.local == b.local)


def engines(modules: Mapping[str, object] = sys.modules) -> dict[str, str]:
    """Map the engines among ``modules`` to their installed versions, which are empty where no distribution is installed.

    The engines are the known frameworks, with two exceptions. Every process imports numpy, so it counts only where the suite's
    tape, which differentiates for it, is imported. A framework that another one imports by itself (About.brings) counts only
    where other code holds a module, function or class of it.
    """
    found = [name for name in FRAMEWORKS if (TAPE if name == "numpy" else name) in modules]
    brought = {(name, other) for name in found for other in ABOUT[name].brings if other in found}
    for name, other in brought:
        if not _is_held(other, {name, *ABOUT[name].layers, other, *ABOUT[other].parts}, modules):
            found.remove(other)
    return {name: installed(name).get(name, "") for name in found}


def _is_held(package: str, insiders: set[str], modules: Mapping[str, object]) -> bool:
    """Whether a module outside ``insiders`` has imported ``package``, a module of it, or a function or class from it."""
    theirs = {id(module) for name, module in list(modules.items()) if name.partition(".")[0] == package}

    def is_theirs(value: object) -> bool:
        # By type and not by isinstance, which wakes up what is imported lazily.
        if issubclass(type(value), (types.FunctionType, type)):
            return str(value.__module__).partition(".")[0] == package
        return id(value) in theirs

    outside = [module for name, module in list(modules.items()) if name.partition(".")[0] not in insiders]
    spaces = [vars(module) for module in outside if issubclass(type(module), types.ModuleType)]
    return any(is_theirs(value) for space in spaces for value in list(space.values()))


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


class NoAdapter(TypeError):
    """The module of an adapter has no such class, or one that is no adapter."""


def load(name: str) -> Backend:
    """Import the adapter ``name`` and its framework, and construct it.

    ``name`` is one of FRAMEWORKS or ``package.module:Class``. Raises whatever the import raises, and NoAdapter where the
    class is not there, lacks a method of the contract or is no subclass of it.
    """
    module_name, _, class_name = name.partition(":") if is_external(name) else (f"backends.{name}", "", name.capitalize())
    module = importlib.import_module(module_name)
    found = getattr(module, class_name, None)
    if found is None:
        known = [each for each, value in vars(module).items() if _is_adapter(value) and value is not Backend]
        raise NoAdapter(f"{module_name} has no class {class_name}; its adapters are {', '.join(known) or 'none'}")
    if not _is_adapter(found):
        raise NoAdapter(f"{module_name}:{class_name} is not a subclass of backends.base.Backend")
    if inspect.isabstract(found):
        raise NoAdapter(f"{module_name}:{class_name} lacks the methods {', '.join(sorted(found.__abstractmethods__))}")
    adapter: Backend = found()
    return adapter


def _is_adapter(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Backend)
