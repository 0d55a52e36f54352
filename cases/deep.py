"""Four layers: z = sigmoid(relu(tanh(X W1 + b1) W2 + b2) W3 + b3) W4 + b4, loss = sum log(1 + exp((1 - 2 y) z)).

Three layers have one shape, two of them one start, and all three one bias: whoever tells parameters apart by their shape or by
their value takes one for another.
"""

from cases.case import Batches, Case, shuffled
from vocabulary.layers import Dense
from vocabulary.network import Network


def logits(ops, params, data):
    h = ops.tanh(data["X"] @ params["W1"] + params["b1"])
    h = ops.relu(h @ params["W2"] + params["b2"])
    h = ops.sigmoid(h @ params["W3"] + params["b3"])
    return h @ params["W4"] + params["b4"]


def loss(ops, params, data):
    return ops.sum(ops.log(1 + ops.exp((1 - 2 * data["y"]) * logits(ops, params, data))))


def separates(loss, prediction, data):
    """Every logit has the sign of its label."""
    return bool(((prediction > 0) == (data["y"] > 0.5)).all())


KERNEL = ((0.9137, -1.1371, 0.4519), (-0.8713, 0.7193, 1.2371), (1.0617, 0.5381, -0.9473))
BIAS = (0.1137, -0.2791, 0.3531)

DEEP = Case(
    name="deep",
    title="four layers, three of them of one shape",
    source="layers of one shape, of one start, and every activation: a program of this suite",
    loss=loss,
    predict=logits,
    params={
        "W1": ((1.3717, -0.8293, 0.5171), (-1.1171, 0.9419, 1.2913), (0.2731, -0.3607, -1.4177)),
        "b1": BIAS,
        "W2": KERNEL,
        "b2": BIAS,
        "W3": KERNEL,
        "b3": BIAS,
        "W4": ((1.7173,), (-1.4391,), (1.2719,)),
        "b4": (-0.4127,),
    },
    data={
        "X": (
            (0.3129, -1.1371, 0.7193),
            (-0.9137, 0.4519, 1.2371),
            (1.0617, 0.8713, -0.5381),
            (-0.6173, -0.3171, -1.0913),
            (0.7391, 1.3127, 0.2917),
        ),
        "y": ((1,), (0,), (1,), (0,), (1,)),
    },
    axes={
        "X": "n f", "y": "n 1", "W1": "f h", "b1": "h", "W2": "h i", "b2": "i", "W3": "i j", "b3": "j", "W4": "j 1", "b4": "1",
    },
    rate=0.4987219865,
    steps=40,
    goal=separates,
    network=Network(
        (Dense("W1", "b1", "tanh"), Dense("W2", "b2", "relu"), Dense("W3", "b3", "sigmoid"), Dense("W4", "b4")),
        "binary cross-entropy",
        "sum",
    ),
)  # fmt: skip
ADAM = DEEP.but(
    "deep-adam",
    title="four layers by Adam, in batches of two and of one",
    source="Adam over batches of different shapes: a program of this suite",
    optimizer="adam",
    rate=0.0298721986,
    batches=Batches(2, shuffled(5, epochs=12, seed=12)),
)
MOMENTUM = ADAM.but(
    "deep-momentum",
    title="four layers by gradient descent with momentum, in batches of two and of one",
    source="momentum over batches of different shapes: a program of this suite",
    optimizer="momentum",
    rate=0.0498721986,
)
