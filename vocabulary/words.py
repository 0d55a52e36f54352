"""The words that several rooms share, each in one place. Imports nothing of the suite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

Meaning = TypeVar("Meaning")


class UnknownWord(ValueError):
    """A word that is not among those of its kind. Of an adapter it says: it has no such thing."""


def unknown(kind: str, word: str, known: Iterable[str]) -> UnknownWord:
    """Return the error of a ``word`` that is not among those ``known`` of its ``kind``."""
    return UnknownWord(f"unknown {kind} {word!r}; known: {', '.join(filter(None, known))}")


class Words(dict[str, Meaning]):
    """What the words of one kind mean to an adapter: ``Words("activation", {"tanh": torch.nn.Tanh})``.

    To look up another word raises UnknownWord, which names it and those that are known.
    """

    def __init__(self, kind: str, meanings: Mapping[str, Meaning]) -> None:
        super().__init__(meanings)
        self.kind = kind

    def check(self, word: str) -> None:
        """Raises UnknownWord for a word that is not known."""
        if word not in self:
            raise unknown(self.kind, word, self)

    def __missing__(self, word: str) -> Meaning:
        raise unknown(self.kind, word, self)


# Precisions that a run may ask for, the default ones first.
DTYPES = ("float32", "float64", "float16")
# The ways to write a training run: by hand over automatic differentiation, with the framework's layers and loss, with its
# optimiser as well, and as a model class of the user's own.
AUTODIFF = "autodiff"
LEVELS = (AUTODIFF, "modules", "optimizer", "class")
# What a backend is asked to compute at the level of autodiff, and how it does.
STAGES = ("gradient", "training")
MODES = EAGER, COMPILED = "eager", "compiled"
# How a check ends, the best first; docs/glossary.md says what each means. From DEVIATES on a check fails its run; from
# MISSING on there was no answer to judge.
VERDICTS = CONFORMS, UNSUPPORTED, UNINFORMATIVE, DEVIATES, MISSING, FAILED, TIMED_OUT, CRASHED = (
    "conforms", "unsupported", "uninformative", "deviates", "missing", "failed", "timed out", "crashed",
)  # fmt: skip
# What a check is called, in messages and tables, whose verdict is DEVIATES and whose backend declares that it does.
DECLARED = "declared"
# Whether the framework's optimiser makes the step at this level. Where not, the step is written by hand.
NATIVE = Words("level", {"modules": False, "optimizer": True, "class": True})
# Clauses of the contract that a deviation may name, next to the named operations.
SCALARS_KEEP_DTYPE = "scalars keep the dtype"
HYPERPARAMETERS = "hyperparameters keep the dtype"
OPTIMIZER_DTYPE = "optimizers keep the dtype"
TRAINING_DTYPE = "training keeps the dtype"
# Whose loop makes the steps of training by hand: that of the contract, or one of the adapter.
LOOPS = FRAMEWORK, SUITE = "framework", "suite"
# Stands for a version that is not known.
UNKNOWN = "unknown"
# What the checks of a native loss are called beside that of its value.
SLOPE_OF, AT_ZERO, FAR_OUT, ONE_BY_ONE, AGAIN = "slope of {}", "{} at 0", "{} far out", "{} one by one", "{} again"
# Numeric modes as IEEE 754 has them: nothing narrower than asked for, and subnormal numbers.
NUMERIC = {
    "float32 matmul": "24 bits",
    "float64 matmul": "53 bits",
    "float32 subnormals": "kept",
    "float64 subnormals": "kept",
}
# The operation that each of them is probed by.
NUMERIC_BY = {"matmul": "@", "subnormals": "*"}
FLUSHED = "flushed to zero"
