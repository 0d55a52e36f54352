"""A training run as numpy arrays; its methods give an adapter the same as tensors of its framework."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from vocabulary.layers import Layer
from vocabulary.network import Network
from vocabulary.rules import Optimizer, by_hand
from vocabulary.tensors import Arrays, Formula, Tensor, Tensors
from vocabulary.words import AUTODIFF, NATIVE, unknown

# Makes a tensor of an array, as Backend.tensor does.
Made = Callable[[np.ndarray], Tensor]


@dataclasses.dataclass(frozen=True)
class Training:
    """A training run to be made, in arrays of one dtype.

    ``loss`` is its formula and ``params`` its start. ``batches`` holds, for each step, which examples of the data named in
    ``rows`` it sees, or is None where each step sees all. ``keep`` are the steps to be returned, counted from 0. ``network``
    says the same in layers; it is None where the run is made at the level of autodiff alone.

    An adapter's ``fit`` gets it, to be written at ``level`` in the framework's own terms. It asks for ``layers``,
    ``objective``, ``reduction`` and ``examples``, or, where the framework has optimisers and no layers, for ``loss``,
    ``start`` and ``each_step``; and for ``optimizer``, whose step the framework's own makes where ``native`` says so.
    """

    loss: Formula
    params: Arrays
    data: Arrays
    optimizer: Optimizer
    steps: int
    keep: np.ndarray
    level: str = AUTODIFF
    batches: Sequence[np.ndarray] | None = None
    rows: tuple[str, ...] = ()
    network: Network | None = None

    @property
    def native(self) -> bool:
        """Whether the framework's own optimiser makes the steps, which are written by hand otherwise.

        Raises ValueError for an unknown level, and for a rule that is not written by hand.
        """
        native = NATIVE[self.level]
        if not native and self.optimizer.name not in by_hand():
            raise unknown(f"rule at the level {self.level!r}, whose step is written by hand:", self.optimizer.name, by_hand())
        return native

    @property
    def layers(self) -> list[Layer]:
        """The layers at their start. They map inputs, shape (n, inputs), to outputs (n, units). Raises ValueError without."""
        return self._network.at(self.params)

    @property
    def objective(self) -> str:
        """One of OBJECTIVES, taken of outputs without activation and targets of the same shape. Raises ValueError without."""
        return self._network.objective

    @property
    def reduction(self) -> str:
        """One of REDUCTIONS, of the objective over the examples. Raises ValueError without layers."""
        return self._network.reduction

    @property
    def _network(self) -> Network:
        if self.network is None:
            raise ValueError("this training run has a formula and no layers")
        return self.network

    def packed(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Return what ``fit`` has yielded of the layers under the names of ``params``. Raises ValueError for other shapes."""
        return self._network.packed(arrays, self.params)

    def seen(self, step: int) -> dict[str, np.ndarray]:
        """Return the data that ``step`` sees."""
        if self.batches is None:
            return dict(self.data)
        chosen = self.batches[step]
        return {name: array[chosen] if name in self.rows else array for name, array in self.data.items()}

    def start(self, tensor: Made) -> Tensors:
        """Return the start of all parameters, under their names in the formula, as ``tensor`` makes them."""
        return {name: tensor(array) for name, array in self.params.items()}

    def each_step(self, tensor: Made) -> Iterable[Tensors]:
        """Return the data that each step sees, as ``tensor`` makes them: once, where all steps see the same."""

        def made(step: int) -> Tensors:
            return {name: tensor(array) for name, array in self.seen(step).items()}

        return itertools.repeat(made(0), self.steps) if self.batches is None else map(made, range(self.steps))

    def examples(self, tensor: Made) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs (n, inputs) and targets (n, units) of every step, as ``tensor`` makes them, for the layers.

        Raises ValueError where there are none.
        """
        every = None
        for step in range(self.steps):
            if every is None or self.batches is not None:
                inputs, targets = self._network.examples(self.seen(step))
                every = tensor(inputs), tensor(targets)
            yield every
