"""Every operator over arguments of all sizes, as a formula and as a loss made of it."""

from __future__ import annotations

import numpy as np

from arithmetic.floats import Floats
from oracle.graph import evaluated
from runner.formulas import Applied, Broadcast, Pair, Scaled, Weighted
from vocabulary.operators import Operator, public
from vocabulary.tensors import Arrays, Formula

# Arrays with more entries are data, scaled by one parameter: forward mode makes one pass for each parameter.
MOST_PARAMETERS = 4000
# Of each kind of argument, entry by entry, and how many more for each random variant that is asked for.
USUAL, MORE = 500, 50


def is_arithmetic(name: str) -> bool:
    """Whether ``name`` is an operator of two operands, entry by entry."""
    return public()[name].infix and public()[name].elementwise


def pairs(name: str, dtype: str, seed: int, variants: int) -> tuple[Formula, Arrays]:
    """Return (formula, params): an operator entry by entry over numbers of all sizes, so that no error hides another."""
    random = np.random.default_rng([seed, *name.encode()])
    half = USUAL + MORE * variants
    reach = 0.45 * float(np.log(np.finfo(dtype).max))  # products and quotients stay in the range
    a, b = (np.exp(random.uniform(-reach, reach, 2 * half)) * random.choice([-1, 1], 2 * half) for _ in range(2))
    b[:half] = a[:half] * random.uniform(-2, 2, half)  # of sizes alike, which meet in sums
    return Pair(name), {name: np.asarray(array, dtype) for name, array in (("a", a), ("b", b))}


def sweep(
    name: str, dtype: str, seed: int, variants: int, size: tuple[int, ...] | None = None
) -> tuple[Formula, Formula, Arrays, Arrays]:
    """Return (formula, loss, params, data): an operator over numbers of all sizes, and a scalar made of it.

    ``size`` is one of the sizes of its record, if not the usual one; ``variants`` makes the sweep longer.
    """
    record: Operator = public()[name]
    size = size or record.sizes[0]
    random = np.random.default_rng([seed, *name.encode()])
    x = record.drawn(random, dtype, size, USUAL + MORE * variants)
    formula: Formula = (
        Broadcast(name, float(np.array(1 / 3, dtype)))
        if is_arithmetic(name)
        else Applied(name, tuple(x), record.arguments_of(size))
    )
    shape = size if is_arithmetic(name) else evaluated(Floats(), formula, x, {}).shape
    weight = random.normal(size=shape) if name == "@" else random.uniform(0.5, 1.5, shape)
    data: dict[str, np.ndarray] = {"weight": weight}
    if sum(array.size for array in x.values()) > MOST_PARAMETERS:
        formula, x, data = Scaled(formula), {"scale": np.array(0.7137)}, data | x
    params, data = ({key: np.asarray(array, dtype) for key, array in arrays.items()} for arrays in (x, data))
    return formula, Weighted(formula), params, data
