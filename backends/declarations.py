"""What an adapter declares, read before any test: values of the wrong type, and unknown words, are faults.

They would excuse nothing, be taken for something else, or end the run when they are written down.
"""

from __future__ import annotations

import dataclasses
import itertools
import reprlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from backends import FRAMEWORKS
from backends.base import Backend, Deviation, NativeLoss, absent_operations, place_of, unsupported_levels
from backends.text import printable
from vocabulary.losses import LOSSES, OBJECTIVES, REDUCTIONS, possible
from vocabulary.operators import functions, named, public
from vocabulary.rules import MASTER_WEIGHTS, builtin, values
from vocabulary.words import (
    AT_ZERO,
    DTYPES,
    FAR_OUT,
    HYPERPARAMETERS,
    LEVELS,
    MODES,
    NUMERIC,
    ONE_BY_ONE,
    OPTIMIZER_DTYPE,
    SCALARS_KEEP_DTYPE,
    SLOPE_OF,
    STAGES,
    TRAINING_DTYPE,
)

OF_OPTIMIZERS = (HYPERPARAMETERS, OPTIMIZER_DTYPE)
# No honest declaration comes near; without an end to them, one adapter could fill the results file of all.
MOST_CHARACTERS = 1000
# Endings that no name of a native loss may have, as checks of another may be called so.
WHERE = tuple(words.format("") for words in (AT_ZERO, FAR_OUT, ONE_BY_ONE))
MOST_ENTRIES = 1000
MOST_SIZE = 1e308
# Of a fault, which lists the words that are known.
MOST_WORDS = 2000

_name = vars(type)["__name__"].__get__  # whatever a class calls itself
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


def shown(value: object) -> str:
    """Return the repr of ``value``, cut short, in one printable line, whatever its repr does."""
    try:
        words = _short.repr(value)
    except BaseException:  # a repr is the adapter's own code, which may exit
        words = object.__repr__(value)
    return printable(words[:200])


def modules(backend: Backend) -> list[str]:
    """Return the modules of the classes that make up ``backend``, the contract aside."""
    names = [vars(kind)["__module__"] for kind in type(backend).__mro__ if kind not in Backend.__mro__]
    return list(dict.fromkeys(printable(name[:MOST_CHARACTERS]) if type(name) is str else shown(name) for name in names))


def place(backend: Backend, attribute: str) -> str:
    """Return the file of the class that gives ``backend`` its ``attribute``."""
    kinds = type(backend).__mro__
    owner = next((kind for kind in kinds if attribute in vars(kind)), kinds[0])
    try:
        if attribute in vars(backend):
            owner = kinds[0]
        name = place_of(getattr(sys.modules.get(owner.__module__), "__file__", None) or owner.__module__)
    except BaseException:  # an adapter may call its module and its file what it likes
        name = object.__repr__(owner)
    return printable(name[:MOST_CHARACTERS])


# Kinds. A reader returns a plain value of its kind, which any file can hold, or raises.


class _Wrong(Exception):
    """A value that is not of its kind; ``where`` it lies inside the declaration."""

    def __init__(self, got: object, expected: str, where: str = "") -> None:
        super().__init__(f"{where}: got {shown(got)} ({shown(_name(type(got)))[1:-1]}); expected {expected}")
        self.got = got
        self.expected = expected
        self.where = where

    def inside(self, where: str) -> _Wrong:
        return _Wrong(self.got, self.expected, where + self.where)


Reader = Callable[[Any], Any]


def _text(value: Any) -> str:
    # By type and not by isinstance, which asks the value.
    if not issubclass(type(value), str):
        raise _Wrong(value, "a str")
    text = str.__str__(value)
    if len(text) > MOST_CHARACTERS or not text.isprintable():
        raise _Wrong(value, f"one line of at most {MOST_CHARACTERS} printable characters")
    return text


def _said(value: Any) -> str:
    text = _text(value)
    if not text.strip():
        raise _Wrong(value, "a str that says something")
    return text


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise _Wrong(value, "a bool")
    return value


def _number(most: float) -> Reader:
    def read(value: Any) -> float:
        for kind in (float, int):
            if issubclass(type(value), kind) and type(value) is not bool and 0 <= (plain := kind.__pos__(value)) <= most:
                return float(plain)
        raise _Wrong(value, f"a Python number from 0 to {most:g}")

    return read


def _function(value: Any) -> Callable[..., Any]:
    if not callable(value):
        raise _Wrong(value, "a function")
    return value


def _anything(value: Any) -> Any:
    return value


def _pair(value: Any) -> tuple[str, str]:
    if not issubclass(type(value), tuple) or tuple.__len__(value) != 2:
        raise _Wrong(value, "a pair of str, dtype and operation")
    dtype, operation = _tuple(_text)(value)
    return dtype, operation


def _tuple(reader: Reader) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not issubclass(type(value), (tuple, list)):
            raise _Wrong(value, "a tuple")
        return tuple(_inside(f"[{index}]", reader, entry) for index, entry in enumerate(_few(value, value)))

    return read


def _mapping(key: Reader, reader: Reader) -> Reader:
    def read(value: Any) -> dict[Any, Any]:
        if not issubclass(type(value), Mapping):
            raise _Wrong(value, "a dict")
        entries = _few(value.items(), value)
        return {_inside(", a key", key, k): _inside(f"[{_short.repr(k)}]", reader, v) for k, v in entries}

    return read


def _object(kind: type) -> Reader:
    readers = {field.name: BY_TYPE[str(field.type)] for field in dataclasses.fields(kind)}

    def read(value: Any) -> Any:
        if not issubclass(type(value), kind):
            raise _Wrong(value, f"a {kind.__name__}")
        return kind(**{name: _inside(f".{name}", reader, getattr(value, name)) for name, reader in readers.items()})

    return read


def _few(entries: Iterable[Any], value: Any) -> list[Any]:
    found = list(itertools.islice(entries, MOST_ENTRIES + 1))
    if len(found) > MOST_ENTRIES:
        raise _Wrong(value, f"at most {MOST_ENTRIES} entries")
    return found


def _inside(where: str, reader: Reader, value: Any) -> Any:
    try:
        return reader(value)
    except _Wrong as wrong:
        raise wrong.inside(where) from None


def _loss(value: Any) -> Any:
    # By identity: what is no record of the vocabulary has no formula that is known, whatever it calls itself.
    if value is not None and not any(value is loss for loss in LOSSES.values()):
        raise _Wrong(value, f"a record of vocabulary/losses; known: {_words(LOSSES)}")
    return value


# The fields of a Deviation and a NativeLoss, by their annotations.
BY_TYPE: dict[str, Reader] = {
    "str": _text,
    "tuple[str, ...]": _tuple(_text),
    "float": _number(MOST_SIZE),
    "bool": _flag,
    "Callable[[Tensor, Tensor], Tensor]": _function,
    "Loss | None": _loss,
}


# What the contract has an adapter declare, but for deviations, each of which knows its line.
KINDS: dict[str, Reader] = {
    "name": _said,
    "version": _said,
    "namespaces": _tuple(_anything),
    "names": _mapping(_text, _said),
    "modes": _mapping(_text, _text),
    "unsupported": _mapping(_pair, _said),
    "unsupported_levels": _mapping(_text, _said),
    "native_losses": _tuple(_object(NativeLoss)),
    "rules": _tuple(_text),
    "conventions": _mapping(_text, _text),
    "slope_at_kink": _number(1),
    "numeric": _mapping(_text, _text),
}


def read(backend: Backend) -> tuple[SimpleNamespace, list[str]]:
    """Return what ``backend`` declares, in plain values, and a sentence for every fault in it, with what is expected.

    What cannot be read is left at the contract's own value, or left out. Words are read where every value is of its kind, and
    what is absent is added where nothing is wrong.
    """
    faults: list[str] = []

    def taken(at: str, what: str, made: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return made()
        except _Wrong as wrong:
            faults.append(f"{at}: {what}{wrong}")
        except BaseException as error:  # properties and containers are the adapter's own code, which may exit
            faults.append(f"{at}: {what}: reading it raises {shown(error)}")
        return otherwise

    def given(name: str, reader: Reader, otherwise: Any) -> Any:
        return taken(place(backend, name), name, lambda: reader(getattr(backend, name)), otherwise)

    own = vars(Backend) | {"name": "", "version": ""}
    declared = {name: given(name, reader, own[name]) for name, reader in KINDS.items()}
    deviations = [
        taken(_line(entry) or place(backend, "deviations"), f"deviations[{index}]", partial(_object(Deviation), entry), None)
        for index, entry in enumerate(given("deviations", _tuple(_anything), ()))
    ]
    found = SimpleNamespace(**declared, deviations=[deviation for deviation in deviations if deviation is not None])
    faults = faults or [*_meaningless(backend, found)]
    if not faults:
        found.unsupported = absent_operations(backend) | found.unsupported
        found.unsupported_levels = unsupported_levels(backend, found.unsupported_levels)
    return found, [printable(fault[:MOST_WORDS]) for fault in faults]


def _line(deviation: Any) -> str:
    """Where ``deviation`` says that it is declared, as far as it can be read."""
    try:
        return _text(deviation.place)
    except BaseException:  # as of what may be no Deviation at all; reading its fields says what is wrong
        return ""


def belied(backend: Backend, name: str, engines: Iterable[str]) -> list[str]:
    """Return a fault where ``name`` is that of a known framework and not among ``engines``, which the process has imported.

    What imports none of them may be called numpy: every process imports it.
    """
    if name not in FRAMEWORKS or name in engines or (name == "numpy" and not [*engines]):
        return []
    found = _words(engines) or "none of the known frameworks, or numpy's arrays alone"
    return [
        f"{place(backend, 'name')}: name is {name!r}, but the adapter computes with {found}; "
        "set name to the framework that computes, or to a name of your own"
    ]


# Words.


def _meaningless(backend: Backend, declared: SimpleNamespace) -> Iterator[str]:
    """Yield a sentence for every word of what is ``declared`` that means nothing, with the words that do."""
    native = declared.native_losses
    names = [each.name for each in native]
    objectives = {each.name: each.objective for each in native}
    for name, words, known in (
        ("modes", declared.modes.values(), MODES),
        ("rules", declared.rules, builtin()),
        ("conventions", declared.conventions, builtin()),
        *(
            ("conventions", [word], builtin()[rule].conventions)
            for rule, word in declared.conventions.items()
            if rule in builtin()
        ),
        ("unsupported_levels", declared.unsupported_levels, LEVELS[1:]),
        ("names", declared.names, named()),
        ("unsupported", [dtype for dtype, _ in declared.unsupported], DTYPES),
        ("unsupported", [operation for _, operation in declared.unsupported], public()),
        ("native_losses", [each.objective for each in native], OBJECTIVES),
        ("native_losses", [each.reduction for each in native], REDUCTIONS),
    ):
        if unknown := [word for word in words if word not in known]:
            yield f"{place(backend, name)}: {name} names {_words(unknown)}; known: {_words(known)}"
    for name, stated, wanted in (("modes", declared.modes, STAGES), ("numeric", declared.numeric, NUMERIC)):
        if unstated := sorted({*wanted} ^ {*stated}):
            yield f"{place(backend, name)}: {name} has to state {_words(wanted)}; missing or unknown: {_words(unstated)}"
    if len(set(names)) < len(names):
        yield f"{place(backend, 'native_losses')}: two native losses have the same name, of {_words(names)}"
    if taken := [name for name in names if name.startswith(SLOPE_OF.format("")) or name.endswith(WHERE)]:
        yield f"{place(backend, 'native_losses')}: {_words(taken)} may be taken for checks of another: choose other names"
    if not all(names):
        yield f"{place(backend, 'native_losses')}: a native loss has no name"
    without_optimizers = "optimizer" in unsupported_levels(backend, declared.unsupported_levels)
    for deviation in declared.deviations:
        for fault in _faults(deviation, objectives, without_optimizers):
            yield f"{deviation.place or place(backend, 'deviations')}: the Deviation of {deviation.subject!r} {fault}"


def _faults(deviation: Deviation, objectives: Mapping[str, str], without_optimizers: bool) -> Iterator[str]:
    # What a field can be declared of: there, and nowhere else, it is tested to hold still.
    subjects = {
        "absolute": (*functions(), *OBJECTIVES),
        "widens": (*public(), SCALARS_KEEP_DTYPE, OPTIMIZER_DTYPE),
        "passes_through": (*OF_OPTIMIZERS, TRAINING_DTYPE),
        "computes": (*objectives, *map(AT_ZERO.format, objectives)),
    }
    known = tuple(dict.fromkeys(subject for named in subjects.values() for subject in named))
    if deviation.subject not in known:
        yield f"has an unknown subject; known: {_words(known)}"
        return
    stated = [field for field in subjects if getattr(deviation, field)]
    if not stated:
        yield f"says in none of its fields how it deviates; known: {_words(subjects)}"
    for field in stated:
        if deviation.subject not in subjects[field]:
            yield f"sets {field!r}, which this subject cannot have; subjects that can: {_words(subjects[field])}"
    if deviation.subject in OF_OPTIMIZERS and without_optimizers:
        yield "is about optimisers, and the level 'optimizer' is unsupported: remove the Deviation, or write `fit`"
    for name, objective in objectives.items():
        if deviation.computes and deviation.subject in (name, AT_ZERO.format(name)) and objective in OBJECTIVES:
            losses = possible(objective)
            if deviation.computes not in losses:
                known = tuple(loss.words for loss in losses)
                yield (
                    f"has computes={deviation.computes.words!r}, which is no loss of the objective {objective!r}; "
                    f"known: {_words(known)}"
                )
    by_hand = deviation.subject == TRAINING_DTYPE
    for name, words, meant in (
        ("dtypes", deviation.dtypes, DTYPES),
        ("passes_through", filter(None, [deviation.passes_through]), ("float32", "float16")),
        ("values", deviation.values, MASTER_WEIGHTS["values"] if by_hand else values()),
        ("rules", deviation.rules, MASTER_WEIGHTS["rules"] if by_hand else builtin()),
    ):
        if unknown := [word for word in words if word not in meant]:
            yield f"has {name} {_words(unknown)}; known: {_words(meant)}"
    for name in ("reason", "size", "link"):
        if not getattr(deviation, name).strip():
            yield f"has no {name}"
    if not deviation.dtypes:
        yield f"has no dtypes; known: {_words(DTYPES)}"
    together = ("passes_through", "values", "rules")
    absent = [name for name in together if not getattr(deviation, name)]
    if absent and (deviation.passes_through or deviation.values):
        yield f"sets some of {_words(together)}, which stand together, and lacks {_words(absent)}"


def _words(words: Iterable[str]) -> str:
    return ", ".join(repr(word) for word in words)
