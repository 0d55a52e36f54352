"""Three classes of seven points, by tanh units and a softmax, in batches of four and three.

z = tanh(X W1 + b1) W2 + b2, loss = mean(log sum_j exp(z_j) - sum_j y_j z_j)
"""

import numpy as np

from cases.case import Batches, Case, shuffled
from cases.classifiers import softmax, softmax_loss
from vocabulary.layers import Dense
from vocabulary.network import Network


def classifies(loss, prediction, data):
    """The largest probability of every point is that of its class."""
    return bool((prediction.argmax(axis=1) == data["y"].argmax(axis=1)).all())


CLASSES = Case(
    name="classes",
    title="three classes by a layer of tanh units and a softmax layer, mean loss",
    source="the handwritten digits at their smallest: a program of this suite",
    loss=softmax_loss,
    predict=softmax,
    params={
        "W1": ((0.7137, -0.4391, 0.2719, 0.9173), (-0.5117, 0.8419, 0.6293, -0.3607)),
        "b1": (0.1931, -0.0813, 0.2417, 0.0529),
        "W2": ((0.4519, -0.6371, 0.3137), (0.5381, 0.2917, -0.8713), (-0.3129, 0.7391, 0.4613), (-0.9137, 0.1371, 0.5719)),
        "b2": (0.0719, -0.1193, 0.0413),
    },
    data={
        "X": (
            (1.2371, 0.3119),
            (0.9473, -0.2719),
            (-0.6173, 1.0391),
            (-0.3171, 0.8923),
            (-0.7537, -0.9173),
            (-0.1327, -1.1171),
            (0.8391, 0.1847),
        ),
        "y": np.eye(3)[[0, 0, 1, 1, 2, 2, 0]],
        "ones": np.ones((3, 1)),
    },
    axes={"X": "n f", "y": "n k", "ones": "k 1", "W1": "f h", "b1": "h", "W2": "h k", "b2": "k"},
    rate=0.5,
    batches=Batches(4, shuffled(7, epochs=20, seed=7)),
    goal=classifies,
    network=Network((Dense("W1", "b1", "tanh"), Dense("W2", "b2")), "softmax cross-entropy", "mean"),
)
