"""PyTorch with other optimisers, and other ways to write the same training run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import torch

from backends.torch import Torch
from backends.torch.optimizers import OPTIMIZERS
from backends.training import Training
from vocabulary.tensors import Tensor, Tensors

Differentiated = Callable[[Tensors, Tensors], tuple[Tensor, Tensors]]


# The levels: other ways to write the same training run.


class _Fitted(Torch):
    """A loop in which ``optimizer`` makes and ``step`` uses the optimiser, or updates by hand."""

    def optimizer(self, training: Training, params: Sequence[Tensor]) -> Any:
        usual = training.optimizer.passed_to(OPTIMIZERS, params)
        return type(usual)(self.groups(params), **(usual.defaults | self.options))

    options: ClassVar[dict[str, Any]] = {}

    def groups(self, params: Sequence[Tensor]) -> Any:
        return list(params)

    def fit(self, training: Training) -> Iterator[Any]:
        model = self.model(training.level, training.layers)
        optimizer = self.optimizer(training, list(model.parameters()))
        objective = self.objective(training.objective, training.reduction)
        linears = [part for part in model.modules() if isinstance(part, torch.nn.Linear)]
        for x, y in training.examples(self.tensor):
            if training.level == "modules":
                value = self.differentiated(model, objective, x, y)
                with torch.no_grad():
                    for p in model.parameters():
                        p.sub_(p.grad, alpha=training.optimizer.rate)
            else:
                value = self.step(optimizer, lambda x=x, y=y: self.differentiated(model, objective, x, y))
            yield (
                value,
                [g for linear in linears for g in (linear.weight.grad.T, linear.bias.grad)],
                [p for linear in linears for p in (linear.weight.T, linear.bias)],
            )

    def differentiated(self, model: Any, objective: Any, x: Tensor, y: Tensor) -> Tensor:
        model.zero_grad()
        value = objective(model(x), y)
        value.backward()
        return value

    def step(self, optimizer: Any, closure: Callable[[], Tensor]) -> Tensor:
        value = closure()
        optimizer.step()
        return value


class Foreach(_Fitted):
    """The optimisers update all parameters at once (foreach), with a weight decay of 0."""

    options: ClassVar = {"foreach": True, "weight_decay": 0.0}


class Fused(_Fitted):
    """The optimisers are one kernel (fused), which may keep a product that it adds: a rounding fewer."""

    options: ClassVar = {"fused": True}


class ClosureAndGroups(_Fitted):
    """optimizer.step takes a closure, and has one group a parameter, the last one first: an entry is updated by itself."""

    def groups(self, params: Sequence[Tensor]) -> Any:
        return [{"params": [p]} for p in reversed(params)]

    def step(self, optimizer: Any, closure: Callable[[], Tensor]) -> Tensor:
        return optimizer.step(closure)


class Maximizes(_Fitted):
    """The optimisers maximise the negated loss, with the differentiable step: a sign is exact, and so is its way back."""

    options: ClassVar = {"maximize": True}

    def step(self, optimizer: Any, closure: Callable[[], Tensor]) -> Tensor:
        value = closure()
        params = [p for group in optimizer.param_groups for p in group["params"]]
        for p in params:
            p.grad.neg_()
        optimizer.step()
        for p in params:
            p.grad.neg_()
        return value


class HalfBatches(_Fitted):
    """The gradient is gathered over two halves of the batch, a mean weighted by their share of the examples.

    A sum in two parts is a sum in another order; a mean of a half times its share of the examples is one rounding more than the
    mean has, for at least one addition less.
    """

    def differentiated(self, model: Any, objective: Any, x: Tensor, y: Tensor) -> Tensor:
        model.zero_grad()
        total = torch.zeros((), dtype=x.dtype)
        for part, target in zip(x.tensor_split(2), y.tensor_split(2), strict=True):
            if len(part):
                share = len(part) / len(x) if objective.reduction == "mean" else 1
                value = objective(model(part), target) * share
                value.backward()
                total += value.detach()
        return total


class _OfLogsigmoid(torch.nn.Module):
    """-log p of the label, with p = sigmoid(z) or sigmoid(-z)."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        losses = -torch.nn.functional.logsigmoid((2 * y - 1) * z)
        return getattr(losses, self.reduction)()


class EachExample(_Fitted):
    """Gradients of single examples, by vmap over functional_call, are reduced afterwards: the terms of the same sum.

    The binary cross-entropy is made of logsigmoid, since torch.func takes that of torch.nn apart with an absolute error.
    """

    def objective(self, name: str, reduction: str) -> Any:
        if name != "binary cross-entropy":
            return super().objective(name, reduction)
        return _OfLogsigmoid(reduction)

    def differentiated(self, model: Any, objective: Any, x: Tensor, y: Tensor) -> Tensor:
        def one(params: Tensors, x: Tensor, y: Tensor) -> Tensor:
            return objective(torch.func.functional_call(model, params, (x[None],)), y[None])

        params = {name: p.detach() for name, p in model.named_parameters()}
        gradients, values = torch.func.vmap(torch.func.grad_and_value(one), in_dims=(None, 0, 0))(params, x, y)
        for name, p in model.named_parameters():
            p.grad = getattr(gradients[name], objective.reduction)(0)
        return getattr(values, objective.reduction)()
