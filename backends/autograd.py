"""HIPS autograd: numpy code, traced as it runs; its optimisers in autograd.misc."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator
from typing import ClassVar

import numpy as np

from backends.base import Backend, Deviation
from backends.legacy import removed_names
from backends.training import Training
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import OPTIMIZER_DTYPE, SCALARS_KEEP_DTYPE, Words

with removed_names():
    import autograd
    import autograd.numpy as anp
    from autograd.misc import optimizers
    from autograd.scipy import special

OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *run, rate: optimizers.sgd(*run, rate, mass=0.0),
        "adam": lambda *run, rate, beta1, beta2, epsilon: optimizers.adam(*run, rate, b1=beta1, b2=beta2, eps=epsilon),
    },
)

# The rule of numpy's value-based casting, replaced in numpy 2 (NEP 50).
_PROMOTES = Deviation(
    SCALARS_KEEP_DTYPE,
    ("float16", "float32"),
    reason="before numpy 2, a 0-d float32 array and a Python number make a float64",
    size="dtype float64 for float32, 1 + x with x of shape ()",
    link="https://numpy.org/neps/nep-0050-scalar-promotion.html",
    widens=True,
)
_NO_HALF = Deviation(
    "sigmoid",
    ("float16",),
    reason="scipy.special.expit has no loop for float16",
    size="dtype float64 for float16",
    link="https://docs.scipy.org/doc/scipy/reference/generated/scipy.special.expit.html",
    widens=True,
)
_KEEPS_FLOAT64 = Deviation(
    OPTIMIZER_DTYPE,
    ("float32",),
    reason="the moments start as float64 zeros, so that the weights go on in float64, rounded for each gradient and callback",
    size="1.9 times the rounding of one float32 update",
    link="https://github.com/HIPS/autograd/blob/v1.9.1/autograd/misc/optimizers.py",
    through="float32",
    what=("weights",),
    of=("sgd",),
)


class Autograd(Backend):
    name = "autograd"
    namespaces = (anp, special)
    names: ClassVar = {"sigmoid": "expit"}
    kink = 0.5  # numpy.maximum shares the slope of a tie
    unsupported_levels: ClassVar = {
        "modules": "autograd differentiates numpy code and has no layers",
        "class": "autograd differentiates numpy code and has no base class for models",
    }
    deviations = (
        (_NO_HALF, _KEEPS_FLOAT64, _PROMOTES) if np.lib.NumpyVersion(np.__version__) < "2.0.0" else (_NO_HALF, _KEEPS_FLOAT64)
    )

    @property
    def version(self) -> str:
        return importlib.metadata.version("autograd")

    def tensor(self, array: np.ndarray) -> Tensor:
        return np.array(array)

    def array(self, tensor: Tensor) -> np.ndarray:
        return np.asarray(tensor)

    def relu(self, x: Tensor) -> Tensor:
        return anp.maximum(x, anp.zeros_like(x))

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        return autograd.value_and_grad(lambda leaves: loss(self, leaves, data))(params)

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        step = autograd.value_and_grad(lambda leaves, data: loss(self, leaves, data))
        for data in batches:
            value, gradient = step(params, data)
            # The rate takes the dtype of the weight: see the deviation above.
            params = {name: w - w.dtype.type(rate) * gradient[name] for name, w in params.items()}
            yield value, gradient, params

    def fit(self, training: Training) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        match training.level:
            case "optimizer":
                return self._optimize(training)
            case _:
                return super().fit(training)  # which raises

    def _optimize(self, training: Training) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        """The optimisers run by themselves and tell a callback; a step is known when the next one begins."""
        batches = list(training.each_step(self.tensor))
        losses: list[Tensor] = []
        told: list[tuple[Tensors, Tensors]] = []

        def gradient(params: Tensors, step: int) -> Tensors:
            value, g = autograd.value_and_grad(lambda leaves: training.loss(self, leaves, batches[step]))(params)
            losses.append(value)
            return g

        def callback(params: Tensors, step: int, g: Tensors) -> None:
            told.append((params, g))

        end = training.optimizer.passed_to(OPTIMIZERS, gradient, training.start(self.tensor), callback, len(batches))
        ends = [params for params, _ in told[1:]] + [end]
        yield from ((value, g, after) for value, (_, g), after in zip(losses, told, ends, strict=True))
