"""A circle in a circle: one layer cannot separate them, two layers with four hidden units can."""

import numpy as np
from sklearn.datasets import make_circles

from cases import nand, xor
from cases.case import Batches, Case, shuffled
from cases.classifiers import one_layer_mean, two_layers_mean
from vocabulary.layers import Dense
from vocabulary.network import Network

POINTS, LABELS = make_circles(100, factor=0.1, noise=0.1, random_state=9)

CIRCLES = Case(
    name="circles",
    title="circles in mini-batches by 2-4-1",
    source="mini-batch training, circles; the notebooks start unseeded, this start and this order are ours",
    loss=two_layers_mean,
    predict=xor.predict,
    params={
        "w1": ((0.9731, -0.8117, 0.2913, -0.1719), (0.3371, 0.4793, -0.9157, -0.6391), (0.2237, -0.3119, 0.1373, -0.4591)),
        "w2": ((0.7193,), (-0.5717,), (0.6311,), (-0.8419,)),
        "b2": ((0.1327,),),
    },
    data={"X": np.column_stack([POINTS, np.ones(100)]), "y": LABELS[:, np.newaxis]},
    axes=xor.XOR.axes,
    rate=0.5,
    batches=Batches(4, shuffled(100, epochs=1000, seed=9)),
    long=True,
    goal=nand.separates,
    network=Network((Dense("w1", activation="sigmoid"), Dense("w2", "b2")), "binary cross-entropy", "mean"),
)
SINGLE = CIRCLES.but(
    "circles-single",
    title="circles in mini-batches by a single layer, which cannot",
    loss=one_layer_mean,
    predict=nand.predict,
    params={"w": ((0.3613,), (-0.2719,), (0.1193,))},
    axes=nand.NAND.axes,
    network=Network((Dense("w"),), "binary cross-entropy", "mean"),
    reaches_goal=False,
)
