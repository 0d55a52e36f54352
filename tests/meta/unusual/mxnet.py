"""MXNet through its other doors: hybridized blocks, autograd.grad, added gradients, functions of the user's own, updaters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from backends.base import Model
from backends.legacy import removed_names
from backends.mxnet import Mxnet
from backends.mxnet.framework import autograd, gluon, mxnet, np
from backends.mxnet.layers import LAYERS, MODELS
from backends.mxnet.optimizers import OPTIMIZERS
from backends.training import Training
from vocabulary.layers import Layer
from vocabulary.tensors import Formula, Tensor, Tensors

with removed_names():
    from mxnet import optimizer


class Hybridized(Mxnet):
    """Models are hybridized, a graph that is compiled once with memory of its own: the same operators."""

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        MODELS.check(level)
        model = gluon.nn.HybridSequential()
        model.add(*(LAYERS[layer.word](layer) for layer in layers))
        model.hybridize(static_alloc=True, static_shape=True)
        return model


class Grad(Mxnet):
    """autograd.grad, which returns gradients and keeps the graph, for variables that are marked by hand."""

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        leaves = {name: tensor.copy() for name, tensor in params.items()}
        autograd.mark_variables(list(leaves.values()), [np.zeros_like(leaf) for leaf in leaves.values()])
        with autograd.record():
            value = loss(self, leaves, data)
            slopes = autograd.grad(value, list(leaves.values()), retain_graph=True)
        return value, dict(zip(leaves, slopes, strict=True))


class Added(Mxnet):
    """Gradients are added to those before (grad_req='add') and set to zero first: a sum with 0 is exact."""

    def leaves(self, params: Tensors) -> Tensors:
        leaves = {name: tensor.copy() for name, tensor in params.items()}
        for leaf in leaves.values():
            leaf.attach_grad(grad_req="add")
        return leaves

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        weights = self.leaves(params)
        for data in batches:
            for w in weights.values():
                w.grad[()] = 0
            with autograd.record():
                value = loss(self, weights, data)
            value.backward(retain_graph=True)
            for w in weights.values():
                w[()] = w - rate * w.grad
            yield value, {name: w.grad for name, w in weights.items()}, weights


class _Logistic(autograd.Function):
    """1 / (1 + exp(-x)), and its slope without cancellation."""

    def forward(self, x: Tensor) -> Tensor:
        self.save_for_backward(x)
        return 1 / (1 + np.exp(-x))

    def backward(self, g: Tensor) -> Tensor:
        x, g = (array.as_np_ndarray() for array in (*self.saved_tensors, g))
        return (g * (1 / (1 + np.exp(-x)) * (1 / (1 + np.exp(x))))).as_nd_ndarray()


class OwnFunctions(Mxnet):
    """sigmoid is an autograd.Function of the user's own, with y sigmoid(-x) for a slope; sums are dot products with ones."""

    def sigmoid(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return np.reshape(_Logistic()(np.reshape(x, (-1,))), x.shape)  # in backward no shape may be ()

    def sum(self, x: Tensor) -> Tensor:  # type: ignore[override]
        flat = np.reshape(x, (-1,))
        return np.dot(flat, np.ones_like(flat))

    def mean(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return np.sum(x / x.size)

    def relu(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return np.where(x <= 0, np.zeros_like(x), x)  # what is not a number stays so


class Updaters(Mxnet):
    """Each parameter has an updater of its own, the last one first, in place of a Trainer: an entry is updated by itself."""

    def fit(self, training: Training) -> Iterator[Any]:
        model, rule = self.model(training.level, training.layers), training.optimizer
        params = list(model.collect_params().values())
        objective = self.objective(training.objective, training.reduction)
        name, options = rule.passed_to(OPTIMIZERS)
        updaters = [optimizer.get_updater(optimizer.create(name, **options)) for _ in params]
        for x, y in training.examples(self.tensor):
            with autograd.record():
                value = objective(model(x), y)
            value.backward()
            for p, update in list(zip(params, updaters, strict=True))[::-1]:
                if training.level == "modules":
                    p.set_data(p.data() + -rule.rate * p.grad())
                else:
                    update(0, p.grad(), p.data())
            yield value, [p.grad().T for p in params], [p.data().T for p in params]


class HalfBatches(Mxnet):
    """The gradient is added up over two halves of the batch, a mean weighted by their share of the examples.

    A sum in two parts is a sum in another order; a mean of a half times its share of the examples is one rounding more than the
    mean has, for at least one addition less.
    """

    def fit(self, training: Training) -> Iterator[Any]:
        model, rule = self.model(training.level, training.layers), training.optimizer
        params = list(model.collect_params().values())
        for p in params:
            p.grad_req = "add"
        objective = self.objective(training.objective, training.reduction)
        trainer = gluon.Trainer(params, *rule.passed_to(OPTIMIZERS), kvstore=None)
        for x, y in training.examples(self.tensor):
            model.collect_params().zero_grad()
            half, total = len(x) // 2, 0
            for start, end in ((0, half), (half, len(x))):
                if start < end:
                    share = (end - start) / len(x) if training.reduction == "mean" else 1
                    with autograd.record():
                        value = objective(model(x[start:end]), y[start:end]) * share
                    value.backward()
                    total = total + value
            if training.level == "modules":
                for p in params:
                    p.set_data(p.data() - rule.rate * p.grad())
            else:
                trainer.allreduce_grads()
                trainer.update(1)
            yield total, [p.grad().T for p in params], [p.data().T for p in params]


class Buffers(Mxnet):
    """Tensors keep the memory of a numpy array that is a copy: no bit changes on the way."""

    def tensor(self, array: Any) -> Tensor:
        return mxnet.nd.from_numpy(array.copy()).as_np_ndarray() if array.ndim else super().tensor(array)
