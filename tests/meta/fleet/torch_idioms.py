"""Faults that users of PyTorch make, in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from backends.torch import Torch

SOUND = "torch"


class ForgetfulTorch(Torch):
    """PyTorch without zero_grad: gradients pile up from step to step."""

    family = "accumulated"

    def train(self, loss: Any, params: Any, batches: Any, rate: float) -> Any:
        weights = self.leaves(params)
        for data in batches:
            value = loss(self, weights, data)
            value.backward()
            with torch.no_grad():
                for w in weights.values():
                    w -= rate * w.grad
            yield value, {name: w.grad for name, w in weights.items()}, weights


class ForgetfulOptimizer(Torch):
    """PyTorch's optimisers without zero_grad."""

    family = "accumulated"

    def fit(self, training: Any) -> Any:
        def kept(self: Any, set_to_none: bool = True) -> None: ...

        zero_grad, torch.optim.Optimizer.zero_grad = torch.optim.Optimizer.zero_grad, kept
        try:
            yield from super().fit(training)
        finally:
            torch.optim.Optimizer.zero_grad = zero_grad


class AnotherOptimizer(Torch):
    """No fault yet: ``torch.optim`` with optimisers that are changed by ``others``."""

    others: Any = staticmethod(dict)

    def fit(self, training: Any) -> Any:
        others = self.others()
        usual = {name: getattr(torch.optim, name) for name in others}
        try:
            for name, other in others.items():
                setattr(torch.optim, name, other)
            yield from super().fit(training)
        finally:
            for name, optimizer in usual.items():
                setattr(torch.optim, name, optimizer)


def changed(optimizer: Any, **options: Any) -> Any:
    def make(*arguments: Any, **given: Any) -> Any:
        return optimizer(*arguments, **given | options)

    return make


class Momentum(AnotherOptimizer):
    """Gradient descent with momentum, unasked."""

    family = "momentum"
    others = staticmethod(lambda: {"SGD": changed(torch.optim.SGD, momentum=0.9)})


class SlightMomentum(AnotherOptimizer):
    """Gradient descent with a momentum of a millionth."""

    family = "momentum"
    others = staticmethod(lambda: {"SGD": changed(torch.optim.SGD, momentum=1e-6)})


class WeightDecay(AnotherOptimizer):
    """A weight decay of 1e-4, unasked."""

    family = "momentum"
    others = staticmethod(lambda: {name: changed(getattr(torch.optim, name), weight_decay=1e-4) for name in ("SGD", "Adam")})


class AmsGrad(AnotherOptimizer):
    """Adam's variant that keeps the largest second moment."""

    family = "adam"
    others = staticmethod(lambda: {"Adam": changed(torch.optim.Adam, amsgrad=True)})


class Decoupled(AnotherOptimizer):
    """AdamW, with its usual decay, for Adam."""

    family = "adam"
    others = staticmethod(lambda: {"Adam": torch.optim.AdamW})


class Nesterov(AnotherOptimizer):
    """NAdam for Adam."""

    family = "adam"
    others = staticmethod(lambda: {"Adam": torch.optim.NAdam})


class FloatModel(Torch):
    """A model whose outputs are those of float32 weights, in whatever dtype is asked for."""

    family = "precision"

    def model(self, level: str, layers: Any) -> Any:
        model = super().model(level, layers)
        model.register_forward_pre_hook(lambda module, x: self.narrowed(module))
        return model

    def narrowed(self, module: Any) -> None:
        with torch.no_grad():
            for p in module.parameters():
                p.copy_(p.float())


class Autocast(Torch):
    """Products of matrices are made in bfloat16 by torch.autocast, left on."""

    family = "precision"

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        def wide(ops: Any, params: Any, data: Any) -> Any:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return loss(ops, params, data).to(next(iter(params.values())).dtype)

        return super().value_and_grad(wide, params, data)


class FlushesDenormals(Torch):
    """torch.set_flush_denormal was called by somebody, where subnormal numbers are stated to be kept."""

    family = "precision"

    def __init__(self) -> None:
        torch.set_flush_denormal(True)


class FromNumpy(Torch):
    """Tensors come from torch.from_numpy and share the memory of the case."""

    family = "mutation"

    def tensor(self, array: np.ndarray) -> Any:
        return torch.from_numpy(np.require(array, requirements="W")) if array.flags.writeable else torch.tensor(array)


class BceOfProbabilities(Torch):
    """The loss of layers is BCELoss of a sigmoid, which lets no logarithm below -100."""

    family = "clipping"

    def objective(self, name: str, reduction: str) -> Any:
        if name != "binary cross-entropy":
            return super().objective(name, reduction)
        return lambda z, y: torch.nn.BCELoss(reduction=reduction)(torch.sigmoid(z), y)


class Detached(Torch):
    """The hidden layers' outputs are detached."""

    family = "detached"

    def sigmoid(self, x: Any) -> Any:  # type: ignore[override]
        hidden = x.grad_fn is not None and len(x.shape) == 2 and x.shape[1] > 1
        return torch.sigmoid(x.detach() + 0 * x if hidden else x)  # a gradient of None would be an error
