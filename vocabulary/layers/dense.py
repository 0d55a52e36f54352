"""The dense layer, which frameworks also call linear or fully connected."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from vocabulary.layers.layer import Layer, Parameter, matrix
from vocabulary.tensors import Arrays, Ops, Tensor


@dataclasses.dataclass(frozen=True)
class Dense(Layer):
    """activation(x @ kernel + bias). Shapes: x (examples, inputs), kernel (inputs, units), bias (units,).

    In a case, ``kernel`` and ``bias`` are names of parameters. Without ``bias``, the last row of the kernel is the bias, and
    the last column of the inputs is 1; a kernel of shape () is a matrix of one entry. In the hands of an adapter both are
    arrays, of the shapes above and of one of DTYPES. ``activation`` is one of ACTIVATIONS: ``sigmoid``, ``tanh``, ``relu``
    or empty.

    Raises ValueError for an array of another dtype.
    """

    kernel: Parameter
    bias: Parameter = ""
    activation: str = ""

    word: ClassVar[str] = "dense"
    parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {"kernel": ("inputs", "units"), "bias": ("units",)}

    def __post_init__(self) -> None:
        self.check_dtypes()

    @property
    def takes_ones(self) -> bool:
        return not len(self.bias)

    def at(self, params: Arrays) -> Dense:
        kernel = matrix(params[self.kernel])
        if self.bias:
            return Dense(kernel, params[self.bias].reshape(-1), self.activation)
        return Dense(kernel[:-1], kernel[-1], self.activation)

    def packed(self, arrays: Sequence[np.ndarray], like: Arrays) -> dict[str, np.ndarray]:
        kernel, bias = arrays
        if self.bias:
            return {
                self.kernel: kernel.reshape(like[self.kernel].shape),
                self.bias: bias.reshape(like[self.bias].shape),
            }
        return {self.kernel: np.concatenate([kernel, bias[np.newaxis]])}

    def units(self, params: Arrays, inputs: int) -> int:
        kernel = params[self.kernel]
        if kernel.ndim not in (0, 2):
            raise ValueError(f"needs a matrix, params[{self.kernel!r}] has shape {kernel.shape}")
        rows, units = matrix(kernel).shape
        if rows != inputs:
            raise ValueError(f"takes {inputs} inputs, params[{self.kernel!r}] has shape {kernel.shape}")
        if self.bias and params[self.bias].size != units:
            raise ValueError(f"has {units} units, params[{self.bias!r}] has shape {params[self.bias].shape}")
        return int(units)

    def formula(self, ops: Ops, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        kernel = params[self.kernel]
        x = x @ kernel if kernel.shape else x * kernel
        return self.activated(ops, x + params[self.bias] if self.bias else x)
