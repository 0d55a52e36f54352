"""Adapters whose results are of another dtype than any run asks for, or of another shape or memory, their values right."""

from __future__ import annotations

from typing import Any

import numpy as np

from arithmetic.tape import Taped
from backends.numpy import Numpy


class Extended(Numpy):
    def array(self, tensor: Taped) -> Any:
        return tensor.value.astype(np.longdouble)


class Complex(Numpy):
    def array(self, tensor: Taped) -> Any:
        return tensor.value.astype(np.complex128)


class Text(Numpy):
    def array(self, tensor: Taped) -> Any:
        return tensor.value.astype(str)


class Objects(Numpy):
    def array(self, tensor: Taped) -> Any:
        return tensor.value.astype(object)


class Records(Numpy):
    def array(self, tensor: Taped) -> Any:
        return tensor.value.view([("x", tensor.value.dtype)])


class Whole(Numpy):
    def array(self, tensor: Taped) -> Any:
        with np.errstate(invalid="ignore"):
            return tensor.value.astype(np.int64)


class Half(Numpy):
    def array(self, tensor: Taped) -> Any:
        with np.errstate(over="ignore"):
            return tensor.value.astype(np.float16)


class Swapped(Numpy):
    """The bytes are in the other order."""

    def array(self, tensor: Taped) -> Any:
        return tensor.value.astype(tensor.value.dtype.newbyteorder())


class Masked(Numpy):
    """The arrays are of a subclass, read-only and not contiguous, which is no fault."""

    def array(self, tensor: Taped) -> Any:
        strided = np.repeat(tensor.value[..., np.newaxis], 2, axis=-1)[..., 0]
        strided.flags.writeable = False
        return np.ma.masked_array(strided, mask=False)


class Late(Numpy):
    """From the fourth step of a run on, ``late`` makes another array of each gradient."""

    def late(self, g: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        for step, (value, gradient, weights) in enumerate(super().train(loss, params, batches, rate)):
            late = {name: Taped(self.late(g.value), self) for name, g in gradient.items()}
            yield value, late if step >= 3 else gradient, weights


class LateFlat(Late):
    def late(self, g: np.ndarray) -> np.ndarray:
        return g.ravel()


class LateDurations(Late):
    def late(self, g: np.ndarray) -> np.ndarray:
        return g.astype("m8[s]")


class GradientsOnly(Numpy):
    """Gradients come in extended precision, losses as they should."""

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        value, gradient = super().value_and_grad(loss, params, data)
        return value, {name: Taped(g.value.astype(np.longdouble), self) for name, g in gradient.items()}
