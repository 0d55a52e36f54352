"""Formulas of classifiers that are trained in mini-batches; they import no data, so that backends need none."""


def entropy(ops, z, y):
    """mean(log(1 + exp(z)) - y z): the loss of NAND as a mean, from logits.

    From probabilities it is no loss for a large rate: one that rounding makes 0 or 1 has no logarithm.
    """
    return ops.mean(ops.log(1 + ops.exp(z)) - y * z)


def one_layer_mean(ops, params, data):
    """The mean cross-entropy of p = sigmoid(X w)."""
    return entropy(ops, data["X"] @ params["w"], data["y"])


def two_layers_mean(ops, params, data):
    """The mean cross-entropy of p = sigmoid(sigmoid(X w1) w2 + b2)."""
    return entropy(ops, ops.sigmoid(data["X"] @ params["w1"]) @ params["w2"] + params["b2"], data["y"])


def logits(ops, params, data):
    """X W + b, or with a hidden layer tanh(X W1 + b1) W2 + b2."""
    if "W" in params:
        return data["X"] @ params["W"] + params["b"]
    return ops.tanh(data["X"] @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"]


def softmax(ops, params, data):
    """exp(z_j) / sum_k exp(z_k) for each row of logits."""
    powers = ops.exp(logits(ops, params, data))
    return powers / (powers @ data["ones"])


def softmax_loss(ops, params, data):
    """mean(log sum_j exp(z_j) - sum_j y_j z_j) over the rows, y one-hot; "ones" is a column of ones, to sum rows with."""
    z = logits(ops, params, data)
    return ops.mean(ops.log(ops.exp(z) @ data["ones"]) - (data["y"] * z) @ data["ones"])
