"""What a run is asked to do: options turned into backends, cases and dtypes, with bad input refused at once."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

import backends
import cases
from cases import JUDGED, LONG_RUN, Case, CaseError
from runner.options import DEFAULT_DTYPES, QUICK_DTYPES
from runner.validation import validate
from vocabulary.words import DTYPES, LEVELS

MOST_SHARDS = 10_000
TESTS = Path(__file__).parents[1] / "tests"


@dataclasses.dataclass(frozen=True)
class Shard:
    """Part ``number`` of a run that is dealt out over ``of`` machines."""

    number: int = 1
    of: int = 1

    @classmethod
    def parsed(cls, text: str) -> Shard:
        """Return the shard that is written K/N. Raises pytest.UsageError."""
        found = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
        number, of = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= of <= MOST_SHARDS:
            raise pytest.UsageError(f"--shard={text}: must be K/N with 1 <= K <= N <= {MOST_SHARDS}")
        return cls(number, of)

    def holds(self, unit: str) -> bool:
        """Whether ``unit`` of work belongs to this shard: a matter of its name alone, on every machine and in every version."""
        return int.from_bytes(hashlib.blake2b(unit.encode(), digest_size=8).digest()) % self.of == self.number - 1


@dataclasses.dataclass(frozen=True)
class Plan:
    """The run: every backend with every case in every dtype. ``missing`` maps frameworks left out to the reason."""

    backends: tuple[str, ...]
    cases: dict[str, Case]
    left_out: tuple[str, ...]  # cases that are long or, under --quick, have more than JUDGED steps
    levels: tuple[str, ...]
    dtypes: tuple[str, ...]
    limit: float
    memory: float
    missing: dict[str, str]
    random: int
    seed: int
    shard: Shard
    nodes: bool
    long: bool
    quick: bool
    files: dict[str, str]  # of the cases that are not built in
    only: tuple[str, ...]  # words that choose cases, dtypes and levels
    tests: tuple[str, ...]  # words that choose tests, of which only pytest knows the meaning
    again: tuple[str, ...]  # further options that a message needs in order to say how to repeat a check

    @property
    def sampled(self) -> list[str]:
        """The cases whose runs are sampled."""
        return [name for name, case in self.cases.items() if case.steps >= LONG_RUN and not self.long]

    def is_whole(self, case: Case, level: str, dtype: str) -> bool:
        """Whether the run of ``case`` is made in full there: if it is sampled, at its first level in the widest dtype."""
        if case.name not in self.sampled:
            return True
        return level == first_level(case, self.levels) and dtype == self.widest

    @property
    def widest(self) -> str:
        """The widest dtype of the run."""
        return max(self.dtypes, key=lambda dtype: np.dtype(dtype).itemsize)

    def asked(self, tests: Sequence[str]) -> list[str]:
        """Return the backends of the tests with these names."""
        return [name for name in self.backends if any(f"[{name}-" in test for test in tests)]

    @property
    def families(self) -> list[Case]:
        """The first case of every formula, layers and optimizer: variants of the others would be the same."""
        firsts: dict[tuple[object, ...], Case] = {}
        for case in self.cases.values():
            kind = (case.network.objective, case.network.reduction) if case.network else ()
            firsts.setdefault((case.loss, kind, case.optimizer, case.steps > 0), case)
        return list(firsts.values())


def first_level(case: Case, levels: Sequence[str]) -> str:
    """Return the first of ``levels`` that ``case`` can be written at."""
    return next(level for level in levels if not case.levels[level])


def make_plan(config: pytest.Config) -> Plan:
    """Return the run that the options ask for. Raises pytest.UsageError, having imported no framework."""
    option = config.getoption
    if option("--quick") and option("--long"):
        raise pytest.UsageError("--quick and --long: ask for one of them")
    for name in ("--time-limit", "--memory-limit"):
        if not 0 < option(name) < float("inf"):
            raise pytest.UsageError(f"{name}={option(name)}: must be a number above 0")
    try:
        outside = _from_files(option("--cases"))
        known = cases.unique([*cases.builtin().values(), *(case for case, _ in outside)])
        chosen = {name: known[name] for name in _known("case", option("--case"), known)}
        usual = {name: case for name, case in known.items() if _is_usual(case, long=option("--long"), quick=option("--quick"))}
        dtypes = tuple(_known("dtype", option("--dtype"), DTYPES, QUICK_DTYPES if option("--quick") else DEFAULT_DTYPES))
        for case in (chosen or usual).values():
            validate(case, dtypes, option("--memory-limit"), long=option("--long"))
    except CaseError as error:
        raise pytest.UsageError(str(error)) from error
    for name in ("--random", "--seed"):
        if option(name) < 0:
            raise pytest.UsageError(f"{name}={option(name)}: must be a whole number, 0 or more")
    if option("--results") == "":
        raise pytest.UsageError("--results=: the name of a file is missing")
    absent = {name: reason for name in backends.FRAMEWORKS if (reason := backends.missing(name))}
    asked = _asked_backends(option("--backend"))
    return Plan(
        backends=asked or tuple(name for name in backends.FRAMEWORKS if name not in absent),
        cases=chosen or usual,
        left_out=tuple(name for name in known if not chosen and name not in usual),
        levels=tuple(_known("level", option("--level"), LEVELS, LEVELS)),
        dtypes=dtypes,
        limit=option("--time-limit"),
        memory=option("--memory-limit"),
        missing={name: reason for name, reason in absent.items() if not asked or name in asked},
        random=option("--random"),
        seed=option("--seed"),
        shard=Shard.parsed(option("--shard")),
        nodes=option("--nodes"),
        long=option("--long"),
        quick=option("--quick"),
        files={case.name: path for case, path in outside},
        only=(
            *(["--quick"] if option("--quick") else []),
            *(f"{flag} {name}" for flag in ("--case", "--dtype", "--level") for name in option(flag)),
        ),
        tests=_chosen_tests(config),
        again=_again(config),
    )


def _is_usual(case: Case, *, long: bool, quick: bool) -> bool:
    """Whether ``case`` is judged where no --case is given."""
    return case.steps <= JUDGED if quick else long or not case.long


def _from_files(paths: Iterable[str]) -> list[tuple[Case, str]]:
    found, faults = [], []
    for path in paths:
        try:
            found += [(case, path) for case in cases.from_file(path)]
        except CaseError as error:
            faults.append(str(error))
    if faults:
        raise CaseError("\n".join(faults))
    return found


def _again(config: pytest.Config) -> tuple[str, ...]:
    option = config.getoption
    words = [word for file in option("--cases") for word in ("--cases", file)]
    words += [flag for flag in ("--long", "--nodes") if option(flag)]
    words += [word for name in option("--case") for word in ("--case", name)]
    if option("--random"):
        words += ["--random", str(option("--random")), "--seed", str(option("--seed"))]
    return tuple(words)


def _chosen_tests(config: pytest.Config) -> tuple[str, ...]:
    option = config.option
    words = [f"{flag} {value}" for flag, value in (("-k", option.keyword), ("-m", option.markexpr)) if value]
    words += [f"--deselect {test}" for test in option.deselect or ()]
    words += [f"--ignore={path}" for path in option.ignore or () if not _holds_no_judgement(config, path)]
    words += [f"--ignore-glob={pattern}" for pattern in option.ignore_glob or ()]
    words += ["--last-failed"] if getattr(option, "lf", False) else []
    for given in config.args:
        if not TESTS.is_relative_to((config.invocation_params.dir / given.partition("::")[0]).resolve()):
            words.append(given)
    return tuple(words)


def _holds_no_judgement(config: pytest.Config, path: str) -> bool:
    return (config.invocation_params.dir / path).resolve().is_relative_to(TESTS / "meta")


def _known(what: str, asked: list[str], known: Iterable[str], default: Iterable[str] = ()) -> list[str]:
    for name in asked:
        if name not in known:
            raise pytest.UsageError(f"unknown {what} {name!r}; known: {', '.join(known)}")
    return list(dict.fromkeys(asked or default))


def _asked_backends(asked: list[str]) -> tuple[str, ...]:
    names = ", ".join(backends.FRAMEWORKS)
    hint = f"known: {names}, all of them as 'all', or package.module:Class for an adapter outside this repository"
    asked = [name for given in asked for name in (backends.FRAMEWORKS if given == "all" else (given,))]
    for name in asked:
        if not backends.is_external(name):
            if name not in backends.FRAMEWORKS:
                is_module = name.replace(".", "").isidentifier() and importlib.util.find_spec(name.partition(".")[0])
                meant = f"; {name} is a module: give the class too, as {name}:Class" if is_module else ""
                raise pytest.UsageError(f"unknown backend {name!r}{meant}; {hint}")
            continue
        module, _, class_name = name.partition(":")
        try:
            found = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            found = None
        if found is None:
            raise pytest.UsageError(f"backend {name!r}: no module {module!r} can be found on PYTHONPATH; {hint}")
        if not class_name.isidentifier():
            raise pytest.UsageError(f"backend {name!r}: after ':' stands the name of a class, got {class_name!r}; {hint}")
    return tuple(sorted(dict.fromkeys(asked), key=_order))


def _order(name: str) -> int:
    return backends.FRAMEWORKS.index(name) if name in backends.FRAMEWORKS else len(backends.FRAMEWORKS)
