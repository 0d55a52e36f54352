"""MXNet from 1.6, its numpy interface: attach_grad, record, backward; Gluon's Sequential, Block, losses and Trainer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy

from backends.base import Backend, Deviation, Model, Setting
from backends.legacy import removed_names
from backends.training import Training
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import AT_ZERO, HYPERPARAMETERS, MATMUL, NO_SLOPE, Words

with removed_names():
    import mxnet
    from mxnet import autograd, gluon, np, npx

npx.set_np()  # scalars of shape (), as everywhere else
RELEASE = tuple(map(int, mxnet.__version__.split(".")[:2]))
if RELEASE < (1, 7):  # where arrays have no @ yet
    np.ndarray.__matmul__ = np.dot

ACTIVATIONS = Words("activation", {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "": None})
# One loss an example. L2Loss is half the squared error unless it is weighted by 2.
OBJECTIVES = Words(
    "objective",
    {
        "binary cross-entropy": gluon.loss.SigmoidBinaryCrossEntropyLoss(),
        "softmax cross-entropy": gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False),
        "squared error": gluon.loss.L2Loss(weight=2.0),
    },
)
REDUCTIONS = Words("reduction", {"sum": np.sum, "mean": np.mean})
# What a Trainer is told: the name of the optimiser and its options.
OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *, rate: ("sgd", {"learning_rate": rate}),
        "adam": lambda *, rate, beta1, beta2, epsilon: (
            "adam",
            {"learning_rate": rate, "beta1": beta1, "beta2": beta2, "epsilon": epsilon},
        ),
    },
)


def _reduced(loss: Callable[[Tensor, Tensor], Tensor], to: Callable[[Tensor], Tensor], z: Tensor, y: Tensor) -> Tensor:
    return to(loss(z, y))


def _dense(layer: Dense) -> Tensor:
    inputs, units = layer.kernel.shape
    dense = gluon.nn.Dense(units, ACTIVATIONS[layer.activation], in_units=inputs, dtype=layer.kernel.dtype.name)
    dense.initialize(mxnet.init.Zero())  # the default one raises in float64
    dense.weight.set_data(np.array(layer.kernel.T, dtype=layer.kernel.dtype))
    dense.bias.set_data(np.array(layer.bias, dtype=layer.bias.dtype))
    return dense


LAYERS: Words[Callable[[Any], Tensor]] = Words("layer", {"dense": _dense})


def _sequential(layers: Sequence[Layer]) -> gluon.nn.Sequential:
    model = gluon.nn.Sequential()
    model.add(*(LAYERS[layer.word](layer) for layer in layers))
    return model


class Net(gluon.Block):
    """A model class as a user of Gluon writes it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.names = [f"dense{number}" for number, _ in enumerate(layers)]
        for name, layer in zip(self.names, layers, strict=True):
            setattr(self, name, LAYERS[layer.word](layer))

    def forward(self, x: Tensor) -> Tensor:
        for name in self.names:
            x = getattr(self, name)(x)
        return x


MODELS = Words("level", {"modules": _sequential, "optimizer": _sequential, "class": Net})


def _half(reduction: str) -> Deviation:
    return Deviation(
        f"L2Loss().{reduction}()",
        ("float32", "float64", "float16"),
        reason="L2Loss is half the squared error",
        size="1/2",
        link="https://mxnet.apache.org/versions/1.9.1/api/python/docs/api/gluon/loss/index.html",
        instead=f"half the {reduction}",
    )


def _no_slope(reduction: str) -> Deviation:
    return Deviation(
        AT_ZERO.format(f"SigmoidBinaryCrossEntropyLoss().{reduction}()"),
        ("float32", "float64", "float16"),
        reason="made of relu(z), abs(z) and their slopes, all 0 at z = 0, so that a logit of exactly 0 has the slope -y",
        size="-1 for -1/2 and 0 for 1/2; right from 1e-9 on either side",
        link="https://github.com/apache/mxnet/blob/1.9.1/python/mxnet/gluon/loss.py",
        instead=f"{reduction} {NO_SLOPE}",
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


class Mxnet(Backend):
    name = "mxnet"
    namespaces = (np, npx)
    adam = "epsilon hat"
    deviations = (
        Deviation(
            HYPERPARAMETERS,
            ("float64",),
            reason="the operators sgd_update and adam_update take learning rate, betas and epsilon as float",
            size="a rate of 0.003 is off by 4.7e-9 of its size, the first step of Adam by 6e-6 of its size",
            link="https://github.com/apache/mxnet/blob/1.9.1/src/operator/optimizer_op-inl.h",
            through="float32",
            what=("rate", "beta1", "beta2", "epsilon"),
            of=("sgd", "adam"),
        ),
        *((_SOFTRELU,) if RELEASE >= (1, 7) else ()),
        *((_LOG_SOFTMAX,) if RELEASE >= (1, 8) else ()),
        _half("sum"),
        _half("mean"),
        _no_slope("sum"),
        _no_slope("mean"),
    )
    settings = tuple(
        Setting(f"{words}.{reduction}()", objective, reduction, partial(_reduced, loss, to))
        for words, objective, loss in (
            ("SigmoidBinaryCrossEntropyLoss()", "binary cross-entropy", OBJECTIVES["binary cross-entropy"]),
            ("SoftmaxCrossEntropyLoss(sparse_label=False)", "softmax cross-entropy", OBJECTIVES["softmax cross-entropy"]),
            ("L2Loss()", "squared error", gluon.loss.L2Loss()),
        )
        for reduction, to in REDUCTIONS.items()
    )
    unsupported: ClassVar = {("float16", MATMUL): "the CPU build multiplies matrices in float32 and float64 only"}

    @property
    def version(self) -> str:
        return mxnet.__version__

    def tensor(self, array: numpy.ndarray) -> Tensor:
        return np.array(array, dtype=array.dtype)  # without the dtype everything becomes float32

    def array(self, tensor: Tensor) -> numpy.ndarray:
        return tensor.asnumpy()

    def leaves(self, params: Tensors) -> Tensors:
        leaves = {name: tensor.copy() for name, tensor in params.items()}
        for leaf in leaves.values():
            leaf.attach_grad()
        return leaves

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        leaves = self.leaves(params)
        with autograd.record():
            value = loss(self, leaves, data)
        value.backward()
        return value, {name: leaf.grad for name, leaf in leaves.items()}

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = self.leaves(params)
        for data in batches:
            with autograd.record():
                value = loss(self, weights, data)
            value.backward()
            for w in weights.values():
                w -= rate * w.grad
            yield value, {name: w.grad for name, w in weights.items()}, weights

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        return MODELS[level](layers)

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        return partial(_reduced, OBJECTIVES[name], REDUCTIONS[reduction])

    def fit(self, training: Training) -> Iterator[tuple[Tensor, list[Tensor], list[Tensor]]]:
        model = self.model(training.level, training.layers)
        params = list(model.collect_params().values())  # weight and bias of each layer, in order
        objective = self.objective(training.objective, training.reduction)
        trainer = gluon.Trainer(params, *training.optimizer.passed_to(OPTIMIZERS), kvstore=None)
        for x, y in training.examples(self.tensor):
            with autograd.record():
                value = objective(model(x), y)
            value.backward()
            if training.native:
                trainer.step(1)  # not the batch's size: the loss is reduced already
            else:
                for p in params:
                    p.set_data(p.data() - training.optimizer.rate * p.grad())
            yield value, [p.grad().T for p in params], [p.data().T for p in params]
