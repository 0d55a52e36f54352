"""Where MXNet differs from the contract."""

from __future__ import annotations

from backends.base import Deviation
from backends.mxnet.framework import RELEASE
from vocabulary import losses
from vocabulary.words import AT_ZERO, HYPERPARAMETERS


def _half(reduction: str, computes: losses.Loss) -> Deviation:
    return Deviation(
        f"L2Loss().{reduction}()",
        ("float32", "float64", "float16"),
        reason="L2Loss is half the squared error",
        size="1/2",
        link="https://mxnet.apache.org/versions/1.9.1/api/python/docs/api/gluon/loss/index.html",
        computes=computes,
    )


def _no_slope(reduction: str, computes: losses.Loss) -> Deviation:
    return Deviation(
        AT_ZERO.format(f"SigmoidBinaryCrossEntropyLoss().{reduction}()"),
        ("float32", "float64", "float16"),
        reason="made of relu(z), abs(z) and their slopes, all 0 at z = 0, so that a logit of exactly 0 has the slope -y",
        size="-1 for -1/2 and 0 for 1/2; right from 1e-9 on either side",
        link="https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/gluon/loss.py",
        computes=computes,
    )


# The CPU builds have oneDNN from 1.7 on, and its log_softmax from 1.8 on.
_SOFTRELU = Deviation(
    "binary cross-entropy",
    ("float32",),
    reason="softrelu, log(1 + exp(x)), is oneDNN's, with an absolute error (right with MXNET_MKLDNN_ENABLED=0)",
    size="1.9e-6, all of the loss of a logit above 13, half of that in 1.7; none in float64",
    link="https://github.com/apache/mxnet/blob/1.9.1/src/operator/nn/mkldnn/mkldnn_act.cc",
    absolute=33 if RELEASE >= (1, 8) else 18,
)

_LOG_SOFTMAX = Deviation(
    "softmax cross-entropy",
    ("float32",),
    reason="log_softmax is oneDNN's, whose logarithm has an absolute error (right with MXNET_MKLDNN_ENABLED=0)",
    size="2.9e-6, 24 units in the last place of log 5; none in float64",
    link="https://github.com/apache/mxnet/blob/1.9.1/src/operator/nn/mkldnn/mkldnn_log_softmax.cc",
    absolute=24,
)

DEVIATIONS = (
    Deviation(
        HYPERPARAMETERS,
        ("float64",),
        reason="the operators of its optimisers take learning rate, momentum, betas and epsilon as float",
        size="a rate of 0.003 is off by 4.7e-9 of its size, the first step of Adam by 6e-6 of its size",
        link="https://github.com/apache/mxnet/blob/1.9.1/src/operator/optimizer_op-inl.h",
        passes_through="float32",
        values=("rate", "momentum", "beta1", "beta2", "epsilon"),
        rules=("sgd", "momentum", "adam"),
    ),
    *((_SOFTRELU,) if RELEASE >= (1, 7) else ()),
    *((_LOG_SOFTMAX,) if RELEASE >= (1, 8) else ()),
    _half("sum", losses.HALF_OF_SUM),
    _half("mean", losses.HALF_OF_MEAN),
    _no_slope("sum", losses.SUM_WITHOUT_SLOPE_AT_0),
    _no_slope("mean", losses.MEAN_WITHOUT_SLOPE_AT_0),
)
