"""Operands of all sizes, drawn for the sweeps of operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Random = np.random.Generator
Operands = dict[str, np.ndarray]
# The last 16 terms of a long sum are 256 times as large as the others: rounding cannot explain that one of them is missing.
LAST, HEAVIER, LONG = 16, 256, 128


def of_all_sizes(far: Sequence[float] = (0, -1, 1)) -> Callable[..., Operands]:
    """Return what draws arguments of all sizes, up to r = 0.9 log(largest number), and then 2 r times each of ``far``."""

    def draw(random: Random, dtype: str, size: tuple[int, ...], half: int) -> Operands:
        reach = 0.9 * float(np.log(np.finfo(dtype).max))  # exp of this is near the largest number
        sizes = _small(random, reach, half)
        turn = -float(np.log(np.finfo(dtype).eps))  # where sigmoid and tanh come to their limits
        # Beyond all exponentials a function is at its limit.
        limits = [2 * reach * distance for distance in far]
        return {"x": np.concatenate([random.uniform(-reach, reach, half), random.uniform(-turn, turn, half), sizes, limits])}

    return draw


def positive(random: Random, dtype: str, size: tuple[int, ...], half: int) -> Operands:
    """Positive numbers of all sizes, and some near 1."""
    reach = 0.9 * float(np.log(np.finfo(dtype).max))
    sizes = _small(random, reach, half)
    return {"x": np.concatenate([np.exp(random.uniform(-reach, reach, half)), 1 + 0.1 * sizes, random.uniform(2, 3, 3)])}


def _small(random: Random, reach: float, half: int) -> np.ndarray:
    return np.exp(random.uniform(-0.9 * reach, 0.0, half)) * random.choice([-1, 1], half)


def terms(random: Random, dtype: str, size: tuple[int, ...], half: int) -> Operands:
    """Terms of sums."""
    x = random.normal(size=size)
    if size[-1] > LONG:
        x[:, -LAST:] *= HEAVIER
    return {"x": x}


def matrices(random: Random, dtype: str, size: tuple[int, ...], half: int) -> Operands:
    """Two matrices to be multiplied; ``size`` is rows, inner and columns."""
    rows, inner, columns = size
    x = {"x": random.normal(size=(rows, inner)), "y": random.normal(size=(inner, columns))}
    x["x"][:, -LAST:] *= HEAVIER if inner > LONG else 1
    return x


def broadcast(random: Random, dtype: str, size: tuple[int, ...], half: int) -> Operands:
    """Operands of all shapes that broadcast with ``size``, none near zero."""
    rows, columns = size
    shapes = {"a": (rows, columns), "b": (columns,), "c": (rows, 1), "d": (1, columns), "e": (), "f": (1,)}
    return {name: random.uniform(0.5, 2, shape) * random.choice([-1, 1], shape) for name, shape in shapes.items()}
