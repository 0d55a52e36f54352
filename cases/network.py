"""A case as layers: what a framework's own layers and losses are asked to compute, and the same as a formula."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

ACTIVATIONS = ("sigmoid", "tanh", "relu")
REDUCTIONS = ("sum", "mean")
Arrays = Mapping[str, np.ndarray]


def _squared_error(ops: Any, outputs: Any, targets: Any) -> Any:
    residual = outputs - targets
    return residual * residual


# Of each example. The entropies are terms that only the exact backends and numpy know.
_LOSSES = {
    "binary cross-entropy": lambda ops, outputs, targets: ops.binary_cross_entropy(outputs, targets),
    "softmax cross-entropy": lambda ops, outputs, targets: ops.softmax_cross_entropy(outputs, targets),
    "squared error": _squared_error,
}
OBJECTIVES = tuple(_LOSSES)


@dataclasses.dataclass(frozen=True)
class Dense:
    """activation(x W + b), with W and b under their names in the case.

    Without ``bias``, the last row of the weight is the bias, and the last column of the inputs is 1. ``activation`` is one
    of ACTIVATIONS or empty.
    """

    weight: str
    bias: str = ""
    activation: str = ""


@dataclasses.dataclass(frozen=True)
class Network:
    """Dense layers and an objective that is reduced over the examples by ``sum`` or ``mean``.

    ``inputs`` and ``targets`` are names of data, one example a row; scalars per example may stand without a second axis, and
    a scalar weight is a matrix of one entry. Both entropies are taken of logits: the last layer then has no activation.
    """

    layers: tuple[Dense, ...]
    objective: str
    reduction: str
    inputs: str = "X"
    targets: str = "y"

    def fault(self, params: Arrays, data: Arrays) -> str:
        """Return what keeps ``params`` and ``data`` from fitting the layers, or nothing."""
        if not isinstance(self.layers, tuple) or not all(isinstance(layer, Dense) for layer in self.layers) or not self.layers:
            return f"the layers of its network are a tuple of Dense, got {self.layers!r}"
        try:
            _known("objective", self.objective, OBJECTIVES)
            _known("reduction", self.reduction, REDUCTIONS)
            for layer in self.layers:
                _known("activation", layer.activation, ("", *ACTIVATIONS))
        except ValueError as error:
            return f"its network has an {error}"
        names = [name for layer in self.layers for name in (layer.weight, layer.bias) if name]
        if sorted(names) != sorted(params):
            return f"its layers are made of the parameters {sorted(names)}, it has {sorted(params)}"
        if not {self.inputs, self.targets} <= set(data):
            return f"its layers take the data {[self.inputs, self.targets]}, it has {sorted(data)}"
        n, inputs = _matrix(data[self.inputs]).shape
        for number, layer in enumerate(self.layers, start=1):
            weight = params[layer.weight]
            if weight.ndim not in (0, 2):
                return f"layer {number} needs a matrix, params[{layer.weight!r}] has shape {weight.shape}"
            rows, units = _matrix(weight).shape
            if not layer.bias and (number > 1 or not (_matrix(data[self.inputs])[:, -1] == 1).all()):
                return f"layer {number} has no bias, and its inputs no last column of ones"
            if rows != inputs:
                return f"layer {number} takes {inputs} inputs, params[{layer.weight!r}] has shape {weight.shape}"
            if layer.bias and params[layer.bias].size != units:
                return f"layer {number} has {units} units, params[{layer.bias!r}] has shape {params[layer.bias].shape}"
            inputs = units
        targets = data[self.targets]
        if _matrix(targets).shape != (n, inputs) or targets.ndim != data[self.inputs].ndim:
            return f"its layers give the shape {(n, inputs)}, data[{self.targets!r}] has shape {targets.shape}"
        return self._targets_fault(targets, inputs)

    def _targets_fault(self, targets: np.ndarray, units: int) -> str:
        if self.objective == "softmax cross-entropy":
            if units < 2 or not (np.sort(targets, axis=1) == np.eye(units)[-1]).all():
                return f"a softmax cross-entropy takes one-hot rows of two classes or more in data[{self.targets!r}]"
        elif units > 1:
            # Some frameworks average over the outputs of an example, some sum, some count them as examples.
            return f"a {self.objective} takes one output an example, its last layer has {units} units"
        elif self.objective == "binary cross-entropy" and not np.isin(targets, (0, 1)).all():
            return f"a binary cross-entropy takes labels 0 and 1 in data[{self.targets!r}]"
        return ""

    def unpacked(self, params: Arrays) -> list[tuple[np.ndarray, np.ndarray, str]]:
        """Return (kernel, bias, activation) of each layer; shapes (inputs, units) and (units,)."""
        layers = []
        for layer in self.layers:
            weight = _matrix(params[layer.weight])
            kernel, bias = (weight, params[layer.bias].reshape(-1)) if layer.bias else (weight[:-1], weight[-1])
            layers.append((kernel, bias, layer.activation))
        return layers

    def packed(self, arrays: Sequence[np.ndarray], like: Arrays) -> dict[str, np.ndarray]:
        """Return kernel and bias of each layer in turn as parameters of the case, in the shapes that ``like`` has.

        Raises ValueError, with both, where shapes do not fit.
        """
        got = [np.shape(array) for array in arrays]
        expected = [part.shape for kernel, bias, _ in self.unpacked(like) for part in (kernel, bias)]
        if got != expected:
            raise ValueError(f"the layers hold parameters of shapes {got}; those of the case have {expected}")
        params = {}
        for layer, kernel, bias in zip(self.layers, arrays[::2], arrays[1::2], strict=True):
            if layer.bias:
                params[layer.weight] = kernel.reshape(like[layer.weight].shape)
                params[layer.bias] = bias.reshape(like[layer.bias].shape)
            else:
                params[layer.weight] = np.concatenate([kernel, bias[np.newaxis]])
        return params

    def examples(self, data: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and targets as matrices, one example a row, without the column of ones."""
        inputs = _matrix(data[self.inputs])
        return (inputs if self.layers[0].bias else inputs[:, :-1]), _matrix(data[self.targets])

    def outputs(self, ops: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        """The layers as a formula. Raises ValueError for an unknown activation."""
        x = data[self.inputs]
        for layer in self.layers:
            weight = params[layer.weight]
            x = x @ weight if weight.shape else x * weight
            x = x + params[layer.bias] if layer.bias else x
            x = getattr(ops, _known("activation", layer.activation, ACTIVATIONS))(x) if layer.activation else x
        return x

    def loss(self, ops: Any, params: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        """The objective of the layers as a formula."""
        return objective(ops, self.objective, self.reduction, self.outputs(ops, params, data), data[self.targets])


def objective(ops: Any, name: str, reduction: str, outputs: Any, targets: Any) -> Any:
    """The sum or mean of an objective over the examples. Raises ValueError for an unknown word."""
    losses = _LOSSES[_known("objective", name, OBJECTIVES)](ops, outputs, targets)
    return getattr(ops, _known("reduction", reduction, REDUCTIONS))(losses)


def _known(kind: str, word: str, words: Collection[str]) -> str:
    """Return ``word`` if it is one of ``words``. Raises ValueError if not."""
    if word not in words:
        raise ValueError(f"unknown {kind} {word!r}; known: {', '.join(filter(None, words))}")
    return word


def _matrix(array: np.ndarray) -> np.ndarray:
    return array if array.ndim == 2 else array.reshape(-1, 1)
