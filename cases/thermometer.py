"""Two thermometers: loss = mean((w t_u + b - t_c)^2), in degrees Celsius squared."""

import numpy as np

from cases.case import Case, Figure
from vocabulary.layers import Dense
from vocabulary.network import Network


def predict(ops, params, data):
    return params["w"] * data["t_u"] + params["b"]


def loss(ops, params, data):
    residual = predict(ops, params, data) - data["t_c"]
    return ops.mean(residual * residual)


def fits(loss, prediction, data):
    """The mean squared error is below 3, of which measuring alone leaves 2.93."""
    return loss < 3


def overflows(loss, prediction, data):
    """The run has left the range of the dtype."""
    return not np.isfinite(loss)


T_C = np.array((0.5, 14, 15, 28, 11, 8, 3, -4, 6, 13, 21))
T_U = np.array((35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4))

SCALED = Case(
    name="thermometer",
    title="thermometers, inputs scaled by 0.1: converges",
    source="thermometers, MSE linear fit on 0.1 t_u",
    loss=loss,
    predict=predict,
    params={"w": 1, "b": 0},
    data={"t_u": 0.1 * T_U, "t_c": T_C},
    axes={"t_u": "n", "t_c": "n"},
    rate=1e-2,
    steps=5000,
    goal=fits,
    network=Network((Dense("w", "b"),), "squared error", "mean", inputs="t_u", targets="t_c"),
    figures=(
        Figure("final w", "5.36709", runs=("float64",)),
        Figure("final b", "-17.30122", runs=("float64",)),
        Figure("final loss", "2.92765", runs=("float64",)),
    ),
)
SCALED_GENERIC = SCALED.but("thermometer-generic", params={"w": 5.1371, "b": -15.9173}, steps=400)
SLOW = SCALED_GENERIC.but("thermometer-slow", title="thermometers with the learning rate 0.003", rate=0.003, steps=1000)
RAW = SCALED.but(
    "thermometer-raw",
    title="thermometers, raw inputs: diverges to overflow",
    source="thermometers, MSE linear fit on t_u",
    data={"t_u": T_U, "t_c": T_C},
    steps=100,
    goal=overflows,
    figures=(
        Figure("loss", "1763.8846", printed_by="float32"),
        Figure("gradient w", "4517.2964", printed_by="float32"),
        Figure("gradient b", "82.6"),
    ),
)
RAW_GENERIC = RAW.but("thermometer-raw-generic", params={"w": 1.0471, "b": 0.3719})
