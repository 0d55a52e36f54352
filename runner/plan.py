"""What a run is asked to do: options turned into backends, cases and dtypes, with bad input refused at once."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import itertools
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

import backends
import cases
from arithmetic.balls import Balls, written
from arithmetic.floats import Floats
from cases import Case, CaseError, Figure
from oracle.graph import evaluated
from runner.figures import shape
from runner.options import DEFAULT_DTYPES
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
    left_out: tuple[str, ...]  # long cases that were not asked for
    levels: tuple[str, ...]
    dtypes: tuple[str, ...]
    limit: float
    memory: float
    missing: dict[str, str]
    random: int
    seed: int
    shard: Shard
    nodes: bool
    files: dict[str, str]  # of the cases that are not built in
    only: tuple[str, ...]  # words that choose cases, dtypes and levels
    tests: tuple[str, ...]  # words that choose tests, of which only pytest knows the meaning
    again: tuple[str, ...]  # further options that a message needs in order to say how to repeat a check

    @property
    def families(self) -> list[Case]:
        """The first case of every formula, layers and optimizer: variants of the others would be the same."""
        firsts: dict[tuple[object, ...], Case] = {}
        for case in self.cases.values():
            kind = (case.network.objective, case.network.reduction) if case.network else ()
            firsts.setdefault((case.loss, kind, case.optimizer, case.steps > 0), case)
        return list(firsts.values())


def make_plan(config: pytest.Config) -> Plan:
    """Return the run that the options ask for. Raises pytest.UsageError, having imported no framework."""
    option = config.getoption
    try:
        outside = _from_files(option("--cases"))
        known = cases.unique([*cases.builtin().values(), *(case for case, _ in outside)])
        chosen = {name: known[name] for name in _known("case", option("--case"), known)}
        usual = {name: case for name, case in known.items() if option("--long") or not case.long}
        dtypes = tuple(_known("dtype", option("--dtype"), DTYPES, DEFAULT_DTYPES))
        for case in (chosen or usual).values():
            validate(case, dtypes)
    except CaseError as error:
        raise pytest.UsageError(str(error)) from error
    for name in ("--time-limit", "--memory-limit"):
        if not 0 < option(name) < float("inf"):
            raise pytest.UsageError(f"{name}={option(name)}: must be a number above 0")
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
        files={case.name: path for case, path in outside},
        only=tuple(f"{flag} {name}" for flag in ("--case", "--dtype", "--level") for name in option(flag)),
        tests=_chosen_tests(config),
        again=_again(config),
    )


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
                raise pytest.UsageError(f"unknown backend {name!r}; {hint}")
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


def validate(case: Case, dtypes: Iterable[str]) -> None:
    """Evaluate ``case`` once over numpy, or on its first and last batch. Raises CaseError where it cannot be judged."""
    for dtype in dtypes:
        params, data = case.at(dtype)
        for seen in _examples_of(case, data):
            _evaluate(case, params, seen)
        if case.held_out:
            _evaluate(case, params, case.rounded(case.held_out, dtype))
    for figure in case.figures:
        _count(case, figure)
    if case.network:
        _compare_layers(case, next(_examples_of(case, dict(case.data))))


def _examples_of(case: Case, data: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """The data that the first step and the last step of an epoch see."""
    if case.batches is None:
        yield dict(data)
        return
    epoch = list(itertools.islice(case.batches, case.batches.an_epoch))
    for rows in (epoch[0], epoch[-1]):
        yield {name: array[rows] if name in case.batches.rows else array for name, array in data.items()}


def _count(case: Case, figure: Figure) -> None:
    """A figure prints one number for each entry of its quantity, in dtypes that are known."""
    runs = figure.runs if isinstance(figure.runs, tuple) else ()
    if not runs or not all(dtype in DTYPES for dtype in (figure.printed_by, *runs)):
        raise CaseError(
            f"case {case.name!r}: the figure of its {figure.quantity} has printed_by={figure.printed_by!r} and "
            f"runs={figure.runs!r}; expected a dtype and a tuple of them, of {', '.join(DTYPES)}"
        )
    try:
        expected = shape(case, figure.quantity, case.params, case.data)
    except ValueError as error:
        raise CaseError(f"case {case.name!r}: {error}") from error
    if (printed := len(figure.text.split())) != math.prod(expected):
        raise CaseError(
            f"case {case.name!r}: the figure of its {figure.quantity} prints {printed} numbers, and the {figure.quantity} has "
            f"{math.prod(expected)} (shape {expected}); print one number for each entry"
        )


class _Ops(Floats):
    """numpy that refuses, in a formula, what is no number that the oracle can take."""

    def lift(self, value: Any, like: np.ndarray) -> np.ndarray:
        if isinstance(value, np.generic | np.ndarray):
            # Frameworks take its dtype, which is not that of the run.
            raise TypeError(f"a number in a formula is an int or a float, got {value!r}; give an array as data")
        written(value)
        lifted: np.ndarray = super().lift(value, like)
        return lifted


def _evaluate(case: Case, params: dict[str, np.ndarray], data: dict[str, np.ndarray]) -> None:
    ops = _Ops()
    arrays, inside = (MappingProxyType({name: ops.tensor(array) for name, array in given.items()}) for given in (params, data))
    leaves = MappingProxyType(ops.leaves(dict(arrays)))
    try:
        with np.errstate(all="ignore"):
            value = case.loss(ops, leaves, inside)
            shape = getattr(value, "shape", None)
            used = ops.adjoints(value) if shape == () else {}
            if case.predict is not None:
                case.predict(ops, leaves, inside)
    except (Exception, SystemExit) as error:  # a formula is a user's code: whatever it raises, the case has to be named
        raise CaseError(f"case {case.name!r}: its formula raises {type(error).__name__}: {error}") from error
    if shape != ():
        raise CaseError(
            f"case {case.name!r}: a loss is a scalar tensor of shape (), this one is {shape or type(value).__name__}"
        )
    unused = [name for name, leaf in leaves.items() if id(leaf) not in used]
    if unused:
        raise CaseError(f"case {case.name!r}: its loss does not use the parameters {unused}; give what is constant as data")


def _compare_layers(case: Case, data: dict[str, np.ndarray]) -> None:
    """The formula and the layers of a case have the same exact loss and gradient, or there are two truths."""
    assert case.network is not None
    exact = Balls()
    params, seen = ({name: exact.tensor(array) for name, array in arrays.items()} for arrays in (case.params, data))
    try:
        (one, by_formula), (other, by_layers) = (
            exact.value_and_grad(loss, params, seen) for loss in (case.loss, case.network.loss)
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise CaseError(f"case {case.name!r}: its network raises {type(error).__name__}: {error}") from error
    pairs = {"loss": (one, other)} | {f"gradient {name}": (by_formula[name], by_layers[name]) for name in by_formula}
    for quantity, (a, b) in pairs.items():
        for x, y in zip(a.value.ravel(), b.value.ravel(), strict=True):
            if not x.overlaps(y):
                raise CaseError(
                    f"case {case.name!r}: its formula has the {quantity} {float(x)}, its network has {float(y)}; "
                    "both have to say the same: look at reduction, objective and activations"
                )


def reference_goal(case: Case, params: dict, dtype: str) -> bool:
    """Whether ``params`` reach the goal of ``case``, computed by numpy in float64 whoever trained them."""
    weights, data = (
        {name: array.astype("float64") for name, array in arrays.items()} for arrays in (params, case.at(dtype)[1])
    )
    assert case.goal is not None
    with np.errstate(all="ignore"):  # a diverging run is judged too
        prediction, loss = (
            evaluated(Floats(), formula, weights, data).value for formula in (case.predict or case.loss, case.loss)
        )
        return case.goal(float(loss), prediction, data)
