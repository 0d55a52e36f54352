"""What a record of a layer says, whichever layer it is. Parameters are names in a case, arrays in the hands of an adapter."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from vocabulary.tensors import Arrays, Ops, Tensor
from vocabulary.words import DTYPES, Words, unknown

# The name of a parameter in a case, or its array.
Parameter: TypeAlias = Any

# What may follow a layer, each as a formula. The empty word stands for none.
ACTIVATIONS: Words[Callable[[Ops, Tensor], Tensor]] = Words(
    "activation",
    {
        "sigmoid": lambda ops, x: ops.sigmoid(x),
        "tanh": lambda ops, x: ops.tanh(x),
        "relu": lambda ops, x: ops.relu(x),
        "": lambda ops, x: x,
    },
)


class Layer(ABC):
    """One layer of a network. A subclass is a frozen dataclass with a field for each of its ``parameters``.

    ``word`` is what tables of layers call it. ``parameters`` maps each parameter to its canonical shape, in names of sizes; in
    this order they come back from an adapter. ``activation`` is one of ACTIVATIONS.
    """

    word: ClassVar[str]
    parameters: ClassVar[Mapping[str, tuple[str, ...]]]
    activation: str

    @property
    def named(self) -> list[str]:
        """The names of its parameters in the case."""
        return [name for field in self.parameters if (name := getattr(self, field))]

    @property
    def takes_ones(self) -> bool:
        """Whether, in a case, a last column of ones among the inputs stands for its bias."""
        return False

    @property
    def arrays(self) -> list[np.ndarray]:
        """The arrays of its parameters, in canonical shapes and in the order of ``parameters``."""
        return [getattr(self, field) for field in self.parameters]

    @abstractmethod
    def at(self, params: Arrays) -> Self:
        """Return the layer with arrays in canonical shapes in place of the names that they have in ``params``."""

    @abstractmethod
    def packed(self, arrays: Sequence[np.ndarray], like: Arrays) -> dict[str, np.ndarray]:
        """Return ``arrays``, as ``at`` gives them, under their names in the case and in the shapes that ``like`` has."""

    @abstractmethod
    def units(self, params: Arrays, inputs: int) -> int:
        """Return how many numbers an example has after this layer, which takes ``inputs``.

        Raises ValueError for what in ``params`` does not fit.
        """

    @abstractmethod
    def formula(self, ops: Ops, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """The layer as a formula of its inputs ``x``. Raises ValueError for an unknown activation."""

    def activated(self, ops: Ops, x: Tensor) -> Tensor:
        """What the activation makes of ``x``."""
        return ACTIVATIONS[self.activation](ops, x)

    def check_dtypes(self) -> None:
        """Raises ValueError for an array of a dtype that no run can ask for: frameworks make layers of whole numbers too."""
        for array in self.arrays:
            if isinstance(array, np.ndarray) and array.dtype.name not in DTYPES:
                raise unknown("dtype of a layer:", array.dtype.name, DTYPES)


def matrix(array: np.ndarray) -> np.ndarray:
    """Return a vector, or a number, as a matrix of one column."""
    return array if array.ndim == 2 else array.reshape(-1, 1)
