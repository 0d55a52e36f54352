"""Outputs and targets at which losses are judged: of all sizes, far out, and one example at a time."""

from __future__ import annotations

import numpy as np

from vocabulary.losses import possible
from vocabulary.tensors import Arrays


def sweep(name: str, dtype: str, seed: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return params and data of the objective ``name``: outputs z of all sizes, saturated ones included, and targets y.

    The data hold the constants of all losses that it may be, too. Shapes: z and y (16, units). Raises ValueError for an
    unknown objective.
    """
    random = np.random.default_rng([seed, *name.encode()])
    examples, units = (16, 5) if name == "softmax cross-entropy" else (16, 1)
    z = np.linspace(-25, 25, examples)[:, np.newaxis] if units == 1 else random.uniform(-25, 25, (examples, units))
    if units > 1:
        z[0, :2] = z[0].max()  # a tie of the largest
    y = np.eye(units)[random.integers(units, size=examples)] if units > 1 else random.integers(2, size=(examples, 1))
    if units == 1 and dtype != "float64":
        y[np.abs(z) > 10] = 1  # close to 1, narrow dtypes cannot tell a clipped probability from a rounded one
    constants = {constant: value for loss in possible(name) for constant, value in loss.constants.items()}
    return {"z": np.asarray(z, dtype)}, {key: np.asarray(array, dtype) for key, array in {"y": y, **constants}.items()}


def far_out(z: np.ndarray) -> np.ndarray:
    """Return outputs as far out as exp of them overflows, and half as far again."""
    reach = 1.5 * float(np.log(np.finfo(z.dtype).max))
    return np.asarray(z * (reach / np.abs(z).max()), z.dtype)


def alone(params: Arrays, data: Arrays) -> tuple[list[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """Return outputs one example at a time, whose errors no other example hides, and their target, one for all."""
    z = params["z"] if params["z"].shape[1] > 1 else np.linspace(-25, 25, 60, dtype=params["z"].dtype)[:, np.newaxis]
    return [{"z": row} for row in z[:, np.newaxis]], {**data, "y": data["y"][-1:]}
