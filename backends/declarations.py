"""What an adapter declares, read for words that mean nothing: they would excuse nothing, or be taken for something else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from backends.base import (
    ALL_OPERATIONS,
    AT_ZERO,
    CONVENTIONS,
    DTYPES,
    FUNCTIONS,
    HYPERPARAMETERS,
    LEVELS,
    NUMERIC,
    OBJECTIVES,
    OPTIMIZER_DTYPE,
    PARTS,
    REDUCTIONS,
    RULES,
    SCALARS_KEEP_DTYPE,
    Backend,
    Deviation,
    place_of,
)

OF_OPTIMIZERS = (HYPERPARAMETERS, OPTIMIZER_DTYPE)


def place(backend: Backend, attribute: str) -> str:
    """Return the file of the class that gives ``backend`` its ``attribute``."""
    owner = next(kind for kind in type(backend).__mro__ if attribute in vars(kind))
    return place_of(getattr(sys.modules.get(owner.__module__), "__file__", None) or owner.__module__)


def faults(backend: Backend) -> list[str]:
    """Return a sentence for every word of the declarations of ``backend`` that means nothing, with the words that do."""
    settings = [setting.name for setting in backend.settings]
    found = [
        f"{place(backend, name)}: {name} names {_words(unknown)}; known: {_words(known)}"
        for name, words, known in (
            ("adam", [backend.adam], CONVENTIONS),
            ("lacks", backend.lacks, LEVELS[1:]),
            ("unsupported", [dtype for dtype, _ in backend.unsupported], DTYPES),
            ("unsupported", [operation for _, operation in backend.unsupported], ALL_OPERATIONS),
            ("settings", [setting.objective for setting in backend.settings], OBJECTIVES),
            ("settings", [setting.promises for setting in backend.settings], REDUCTIONS),
        )
        if (unknown := [word for word in words if word not in known])
    ]
    if unstated := set(NUMERIC) ^ set(backend.numeric):
        found.append(
            f"{place(backend, 'numeric')}: numeric has to state {_words(NUMERIC)}; missing or unknown: {_words(unstated)}"
        )
    if not 0 <= backend.kink <= 1:
        found.append(f"{place(backend, 'kink')}: kink is a subgradient of relu at 0, from 0 to 1, got {backend.kink!r}")
    if len(set(settings)) < len(settings):
        found.append(f"{place(backend, 'settings')}: two settings have the same name, of {_words(settings)}")
    for deviation in backend.deviations:
        found += [
            f"{deviation.place}: the Deviation of {deviation.subject!r} {fault}"
            for fault in _faults(deviation, settings, "optimizer" in backend.lacks)
        ]
    return found


def _faults(deviation: Deviation, settings: list[str], without_optimizers: bool) -> Iterator[str]:
    # What a field can be declared of: there, and nowhere else, it is tested to hold still.
    subjects = {
        "absolute": (*FUNCTIONS, *OBJECTIVES),
        "widens": (*ALL_OPERATIONS, SCALARS_KEEP_DTYPE, OPTIMIZER_DTYPE),
        "through": OF_OPTIMIZERS,
        "instead": (*settings, *map(AT_ZERO.format, settings)),
    }
    known = tuple(dict.fromkeys(subject for named in subjects.values() for subject in named))
    if deviation.subject not in known:
        yield f"names nothing; known: {_words(known)}"
        return
    stated = [field for field in subjects if getattr(deviation, field)]
    if not stated:
        yield f"says in none of its fields how it deviates; known: {_words(subjects)}"
    for field in stated:
        if deviation.subject not in subjects[field]:
            yield f"has {field!r}, which is no matter of its subject; those of which it is: {_words(subjects[field])}"
    if deviation.subject in OF_OPTIMIZERS and without_optimizers:
        yield "is one of optimisers, and the level 'optimizer' is declared to be lacking"
    for name, words, meant in (
        ("dtypes", deviation.dtypes, DTYPES),
        ("through", filter(None, [deviation.through]), ("float32", "float16")),
        ("what", deviation.what, PARTS),
        ("of", deviation.of, RULES),
    ):
        if unknown := [word for word in words if word not in meant]:
            yield f"has {name} {_words(unknown)}; known: {_words(meant)}"
    if not deviation.dtypes:
        yield f"has no dtypes; known: {_words(DTYPES)}"
    if {bool(deviation.through), bool(deviation.what)} == {True, False} or (deviation.through and not deviation.of):
        yield "has some of 'through', 'what' and 'of', which mean nothing without each other"


def _words(words: Iterable[str]) -> str:
    return ", ".join(repr(word) for word in words)
