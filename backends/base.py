"""The contract: what a framework brings to be judged.

An adapter is a subclass of Backend in a file of its own. It says how the framework's users do five things:
tensors in and out, the named operations, a loss with its gradient, and a training step. Arithmetic
(``+ - * / @``) stays with the framework's own tensors.
"""

from __future__ import annotations

import dataclasses
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

Tensor = Any
Tensors = dict[str, Tensor]
Formula = Callable[[Any, Mapping[str, Tensor], Mapping[str, Tensor]], Tensor]

# The named operations. An adapter defines every one, and each is measured against the truth on its own.
FUNCTIONS = ("exp", "log", "tanh", "sigmoid")
OPERATIONS = (*FUNCTIONS, "relu", "sum", "mean")
MATMUL = "@"
ALL_OPERATIONS = (*OPERATIONS, MATMUL, "+", "-", "*", "/")
# Precisions that a run may ask for, the default ones first.
DTYPES = ("float32", "float64", "float16")
# Clauses of the contract that a deviation may name, next to the named operations.
SCALARS_KEEP_DTYPE = "scalars keep the dtype"


@dataclasses.dataclass(frozen=True)
class Deviation:
    """A stated way in which a framework differs from the contract, tested to differ still.

    ``subject`` is a named operation or a clause of the contract, ``dtypes`` where it shows, ``size`` what was
    measured, ``link`` where upstream says so. ``absolute`` is, for an elementary function whose error does not shrink
    with its value, the size of that error in units roundoff, to a factor of two; ``widens`` says that results come in a
    wider dtype. Checks of formulas that use the subject, and that this explains, are reported as this deviation.
    """

    subject: str
    dtypes: tuple[str, ...]
    reason: str
    size: str
    link: str
    absolute: float = 0.0
    widens: bool = False


class Backend(ABC):
    """One framework behind tensor, grad and train step. Also the ``ops`` that a formula receives.

    ``name`` is what reports call it, ``version`` what runs. ``unsupported`` maps (dtype, operation) to the reason why
    the framework lacks it; it has to raise there. ``modes`` says how gradients and training steps are executed.
    """

    name: ClassVar[str]
    modes: ClassVar[Mapping[str, str]] = {"gradient": "eager", "training": "eager"}
    unsupported: ClassVar[Mapping[tuple[str, str], str]] = {}
    deviations: ClassVar[tuple[Deviation, ...]] = ()

    @property
    @abstractmethod
    def version(self) -> str:
        """The version of the framework that was imported."""

    @abstractmethod
    def tensor(self, array: np.ndarray) -> Tensor:
        """Return a tensor with the values, shape and dtype of ``array``, sharing no memory with it."""

    @abstractmethod
    def array(self, tensor: Tensor) -> np.ndarray:
        """Return the values of ``tensor`` as a numpy array of the same shape and dtype."""

    @abstractmethod
    def exp(self, x: Tensor, /) -> Tensor:
        """e to the power x, elementwise."""

    @abstractmethod
    def log(self, x: Tensor, /) -> Tensor:
        """Natural logarithm, elementwise."""

    @abstractmethod
    def tanh(self, x: Tensor, /) -> Tensor:
        """Hyperbolic tangent, elementwise."""

    @abstractmethod
    def sigmoid(self, x: Tensor, /) -> Tensor:
        """1 / (1 + exp(-x)), elementwise, as the framework offers it."""

    @abstractmethod
    def relu(self, x: Tensor, /) -> Tensor:
        """max(x, 0), elementwise."""

    @abstractmethod
    def sum(self, x: Tensor, /) -> Tensor:
        """Sum of all elements, a scalar of shape ()."""

    @abstractmethod
    def mean(self, x: Tensor, /) -> Tensor:
        """Mean of all elements, a scalar of shape ()."""

    @abstractmethod
    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        """Return loss(ops, params, data) and its gradient for every parameter, by the framework's own means."""

    @abstractmethod
    def train(self, loss: Formula, params: Tensors, data: Tensors, rate: float) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        """Prepare gradient descent once, then make one step ``w -= rate * gradient`` each time the iterator is advanced.

        Yields, after the step, the loss and gradient before it and the parameters after it.
        """


@dataclasses.dataclass(frozen=True)
class Path:
    """A training run in arrays: entry k of ``losses`` and ``gradients`` belongs to entry k of ``params``.

    Shapes: losses (n, ...), gradients[name] (n, ...), params[name] (n + 1, ...), for n steps.
    """

    losses: np.ndarray
    gradients: dict[str, np.ndarray]
    params: dict[str, np.ndarray]


class Engine:
    """A backend with numpy arrays on both sides. Every verdict rests on these calls."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def describe(self) -> dict[str, Any]:
        """Return what the report says of this backend: name, version, declarations, and numeric modes as probed."""
        from backends.probes import probe

        return {
            "name": self.backend.name,
            "version": str(self.backend.version),
            "modes": {stage: self.backend.modes[stage] for stage in ("gradient", "training")},
            "unsupported": [[*key, reason] for key, reason in self.backend.unsupported.items()],
            "deviations": [dataclasses.asdict(deviation) for deviation in self.backend.deviations],
            "probed": probe(self.backend),
        }

    def apply(self, formula: Formula, params: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return formula(ops, params, data), forward only."""
        return self._out(formula(self.backend, self._in(params), self._in(data)))

    def gradients(
        self, loss: Formula, starts: list[Mapping[str, np.ndarray]], data: Mapping[str, np.ndarray]
    ) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Return loss and gradient at each of ``starts``."""
        results = []
        for params in starts:
            value, gradient = self.backend.value_and_grad(loss, self._in(params), self._in(data))
            results.append((self._out(value), self._all_out(gradient, params)))
        return results

    def gradients_twice(
        self, loss: Formula, params: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray], rate: float
    ) -> tuple[list[tuple[np.ndarray, dict[str, np.ndarray]]], dict[str, np.ndarray]]:
        """Return two results from the same tensors, and those tensors read back after that and after two steps from them."""
        params_in, data_in = self._in(params), self._in(data)
        results = []
        for _ in range(2):
            value, gradient = self.backend.value_and_grad(loss, params_in, data_in)
            results.append((self._out(value), self._all_out(gradient, params)))
        if rate:
            for _ in itertools.islice(self.backend.train(loss, params_in, data_in, rate), 2):
                pass
        after = {f"params[{key!r}]": self._out(tensor) for key, tensor in params_in.items()}
        after |= {f"data[{key!r}]": self._out(tensor) for key, tensor in data_in.items()}
        return results, after

    def follows(self, array: np.ndarray) -> bool:
        """Whether a tensor made from ``array`` changes when the array does."""
        array = np.array(array)
        tensor = self.backend.tensor(array)
        before = self._out(tensor)
        array += 1
        return not np.array_equal(before, self._out(tensor))

    def path(
        self, loss: Formula, params: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray], rate: float, steps: int
    ) -> Path:
        """Train for ``steps`` steps and return every loss, gradient and parameter on the way."""
        losses, gradients, weights = [], [], [{name: np.array(start) for name, start in params.items()}]
        run = self.backend.train(loss, self._in(params), self._in(data), rate)
        for value, gradient, after in itertools.islice(run, steps):
            # Copied at once: frameworks that train in place hand out the same memory every step.
            losses.append(self._out(value))
            gradients.append(self._all_out(gradient, params))
            weights.append(self._all_out(after, params))
        if len(losses) < steps:
            raise ValueError(f"{self.backend.name}: training ended after {len(losses)} of {steps} steps")
        return Path(
            np.stack(losses),
            {name: np.stack([step[name] for step in gradients]) for name in params},
            {name: np.stack([step[name] for step in weights]) for name in params},
        )

    def _in(self, arrays: Mapping[str, np.ndarray]) -> Tensors:
        return {name: self.backend.tensor(array) for name, array in arrays.items()}

    def _out(self, tensor: Tensor) -> np.ndarray:
        return np.array(self.backend.array(tensor))

    def _all_out(self, tensors: Tensors, expected: Mapping[str, Any]) -> dict[str, np.ndarray]:
        if set(tensors) != set(expected):
            raise ValueError(f"{self.backend.name} returned entries {sorted(tensors)} for parameters {sorted(expected)}")
        return {name: self._out(tensors[name]) for name in expected}
