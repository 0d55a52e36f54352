"""What formulas are made of, as types: the tensors of whoever evaluates them, and that one's operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # the report reads the vocabulary where numpy is not installed
    import numpy as np

# A tensor of the framework that evaluates the formula: the one place where anything is allowed.
Tensor: TypeAlias = Any
Tensors: TypeAlias = dict[str, Tensor]
# The named operations of that framework.
Ops: TypeAlias = Any
# Those of a formula, by name, which it must not change.
TensorsOf: TypeAlias = Mapping[str, Tensor]
# formula(ops, params, data)
Formula: TypeAlias = Callable[[Ops, TensorsOf, TensorsOf], Tensor]
Arrays: TypeAlias = "Mapping[str, np.ndarray]"
