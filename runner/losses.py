"""What a loss of a framework may compute, whatever its name promises."""

import numpy as np

from vocabulary.losses import objective
from vocabulary.words import NO_SLOPE

# Keras' epsilon(), in the dtype of the run.
CLIP = 1e-7


def _clipped(ops, z, y, limit):
    p = ops.sigmoid(z)
    loss = -ops.log(y * p + (1 - y) * (1 - p))
    least = -ops.log(1 - limit)
    most = -ops.log(y * limit + (1 - y) * (1 - (1 - limit)))  # 1 - (1 - limit) is no longer limit, once rounded
    loss = least + ops.relu(loss - least)  # max(loss, least)
    return most - ops.relu(most - loss)  # min(loss, most)


def _clipped_and_added(ops, z, y, limit):
    p = limit + ops.relu(ops.sigmoid(z) - limit)  # max(p, limit)
    p = 1 - limit - ops.relu(1 - limit - p)  # min(p, 1 - limit)
    return -ops.log(y * (p + limit) + (1 - y) * (1 - p + limit))


def formula(words, name):
    """Return the objective ``name`` as ``words`` say, of params["z"], outputs of layers, and data["y"], targets."""

    def loss(ops, params, data):
        z, y = params["z"], data["y"]
        if words == CLIPPED:
            return ops.mean(_clipped(ops, z, y, data["limit"]))
        if words == CLIPPED_AND_ADDED:
            return ops.mean(_clipped_and_added(ops, z, y, data["limit"]))
        if words.endswith(NO_SLOPE):  # the loss as it is at 0, and the slope that is left of it
            return getattr(ops, words.split()[0])(ops.log(1 + ops.exp(0 * z)) - y * z)
        value = objective(ops, name, words.split()[-1], z, y)
        return value * 0.5 if words.startswith("half") else value

    return loss


CLIPPED = f"mean with probabilities clipped at {CLIP}"
CLIPPED_AND_ADDED = f"{CLIPPED}, which is also added to them"  # of Keras 2


def known(name):
    """Return what the objective ``name`` may be in place of what it promises."""
    words = ["sum", "mean", "half the sum", "half the mean"]
    binary = [CLIPPED, CLIPPED_AND_ADDED, f"sum {NO_SLOPE}", f"mean {NO_SLOPE}"]
    return words + binary if name == "binary cross-entropy" else words


def sweep(name, dtype, seed):
    """Return params and data: outputs of all sizes, saturated ones included, and targets."""
    random = np.random.default_rng([seed, *name.encode()])
    examples, units = (16, 5) if name == "softmax cross-entropy" else (16, 1)
    z = np.linspace(-25, 25, examples)[:, np.newaxis] if units == 1 else random.uniform(-25, 25, (examples, units))
    if units > 1:
        z[0, :2] = z[0].max()  # a tie of the largest
    y = np.eye(units)[random.integers(units, size=examples)] if units > 1 else random.integers(2, size=(examples, 1))
    if units == 1 and dtype != "float64":
        y[np.abs(z) > 10] = 1  # close to 1, narrow dtypes cannot tell a clipped probability from a rounded one
    data = {"y": y} | ({"limit": CLIP} if name == "binary cross-entropy" else {})
    return {"z": np.asarray(z, dtype)}, {key: np.asarray(array, dtype) for key, array in data.items()}


def far_out(z):
    """Return outputs as far out as exp of them overflows, and half as far again."""
    reach = 1.5 * float(np.log(np.finfo(z.dtype).max))
    return np.asarray(z * (reach / np.abs(z).max()), z.dtype)


def alone(params, data):
    """Return outputs one example at a time, whose errors no other example hides, and their target, one for all."""
    z = params["z"] if params["z"].shape[1] > 1 else np.linspace(-25, 25, 60, dtype=params["z"].dtype)[:, np.newaxis]
    return [{"z": row} for row in z[:, np.newaxis]], data | {"y": data["y"][-1:]}
