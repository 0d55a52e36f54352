"""Every operation over arguments of all sizes, as a formula and as a loss made of it."""

import dataclasses
import operator

import numpy as np

from vocabulary.words import MATMUL

ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
# Libraries take other ways for other sizes. Square ones, so that a transpose too many or too few is no error of shapes;
# multiples of 8, which go to wider registers; long ones, whose sums are made in parts, those of a gradient over many rows
# included; lengths that leave 13, 14 and 15 terms over where 16 are added at once.
SIZES = {
    "+": [(7, 5), (64, 8), (141, 3)],
    MATMUL: [(17, 17, 17), (16, 32, 8), (1, 129, 3), (48, 48, 48), (2, 141, 3), (141, 3, 2), (3, 1038, 2), (1, 4111, 2)],
    "sum": [(6, 10), (1, 1), (1, 129), (1, 1025), (1, 141), (1, 1038), (1, 40015)],
    "mean": [(6, 10), (1, 1), (1, 129), (1, 1025), (1, 141), (1, 1038), (1, 4111)],
}
# Arrays with more entries are data, scaled by one parameter: forward mode makes one pass for each parameter.
MOST_PARAMETERS = 4000
# The last 16 terms of a long sum are 256 times as large as the others: rounding cannot explain that one of them is missing.
LAST, HEAVIER, LONG = 16, 256, 128


def sizes(operation):
    """Return the sizes of arrays that ``operation`` is asked for, of which the first is the usual one."""
    return SIZES.get("+" if operation in ARITHMETIC else operation, [()])


@dataclasses.dataclass(frozen=True)
class Pair:
    """An operation of two operands as a formula of a and b."""

    operation: str

    def __call__(self, ops, params, data):
        return ARITHMETIC[self.operation](params["a"], params["b"])


def pairs(operation, dtype, plan):
    """Return (formula, params): ``operation`` entry by entry over numbers of all sizes, so that no error hides another."""
    random = np.random.default_rng([plan.seed, *operation.encode()])
    half = 500 + 50 * plan.random
    reach = 0.45 * float(np.log(np.finfo(dtype).max))  # products and quotients stay in the range
    a, b = (np.exp(random.uniform(-reach, reach, 2 * half)) * random.choice([-1, 1], 2 * half) for _ in range(2))
    b[:half] = a[:half] * random.uniform(-2, 2, half)  # of sizes alike, which meet in sums
    return Pair(operation), {name: np.asarray(array, dtype) for name, array in (("a", a), ("b", b))}


@dataclasses.dataclass(frozen=True)
class One:
    """An operation as a formula of x."""

    operation: str

    def __call__(self, ops, params, data):
        return getattr(ops, self.operation)(params["x"])


def sweep(operation, dtype, plan, size=None):
    """Return (formula, loss, params, data): ``operation`` over numbers of all sizes, and a scalar made of it.

    ``size`` is one of ``sizes(operation)``, if not the usual one.
    """
    size = size or sizes(operation)[0]
    random = np.random.default_rng([plan.seed, *operation.encode()])
    if operation in ARITHMETIC:
        combine, fine = ARITHMETIC[operation], float(np.array(1 / 3, dtype))
        rows, columns = size
        shapes = {"a": (rows, columns), "b": (columns,), "c": (rows, 1), "d": (1, columns), "e": (), "f": (1,)}
        x = {name: random.uniform(0.5, 2, shape) * random.choice([-1, 1], shape) for name, shape in shapes.items()}
        data = {"weight": random.uniform(0.5, 1.5, size)}

        def formula(ops, params, data):
            a, b, c, d, e, f = (params[name] for name in "abcdef")
            pairs = [combine(a, b), combine(b, a), combine(c, d), combine(d, c), combine(a, e), combine(e, a), combine(f, a)]
            # A number that no narrower dtype holds: frameworks that take scalars through float32 lose it.
            total = combine(combine(2, a), combine(a, 3)) + combine(fine, a) + 2 * combine(a, fine)
            for times, pair in enumerate(pairs, start=2):  # so that a - b and b - a do not cancel
                total = total + times * pair
            return total
    elif operation == MATMUL:
        rows, inner, columns = size
        x = {"x": random.normal(size=(rows, inner)), "y": random.normal(size=(inner, columns))}
        x["x"][:, -LAST:] *= HEAVIER if inner > LONG else 1
        data = {"weight": random.normal(size=(rows, columns))}

        def formula(ops, params, data):
            return params["x"] @ params["y"]
    else:
        half = 500 + 50 * plan.random
        x = {"x": random.normal(size=size) if size else numbers(operation, dtype, random, half)}
        if size and size[-1] > LONG:
            x["x"][:, -LAST:] *= HEAVIER
        shape = () if operation in ("sum", "mean") else x["x"].shape
        data = {"weight": random.uniform(0.5, 1.5, shape)}

        def formula(ops, params, data):
            return getattr(ops, operation)(params["x"])

    if sum(array.size for array in x.values()) > MOST_PARAMETERS:
        formula, x, data = scaled(formula), {"scale": np.array(0.7137)}, data | x

    def loss(ops, params, data):
        return ops.sum(formula(ops, params, data) * data["weight"])

    params, data = ({name: np.asarray(array, dtype) for name, array in arrays.items()} for arrays in (x, data))
    return formula, loss, params, data


def scaled(formula):
    """Return ``formula`` of data in place of parameters, of which x is scaled by one parameter."""

    def of_scale(ops, params, data):
        return formula(ops, {**data, "x": data["x"] * params["scale"]}, data)

    return of_scale


def numbers(operation, dtype, random, half):
    """Return arguments of all sizes that ``operation`` takes in ``dtype``."""
    reach = 0.9 * float(np.log(np.finfo(dtype).max))  # exp of this is near the largest number
    sizes = np.exp(random.uniform(-0.9 * reach, 0.0, half)) * random.choice([-1, 1], half)
    if operation == "log":
        return np.concatenate([np.exp(random.uniform(-reach, reach, half)), 1 + 0.1 * sizes, random.uniform(2, 3, 3)])
    turn = -float(np.log(np.finfo(dtype).eps))  # where sigmoid and tanh come to their limits
    # Beyond all exponentials a function is at its limit; at the largest arguments exp and the kink of relu give no verdict.
    limits = {"exp": [0, -2 * reach], "relu": [-2 * reach, 2 * reach]}.get(operation, [0, -2 * reach, 2 * reach])
    return np.concatenate([random.uniform(-reach, reach, half), random.uniform(-turn, turn, half), sizes, limits])
