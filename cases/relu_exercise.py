"""A ReLU network: y = sigmoid(h.q + c), h = relu(W x + b), cross entropy with label t."""

from cases.case import Case, Figure


def predict(ops, params, data):
    h = ops.relu(params["W"] @ data["x"] + params["b"])
    return ops.sigmoid(ops.sum(h * params["q"]) + params["c"])


def loss(ops, params, data):
    y, t = predict(ops, params, data), data["t"]
    return -ops.log(t * y + (1 - t) * (1 - y))


RELU = Case(
    name="relu",
    title="ReLU network at x = (1, 1), one unit on",
    source="exercise: a ReLU network by hand and by autodiff",
    loss=loss,
    predict=predict,
    params={"W": ((1, 1), (-1, -1)), "b": ((-0.5,), (1.5,)), "q": ((1,), (1,)), "c": -1.5},
    data={"x": ((1,), (1,)), "t": 0},
    axes={"W": "h f", "x": "f 1", "b": "h 1", "q": "h 1"},
    figures=(
        Figure("prediction", "0.5"),
        Figure("loss", "0.69314718055994531"),
        Figure("gradient q", "0.75 0"),
        Figure("gradient c", "0.5"),
        Figure("gradient W", "0.5 0.5 0 0"),
        Figure("gradient b", "0.5 0"),
    ),
)
ORIGIN = RELU.but(
    "relu-origin",
    title="ReLU network at x = (0, 0), the other unit on",
    data={"x": ((0,), (0,)), "t": 0},
    figures=(Figure("prediction", "0.5"),),
)
GENERIC = RELU.but(
    "relu-generic",
    title="ReLU network off round numbers, both units on",
    params={
        "W": ((0.9137, 1.0391), (-0.7371, 0.6719)),
        "b": ((-0.4613,), (0.5477,)),
        "q": ((1.1171,), (0.8923,)),
        "c": -1.4877,
    },
    data={"x": ((0.9713,), (1.1039,)), "t": 0},
)
