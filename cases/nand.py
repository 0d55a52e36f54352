"""NAND by one sigmoid unit: p = sigmoid(X w), loss = -sum log(y p + (1 - y)(1 - p))."""

from cases.case import Batches, Case, Figure, shuffled
from vocabulary.layers import Dense
from vocabulary.network import Network


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
    axes={"X": "n f", "y": "n 1", "w": "f 1"},
    rate=0.5,
    steps=100,
    goal=separates,
    network=Network((Dense("w"),), "binary cross-entropy", "sum"),
)
TENTH = NAND.but("nand-tenth", title="NAND with the learning rate 0.1", rate=0.1, steps=300)
ADAM = NAND.but("nand-adam", title="NAND by Adam, the notebooks' one-word change", optimizer="adam", rate=0.1)
MOMENTUM = NAND.but("nand-momentum", title="NAND by gradient descent with momentum", optimizer="momentum")
BATCHES = NAND.but(
    "nand-batches",
    title="NAND in batches of four and of one, an example drawn twice",
    source="mini-batch training at its smallest: a short batch, a batch of one, a repeated index",
    data={"X": ((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (1, 1, 1)), "y": ((1,), (1,), (1,), (0,), (0,))},
    batches=Batches(4, shuffled(5, epochs=20, seed=1)),
    reaches_goal=True,
)


def logit_loss(ops, params, data):
    """The same loss from logits z = X w, safe where p is 0 or 1: sum log(1 + exp((1 - 2 y) z))."""
    return ops.sum(ops.log(1 + ops.exp((1 - 2 * data["y"]) * (data["X"] @ params["w"]))))


def surer(loss, prediction, data):
    """The loss has come down from 4.1e-4."""
    return loss < 4e-4


SATURATED = NAND.but(
    "nand-saturated",
    title="NAND from a start that has learned it, with logits from 8 to 29",
    source="NAND; late in a run, probabilities that are clipped or formulas that overflow show",
    loss=logit_loss,
    params={"w": ((-17.3119,), (-19.6137,), (28.8173,))},
    rate=10.0,
    steps=20,
    goal=surer,
)
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
