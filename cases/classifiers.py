"""Formulas of classifiers that are trained in mini-batches; they import no data, so that backends need none."""

from cases import nand, xor


def mean_likelihood(ops, p, y):
    return -ops.mean(ops.log(y * p + (1 - y) * (1 - p)))


def one_layer_mean(ops, params, data):
    """-mean log(y p + (1 - y)(1 - p)) with p = sigmoid(X w)."""
    return mean_likelihood(ops, nand.predict(ops, params, data), data["y"])


def two_layers_mean(ops, params, data):
    """-mean log(y p + (1 - y)(1 - p)) with p = sigmoid(sigmoid(X w1) w2 + b2)."""
    return mean_likelihood(ops, xor.predict(ops, params, data), data["y"])


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
