"""Two blobs by one sigmoid unit in mini-batches: 50 points in fours, shuffled every epoch; the last batch has two."""

import numpy as np
from sklearn.datasets import make_blobs

from cases import nand
from cases.case import Batches, Case, shuffled
from cases.classifiers import one_layer_mean
from vocabulary.layers import Dense
from vocabulary.network import Network

POINTS, LABELS = make_blobs(n_samples=50, centers=2, random_state=129, cluster_std=0.6)

BLOBS = Case(
    name="blobs",
    title="blobs in mini-batches, summed loss",
    source="mini-batch training, raw update; the notebooks start unseeded, this start and this order are ours",
    loss=nand.loss,
    predict=nand.predict,
    params={"w": ((0.3613,), (-0.2719,), (0.1193,))},
    data={"X": np.column_stack([POINTS, np.ones(50)]), "y": LABELS[:, np.newaxis]},
    axes=nand.NAND.axes,
    rate=0.01,
    batches=Batches(4, shuffled(50, epochs=1000, seed=129)),
    long=True,
    goal=nand.separates,
    network=Network((Dense("w"),), "binary cross-entropy", "sum"),
)
TENTH = BLOBS.but(
    "blobs-mean",
    title="blobs in mini-batches, mean loss, rate 0.1",
    source="mini-batch training, Sequential and BCEWithLogits",
    loss=one_layer_mean,
    rate=0.1,
    network=Network((Dense("w"),), "binary cross-entropy", "mean"),
)
HALF = TENTH.but(
    "blobs-half",
    title="blobs in mini-batches, mean loss, rate 0.5",
    source="mini-batch training, SGD optimiser and model class",
    rate=0.5,
)
