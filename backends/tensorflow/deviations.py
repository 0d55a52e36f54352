"""Where TensorFlow and Keras differ from the contract."""

from __future__ import annotations

from tensorflow import keras

from backends.base import Deviation
from backends.tensorflow.losses import OF_PROBABILITIES
from vocabulary import losses
from vocabulary.words import HYPERPARAMETERS

if keras.__version__.startswith("2."):  # up to TensorFlow 2.15
    _CLIPS = Deviation(
        OF_PROBABILITIES,
        ("float32", "float64"),
        reason="Keras 2 clips probabilities at its epsilon, 1e-7, and adds it to them, before it takes their logarithm",
        size="the mean over sixteen examples with logits in (-25, 25) is 5.53 in place of 6.90; far out its gradient is 0",
        link="https://github.com/keras-team/keras/blob/v2.12.0/keras/backend.py",
        computes=losses.CLIPPED_AND_ADDED_MEAN,
    )
else:
    _CLIPS = Deviation(
        OF_PROBABILITIES,
        ("float32", "float64"),
        reason="Keras clips probabilities at its epsilon, 1e-7, before it takes their logarithm",
        size="12 % of the mean over sixteen examples with logits in (-25, 25); no loss exceeds 16.1 and its gradient is 0",
        link="https://github.com/keras-team/keras/blob/v3.15.1/keras/src/backend/tensorflow/nn.py",
        computes=losses.CLIPPED_MEAN,
    )

DEVIATIONS = (
    Deviation(
        HYPERPARAMETERS,
        ("float64",),
        reason="Keras' Adam casts its betas, which TensorFlow first makes float32",
        size="the first step of Adam is off by 6e-6 of its size",
        link="https://github.com/keras-team/keras/blob/v3.15.1/keras/src/optimizers/adam.py",
        passes_through="float32",
        values=("powers",),
        rules=("adam",),
    ),
    Deviation(
        HYPERPARAMETERS,
        ("float64",),
        reason="Keras' SGD casts its momentum, which TensorFlow first makes float32",
        size="a momentum of 0.9 is off by 2.6e-8 of its size",
        link="https://github.com/keras-team/keras/blob/v3.15.1/keras/src/optimizers/sgd.py",
        passes_through="float32",
        values=("momentum",),
        rules=("momentum",),
    ),
    _CLIPS,
)
