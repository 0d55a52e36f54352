"""Handwritten digits, 8 x 8 pixels, by a softmax classifier with one layer and with two; held-out digits to evaluate it."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cases.case import Batches, Case, shuffled
from cases.classifiers import softmax, softmax_loss
from vocabulary.layers import Dense
from vocabulary.network import Network

IMAGES, DIGITS = load_digits(return_X_y=True)
TRAINING, HELD_OUT = train_test_split(np.arange(len(IMAGES)), test_size=0.3, stratify=DIGITS, random_state=10)
EPOCHS = 12


def classifies(loss, prediction, data):
    """More than 95 % of the training images are recognised."""
    return bool((prediction.argmax(axis=1) == data["y"].argmax(axis=1)).mean() > 0.95)


def images(rows):
    """Return pixels from 0 to 1, one-hot labels and a column of ones."""
    return {"X": IMAGES[rows] / 16, "y": np.eye(10)[DIGITS[rows]], "ones": np.ones((10, 1))}


def start(*shape):
    """Return fixed normal numbers, small enough for no unit to saturate."""
    return 0.1 * np.random.RandomState(shape[0]).normal(size=shape)


SINGLE = Case(
    name="digits",
    title="handwritten digits by one softmax layer",
    source="exercise: handwritten digits, on scikit-learn's load_digits",
    loss=softmax_loss,
    predict=softmax,
    params={"W": start(64, 10), "b": start(10)},
    data=images(TRAINING),
    held_out=images(HELD_OUT),
    picture=(8, 8),
    axes={"X": "n f", "y": "n k", "ones": "k 1", "W": "f k", "b": "k"},
    rate=0.5,
    batches=Batches(16, shuffled(len(TRAINING), EPOCHS, seed=10)),
    long=True,
    goal=classifies,
    network=Network((Dense("W", "b"),), "softmax cross-entropy", "mean"),
)
MULTI = SINGLE.but(
    "digits-hidden",
    title="handwritten digits by a layer of 24 tanh units and a softmax layer",
    params={"W1": start(64, 24), "b1": start(24), "W2": start(24, 10), "b2": start(10)},
    network=Network((Dense("W1", "b1", "tanh"), Dense("W2", "b2")), "softmax cross-entropy", "mean"),
    axes={"X": "n f", "y": "n k", "ones": "k 1", "W1": "f h", "b1": "h", "W2": "h k", "b2": "k"},
)
