"""Chainer: Variables, cleargrads and backward; chainer.Sequential, Chain, links and optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from backends.base import Backend, Deviation, Model, Setting
from backends.legacy import removed_names
from backends.training import Training
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import Words

with removed_names():
    import chainer
    import chainer.functions as F
    import chainer.links as L

ACTIVATIONS = Words("activation", {"sigmoid": F.sigmoid, "tanh": F.tanh, "relu": F.relu, "": F.identity})
REDUCTIONS = Words("reduction", {"sum": F.sum, "mean": F.mean})
OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda *, rate: chainer.optimizers.SGD(lr=rate),
        "adam": lambda *, rate, beta1, beta2, epsilon: chainer.optimizers.Adam(
            alpha=rate, beta1=beta1, beta2=beta2, eps=epsilon
        ),
    },
)


def _binary(z: Tensor, y: Tensor, **options: object) -> Tensor:
    return F.sigmoid_cross_entropy(z, y.array.astype(np.int32), **options)


def _softmax(z: Tensor, y: Tensor, **options: object) -> Tensor:
    return F.softmax_cross_entropy(z, y.array.argmax(axis=1).astype(np.int32), **options)


def _squared(z: Tensor, y: Tensor, **options: object) -> Tensor:
    return F.squared_error(z, y)


OBJECTIVES = Words("objective", {"binary cross-entropy": _binary, "softmax cross-entropy": _softmax, "squared error": _squared})


def _linear(layer: Dense) -> Tensor:
    with chainer.using_config("dtype", layer.bias.dtype):
        return L.Linear(*layer.kernel.shape, initialW=layer.kernel.T, initial_bias=layer.bias)


LAYERS: Words[Callable[[Any], Tensor]] = Words("layer", {"dense": _linear})


def _sequential(layers: Sequence[Layer]) -> chainer.Sequential:
    return chainer.Sequential(
        *(part for layer in layers for part in (LAYERS[layer.word](layer), ACTIVATIONS[layer.activation]))
    )


class Net(chainer.ChainList):
    """A model class as a user of Chainer writes it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__(*(LAYERS[layer.word](layer) for layer in layers))
        self.activations = [ACTIVATIONS[layer.activation] for layer in layers]

    def forward(self, x: Tensor) -> Tensor:
        for linear, activation in zip(self, self.activations, strict=True):
            x = activation(linear(x))
        return x


MODELS = Words("level", {"modules": _sequential, "optimizer": _sequential, "class": Net})


def _sigmoid(dtypes: tuple[str, ...], size: str, absolute: float) -> Deviation:
    return Deviation(
        "sigmoid",
        dtypes,
        reason="computed as 0.5 * tanh(x / 2) + 0.5, whose error does not shrink with the value",
        size=size,
        link="https://github.com/chainer/chainer/blob/v7.8.1/chainer/functions/activation/sigmoid.py",
        absolute=absolute,
    )


def _normalize(function: str) -> Deviation:
    return Deviation(
        f"{function}(normalize=False)",
        ("float32", "float64", "float16"),
        reason="normalize chooses what to divide by, the examples or those not ignored, and not whether to divide",
        size="1/n for n examples: 1/4 on the notebooks' NAND, 1/16 on sixteen examples",
        link=f"https://docs.chainer.org/en/stable/reference/generated/chainer.functions.{function}.html",
        instead="mean",
    )


class Chainer(Backend):
    name = "chainer"
    namespaces = (F,)
    adam = "epsilon hat"
    settings = (
        Setting("sigmoid_cross_entropy(normalize=True)", "binary cross-entropy", "mean", _binary),
        Setting("sigmoid_cross_entropy(normalize=False)", "binary cross-entropy", "sum", partial(_binary, normalize=False)),
        Setting("softmax_cross_entropy(normalize=True)", "softmax cross-entropy", "mean", _softmax),
        Setting("softmax_cross_entropy(normalize=False)", "softmax cross-entropy", "sum", partial(_softmax, normalize=False)),
        Setting("mean_squared_error", "squared error", "mean", F.mean_squared_error),
    )
    deviations = (
        _sigmoid(("float32", "float64"), "44 % of the value at x = -17 in float32, and 0 from -17.4 on", absolute=0.75),
        _sigmoid(("float16",), "100 % of the value at x = -9", absolute=0.2),
        _normalize("sigmoid_cross_entropy"),
        _normalize("softmax_cross_entropy"),
    )

    @property
    def version(self) -> str:
        return chainer.__version__

    def tensor(self, array: np.ndarray) -> Tensor:
        return chainer.Variable(np.array(array))

    def array(self, tensor: Tensor) -> np.ndarray:
        return tensor.array

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        leaves = {name: chainer.Variable(tensor.array.copy()) for name, tensor in params.items()}
        value = loss(self, leaves, data)
        value.backward()
        return value, {name: leaf.grad_var for name, leaf in leaves.items()}

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = {name: chainer.Parameter(tensor.array.copy()) for name, tensor in params.items()}
        for data in batches:
            for w in weights.values():
                w.cleargrad()
            value = loss(self, weights, data)
            value.backward()
            for w in weights.values():
                w.array -= rate * w.grad
            yield value, {name: w.grad_var for name, w in weights.items()}, weights

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        return MODELS[level](layers)

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        """Chainer's own reduction is the mean, whatever ``normalize`` says: see the deviations above."""
        loss, reduced = OBJECTIVES[name], REDUCTIONS[reduction]
        return lambda z, y: reduced(loss(z, y, reduce="no"))

    def fit(self, training: Training) -> Iterator[tuple[Tensor, list[Tensor], list[Tensor]]]:
        model = self.model(training.level, training.layers)
        # In the order of the layers. Sequential.links() of four layers gives the first, the last, the third and the second.
        links = [link for link in model if isinstance(link, L.Linear)]
        params = [p for link in links for p in (link.W, link.b)]
        objective = self.objective(training.objective, training.reduction)
        optimizer = training.optimizer.passed_to(OPTIMIZERS)
        optimizer.setup(model)
        for x, y in training.examples(self.tensor):
            model.cleargrads()
            value = objective(model(x), y)
            value.backward()
            if training.native:
                optimizer.update()
            else:
                for p in params:
                    p.array -= training.optimizer.rate * p.grad
            yield value, [F.transpose(p.grad_var) for p in params], [F.transpose(p) for p in params]
