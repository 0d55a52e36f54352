"""XOR by two layers: p = sigmoid(sigmoid(X w1) w2 + b2), loss as for NAND."""

from cases.case import Case, Figure
from cases.nand import separates
from vocabulary.layers import Dense
from vocabulary.network import Network


def predict(ops, params, data):
    return ops.sigmoid(ops.sigmoid(data["X"] @ params["w1"]) @ params["w2"] + params["b2"])


def loss(ops, params, data):
    p, y = predict(ops, params, data), data["y"]
    return -ops.sum(ops.log(y * p + (1 - y) * (1 - p)))


XOR = Case(
    name="xor",
    title="XOR, two layers, from a start that learns",
    source="XOR, level a; the notebooks start unseeded, this start is ours",
    loss=loss,
    predict=predict,
    params={
        "w1": ((1.3717, -0.8293), (-1.1171, 0.9419), (0.2731, -0.3607)),
        "w2": ((0.9173,), (1.0391,)),
        "b2": ((-0.4127,),),
    },
    data={"X": ((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)), "y": ((0,), (1,), (1,), (0,))},
    axes={"X": "n f", "y": "n 1", "w1": "f h", "w2": "h 1"},
    rate=0.5,
    steps=1000,
    goal=separates,
    network=Network((Dense("w1", activation="sigmoid"), Dense("w2", "b2")), "binary cross-entropy", "sum"),
)
ADAM = XOR.but("xor-adam", title="XOR by Adam with the learning rate 0.003", optimizer="adam", rate=0.003, steps=1500)
STUCK = XOR.but(
    "xor-stuck",
    title="XOR from a start that ends in a local optimum",
    source="XOR; some of the notebooks' own runs never learned it",
    params={
        "w1": ((0.2269, -0.6273), (-0.4957, -2.9298), (2.1596, 1.373)),
        "w2": ((-0.3905,), (0.9286,)),
        "b2": ((0.3375,),),
    },
    reaches_goal=False,
)
GOLDEN = XOR.but(
    "xor-golden",
    title="XOR from the draw that MXNet makes unseeded",
    source="XOR, MXNet cell",
    params={
        "w1": (
            (1.1839255094528198, 1.8917113542556763),
            (-1.234741449356079, -1.771028995513916),
            (-0.45138445496559143, 0.5793835520744324),
        ),
        "w2": ((-1.8560819625854492,), (-1.976879596710205,)),
        "b2": ((-0.2080192118883133,),),
    },
    figures=(
        Figure("final w1", "-6.53796484 8.0856581 6.84998106 -7.95024788 3.26666489 4.04587497", runs=("float64",)),
        Figure("final w2", "-9.5150537 -9.38456149", runs=("float64",)),
        Figure("final b2", "13.9122265", runs=("float64",)),
    ),
)
