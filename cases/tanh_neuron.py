"""One tanh neuron with squared error: y = tanh(x w + b), loss = mean((y - 1)^2)."""

from cases.case import Case, Figure


def predict(ops, params, data):
    return ops.tanh(data["x"] @ params["w"] + params["b"])


def loss(ops, params, data):
    residual = predict(ops, params, data) - data["target"]
    return ops.mean(residual * residual)


TANH_NEURON = Case(
    name="tanh-neuron",
    title="one tanh neuron, squared error",
    source="one tanh neuron with squared error; the target has the prediction's shape here",
    loss=loss,
    predict=predict,
    params={"w": ((0.6,), (-0.2,)), "b": (0.8,)},
    data={"x": ((1, 2),), "target": ((1,),)},
    axes={"x": "n f", "target": "n 1", "w": "f 1"},
    figures=(
        Figure("prediction", "0.7616"),
        Figure("gradient w", "-0.2002 -0.4005"),
        Figure("gradient b", "-0.2002"),
    ),
)
GENERIC = TANH_NEURON.but(
    "tanh-neuron-generic",
    params={"w": ((0.5813,), (-0.2371,)), "b": (0.7919,)},
    data={"x": ((1.0471, 1.9173),), "target": ((0.9137,),)},
)
