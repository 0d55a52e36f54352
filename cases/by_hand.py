"""Training without automatic differentiation, in numpy: the programs that the others are to be compared with.

Inputs carry the bias as a last column of ones; heaviside(0) = 0.
"""

import numpy as np


def heaviside(z):
    return (z > 0).astype(float)


def perceptron_online(X, y, rate, epochs):
    """Rosenblatt's rule, one example at a time: w += rate (y_i - heaviside(x_i w)) x_i. Returns w of shape (n,)."""
    w = np.zeros(X.shape[1])
    for _ in range(epochs):
        for x, label in zip(X, y, strict=True):
            w += rate * (label - heaviside(x @ w)) * x
    return w


def perceptron_batched(X, y, steps):
    """The same as one matrix product per step: w += X^T (y - heaviside(X w)). Returns w of shape (n,)."""
    w = np.zeros(X.shape[1])
    for _ in range(steps):
        w += X.T @ (y - heaviside(X @ w))
    return w


def logistic_gradient(X, y, w):
    """The derivative of -sum log likelihood of a sigmoid unit, by hand: X^T (sigmoid(X w) - y)."""
    return X.T @ (1 / (1 + np.exp(-(X @ w))) - y)


def logistic_regression(X, y, rate, steps):
    """Full-batch gradient descent with the gradient derived by hand. Returns every w on the way, shape (steps + 1, n)."""
    path = [np.zeros(X.shape[1])]
    for _ in range(steps):
        path.append(path[-1] - rate * logistic_gradient(X, y, path[-1]))
    return np.array(path)


def mse(t_u, t_c, w, b):
    return ((w * t_u + b - t_c) ** 2).mean()


def mse_gradient_by_differences(t_u, t_c, w, b, delta):
    """Central differences of the mean squared error, (L(w + delta) - L(w - delta)) / (2 delta): exact for a parabola."""
    by_w = (mse(t_u, t_c, w + delta, b) - mse(t_u, t_c, w - delta, b)) / (2 * delta)
    by_b = (mse(t_u, t_c, w, b + delta) - mse(t_u, t_c, w, b - delta)) / (2 * delta)
    return by_w, by_b


def mse_gradient_by_chain_rule(t_u, t_c, w, b):
    """dL/dw = mean(2 r t_u) and dL/db = mean(2 r) with the residual r = w t_u + b - t_c."""
    r = w * t_u + b - t_c
    return (2 * r * t_u).mean(), (2 * r).mean()
