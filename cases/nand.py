"""NAND by one sigmoid unit: p = sigmoid(X w), loss = -sum log(y p + (1 - y)(1 - p))."""

from cases.case import Case, Figure
from cases.network import Dense, Network


def predict(ops, params, data):
    return ops.sigmoid(data["X"] @ params["w"])


def loss(ops, params, data):
    p, y = predict(ops, params, data), data["y"]
    return -ops.sum(ops.log(y * p + (1 - y) * (1 - p)))


def separates(loss, prediction, data):
    """Every prediction is on its label's side of one half."""
    return bool(((prediction > 0.5) == (data["y"] > 0.5)).all())


NAND = Case(
    name="nand",
    title="NAND, single layer, autodiff and an update by hand",
    source="NAND, level a; the notebooks start unseeded, this start is ours",
    loss=loss,
    predict=predict,
    params={"w": ((-0.4313,), (0.3719,), (0.2371,))},
    data={"X": ((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)), "y": ((1,), (1,), (1,), (0,))},
    rate=0.5,
    steps=100,
    goal=separates,
    network=Network((Dense("w"),), "binary cross-entropy", "sum"),
)
TENTH = NAND.but("nand-tenth", title="NAND with the learning rate 0.1", rate=0.1, steps=300)
ADAM = NAND.but("nand-adam", title="NAND by Adam, the notebooks' one-word change", optimizer="adam", rate=0.1)
GOLDEN = NAND.but(
    "nand-golden",
    title="NAND from the draw that MXNet makes unseeded",
    source="NAND, MXNet cell",
    params={"w": ((2.2122063636779785,), (0.774003803730011,), (1.043440341949463,))},
    figures=(
        Figure("final w", "-4.20202161 -4.20313998 6.49631158", runs=("float64",)),
        Figure("final w", "-4.2020216 -4.20314 6.4963117", printed_by="float32", runs=("float32",)),
    ),
)
