"""PyTorch: eager tensors, backward() into .grad; torch.nn.Sequential, torch.nn.Module and torch.optim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from backends.base import Backend, Deviation, Model, Setting
from backends.training import Training
from vocabulary.layers import Dense, Layer
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import Words

ACTIVATIONS = Words(
    "activation", {"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU, "": torch.nn.Identity}
)
OBJECTIVES = Words(
    "objective",
    {
        "binary cross-entropy": torch.nn.BCEWithLogitsLoss,
        "softmax cross-entropy": torch.nn.CrossEntropyLoss,
        "squared error": torch.nn.MSELoss,
    },
)
REDUCTIONS = Words("reduction", {"sum": "sum", "mean": "mean"})
OPTIMIZERS = Words(
    "rule",
    {
        "sgd": lambda params, *, rate: torch.optim.SGD(params, lr=rate),
        "adam": lambda params, *, rate, beta1, beta2, epsilon: torch.optim.Adam(
            params, lr=rate, betas=(beta1, beta2), eps=epsilon
        ),
    },
)

_NO_LOG1P = Deviation(
    "binary cross-entropy",
    ("float32", "float64"),
    reason="before 2.3, log(1 + exp(-|x|)) was taken of the rounded sum, with an absolute error",
    size="all of the loss of a sure and right logit above 17 in float32 and 37 in float64",
    link="https://github.com/pytorch/pytorch/pull/115539",
    absolute=1,
)


def _linear(layer: Dense) -> torch.nn.Linear:
    kernel, bias = torch.tensor(layer.kernel), torch.tensor(layer.bias)
    linear = torch.nn.Linear(*kernel.shape, dtype=kernel.dtype)
    linear.load_state_dict({"weight": kernel.T, "bias": bias})
    return linear


LAYERS: Words[Callable[[Any], Tensor]] = Words("layer", {"dense": _linear})


def _sequential(layers: Sequence[Layer]) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        *(part for layer in layers for part in (LAYERS[layer.word](layer), ACTIVATIONS[layer.activation]()))
    )


class Net(torch.nn.Module):
    """A model class as a user of PyTorch writes it."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.linears = torch.nn.ModuleList(LAYERS[layer.word](layer) for layer in layers)
        self.activations = [ACTIVATIONS[layer.activation]() for layer in layers]

    def forward(self, x: Tensor) -> Tensor:
        for linear, activation in zip(self.linears, self.activations, strict=True):
            x = activation(linear(x))
        return x


MODELS = Words("level", {"modules": _sequential, "optimizer": _sequential, "class": Net})


class Torch(Backend):
    name = "torch"
    namespaces = (torch, torch.special, torch.nn.functional, torch.linalg)
    deviations = (_NO_LOG1P,) if torch.__version__ < "2.3" else ()  # which compares as versions do
    settings = tuple(
        Setting(f"{loss.__name__}(reduction={reduction!r})", objective, reduction, loss(reduction=reduction))
        for objective, loss in OBJECTIVES.items()
        for reduction in REDUCTIONS
    )

    @property
    def version(self) -> str:
        return torch.__version__

    def tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array)  # copies; from_numpy would let training write into the case

    def array(self, tensor: Tensor) -> np.ndarray:
        return tensor.detach().numpy()

    def leaves(self, params: Tensors) -> Tensors:
        return {name: tensor.detach().clone().requires_grad_() for name, tensor in params.items()}

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        leaves = self.leaves(params)
        value = loss(self, leaves, data)
        value.backward()
        return value, {name: leaf.grad for name, leaf in leaves.items()}

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        weights = self.leaves(params)
        for data in batches:
            for w in weights.values():
                w.grad = None
            value = loss(self, weights, data)
            value.backward()
            with torch.no_grad():
                for w in weights.values():
                    w -= rate * w.grad
            yield value, {name: w.grad for name, w in weights.items()}, weights

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        return MODELS[level](layers)

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        return OBJECTIVES[name](reduction=REDUCTIONS[reduction])

    def fit(self, training: Training) -> Iterator[tuple[Tensor, list[Tensor], list[Tensor]]]:
        model = self.model(training.level, training.layers)
        linears = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
        objective = self.objective(training.objective, training.reduction)
        optimizer = training.optimizer.passed_to(OPTIMIZERS, model.parameters())
        for x, y in training.examples(self.tensor):
            optimizer.zero_grad()
            value = objective(model(x), y)
            value.backward()
            if training.native:
                optimizer.step()
            else:
                with torch.no_grad():
                    for p in model.parameters():
                        p -= training.optimizer.rate * p.grad
            yield (
                value,
                [g for linear in linears for g in (linear.weight.grad.T, linear.bias.grad)],
                [p for linear in linears for p in (linear.weight.T, linear.bias)],
            )
