"""A program as layers: what a framework's own layers and losses are asked to compute, and the same as a formula."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from vocabulary.layers import ACTIVATIONS, LAYERS, Layer
from vocabulary.layers.layer import matrix
from vocabulary.losses import OBJECTIVES, REDUCTIONS, objective
from vocabulary.tensors import Arrays, Ops, Tensor


@dataclasses.dataclass(frozen=True)
class Network:
    """Layers and an objective that is reduced over the examples by ``sum`` or ``mean``.

    ``inputs`` and ``targets`` are names of data, one example a row; scalars per example may stand without a second axis, and
    a scalar weight is a matrix of one entry. Both entropies are taken of logits: the last layer then has no activation.
    """

    layers: tuple[Layer, ...]
    objective: str
    reduction: str
    inputs: str = "X"
    targets: str = "y"

    def fault(self, params: Arrays, data: Arrays) -> str:
        """Return what keeps ``params`` and ``data`` from fitting the layers, or nothing."""
        if not isinstance(self.layers, tuple) or not all(isinstance(layer, Layer) for layer in self.layers) or not self.layers:
            known = ", ".join(kind.__name__ for kind in LAYERS.values())
            return f"the layers of its network are a tuple of {known}, got {self.layers!r}"
        try:
            OBJECTIVES.check(self.objective)
            REDUCTIONS.check(self.reduction)
            for layer in self.layers:
                ACTIVATIONS.check(layer.activation)
        except ValueError as error:
            return f"its network has an {error}"
        names = [name for layer in self.layers for name in layer.named]
        if sorted(names) != sorted(params):
            return f"its layers use the parameters {sorted(names)}, it has {sorted(params)}; each belongs to one layer"
        if not {self.inputs, self.targets} <= set(data):
            return f"its layers take the data {[self.inputs, self.targets]}, it has {sorted(data)}"
        n, units = matrix(data[self.inputs]).shape
        for number, layer in enumerate(self.layers, start=1):
            if layer.takes_ones and (number > 1 or not (matrix(data[self.inputs])[:, -1] == 1).all()):
                return f"layer {number} has no bias, and its inputs no last column of ones"
            try:
                units = layer.units(params, units)
            except ValueError as error:
                return f"layer {number} {error}"
        targets = data[self.targets]
        if matrix(targets).shape != (n, units) or targets.ndim != data[self.inputs].ndim:
            return f"its layers give the shape {(n, units)}, data[{self.targets!r}] has shape {targets.shape}"
        return self._targets_fault(targets, units)

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

    def at(self, params: Arrays) -> list[Layer]:
        """Return the layers with arrays in canonical shapes in place of names of ``params``."""
        return [layer.at(params) for layer in self.layers]

    def packed(self, arrays: Sequence[np.ndarray], like: Arrays) -> dict[str, np.ndarray]:
        """Return the parameters of each layer in turn as those of the case, in the shapes that ``like`` has.

        Raises ValueError, with both, where shapes do not fit.
        """
        got = [np.shape(array) for array in arrays]
        expected = [array.shape for layer in self.at(like) for array in layer.arrays]
        if got != expected:
            raise ValueError(f"the layers hold parameters of shapes {got}; those of the case have {expected}")
        rest = iter(arrays)
        params: dict[str, np.ndarray] = {}
        for layer in self.layers:
            params |= layer.packed([next(rest) for _ in layer.parameters], like)
        return params

    def examples(self, data: Arrays) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs and targets as matrices, one example a row, without the column of ones."""
        inputs = matrix(data[self.inputs])
        return (inputs[:, :-1] if self.layers[0].takes_ones else inputs), matrix(data[self.targets])

    def outputs(self, ops: Ops, params: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> Tensor:
        """The layers as a formula. Raises ValueError for an unknown activation."""
        x = data[self.inputs]
        for layer in self.layers:
            x = layer.formula(ops, params, x)
        return x

    def loss(self, ops: Ops, params: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> Tensor:
        """The objective of the layers as a formula."""
        return objective(ops, self.objective, self.reduction, self.outputs(ops, params, data), data[self.targets])
