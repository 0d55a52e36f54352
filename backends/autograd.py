"""HIPS autograd: numpy code, traced as it runs."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import expit

from backends.base import SCALARS_KEEP_DTYPE, Backend, Deviation, Formula, Tensor, Tensors

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


class Autograd(Backend):
    name = "autograd"
    deviations = (_NO_HALF, _PROMOTES) if np.lib.NumpyVersion(np.__version__) < "2.0.0" else (_NO_HALF,)

    exp = staticmethod(anp.exp)
    log = staticmethod(anp.log)
    tanh = staticmethod(anp.tanh)
    sigmoid = staticmethod(expit)
    sum = staticmethod(anp.sum)
    mean = staticmethod(anp.mean)

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

    def train(self, loss: Formula, params: Tensors, data: Tensors, rate: float) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        step = autograd.value_and_grad(lambda leaves: loss(self, leaves, data))
        while True:
            value, gradient = step(params)
            # The rate takes the dtype of the weight: see the deviation above.
            params = {name: w - w.dtype.type(rate) * gradient[name] for name, w in params.items()}
            yield value, gradient, params
