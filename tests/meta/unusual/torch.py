"""PyTorch through its other doors: functional and forward-mode gradients, other optimisers and memory, other kernels."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch

from backends.torch import Torch
from backends.torch.optimizers import OPTIMIZERS
from backends.training import Training
from vocabulary.tensors import Formula, Tensor, Tensors

Differentiated = Callable[[Tensors, Tensors], tuple[Tensor, Tensors]]


class _Differentiated(Torch):
    """Both value_and_grad and train call what ``differentiated`` makes of a loss."""

    def differentiated(self, loss: Formula) -> Differentiated:
        raise NotImplementedError

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        return self.prepared(loss)(params, data)

    @lru_cache(maxsize=16)  # noqa: B019, the adapter lives as long as its process
    def prepared(self, loss: Formula) -> Differentiated:
        return self.differentiated(loss)

    def train(self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float) -> Iterator[Any]:
        step = self.prepared(loss)
        for data in batches:
            value, gradient = step(params, data)
            params = {name: torch.sub(w, gradient[name], alpha=rate) for name, w in params.items()}
            yield value, gradient, params


class _Transformed(_Differentiated):
    """Gradients by torch.func, which takes BCEWithLogitsLoss apart into operations that are not those of its own kernel.

    log(exp(-m) + exp(-z - m)) with m = max(-z, 0) has an absolute error, which the kernel lost in 2.3: of a sure and right
    logit no loss is left, and no slope. That loss is not among the native losses of these adapters.
    """

    native_losses = tuple(each for each in Torch.native_losses if each.objective != "binary cross-entropy")


class ForwardDuals(_Differentiated):
    """Forward mode by torch.func.jvp, one pass an entry: the same factors, multiplied from the other end."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            gradient = {name: torch.empty_like(w) for name, w in params.items()}
            for name, w in params.items():
                for index in np.ndindex(*w.shape):
                    direction = {key: torch.zeros_like(each) for key, each in params.items()}
                    direction[name][index] = 1
                    value, slope = torch.func.jvp(lambda leaves: loss(self, leaves, data), (params,), (direction,))
                    gradient[name][index] = slope
            return value, gradient

        return both


class Jacfwd(_Differentiated):
    """Forward mode by vmap of torch.func.jvp over the entries of a parameter, as jacfwd has it, some hundred at a time."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            gradient = {}
            for name, w in params.items():

                def along(entry: Tensor, name: str = name, w: Tensor = w) -> Tensor:
                    direction = (torch.arange(w.numel()) == entry).to(w.dtype).reshape(w.shape)
                    return torch.func.jvp(lambda x: loss(self, params | {name: x}, data), (w,), (direction,))[1]

                slopes = torch.func.vmap(along, chunk_size=256)(torch.arange(w.numel()))
                gradient[name] = slopes.reshape(w.shape)
            return loss(self, params, data), gradient

        return both


class Functional(_Transformed):
    """torch.func.grad_and_value, a transformation of functions over the same kernels."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            gradient, value = torch.func.grad_and_value(lambda leaves: loss(self, leaves, data))(params)
            return value, gradient

        return both


class Vectorized(_Transformed):
    """The gradient by vmap over a batch of two equal points, of which the second is given back."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            one = torch.func.grad_and_value(lambda leaves: loss(self, leaves, data))
            gradient, value = torch.func.vmap(one)({name: torch.stack([w, w]) for name, w in params.items()})
            return value[1], {name: g[1] for name, g in gradient.items()}

        return both


class GraphKept(_Differentiated):
    """torch.autograd.grad with create_graph and retain_graph, asked twice; the second derivative is never taken."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            leaves = self.leaves(params)
            value = loss(self, leaves, data)
            for _ in range(2):
                slopes = torch.autograd.grad(value, list(leaves.values()), create_graph=True, retain_graph=True)
            return value, dict(zip(leaves, slopes, strict=True))

        return both


class Checkpointed(_Differentiated):
    """The loss is computed a second time on the way back, by torch.utils.checkpoint: the same numbers twice."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            leaves = self.leaves(params)
            value = torch.utils.checkpoint.checkpoint(lambda: loss(self, leaves, data), use_reentrant=False)
            value.backward()
            return value, {name: leaf.grad for name, leaf in leaves.items()}

        return both


class Offloaded(_Differentiated):
    """What backward needs is kept as bytes outside of PyTorch, and comes back as a tensor of the same bits."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def pack(saved: Tensor) -> tuple[bytes, torch.dtype, torch.Size]:
            return saved.detach().contiguous().numpy().tobytes(), saved.dtype, saved.shape

        def unpack(packed: tuple[bytes, torch.dtype, torch.Size]) -> Tensor:
            memory, dtype, shape = packed
            return torch.frombuffer(bytearray(memory), dtype=dtype).reshape(shape)

        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
                return Torch.value_and_grad(self, loss, params, data)

        return both


class FlatVector(_Differentiated):
    """All parameters are views of one flat vector, which alone has a gradient."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            def apart(vector: Tensor) -> Tensors:
                parts = vector.split([w.numel() for w in params.values()])
                return {name: part.view(w.shape) for (name, w), part in zip(params.items(), parts, strict=True)}

            vector = torch.nn.utils.parameters_to_vector(params.values()).requires_grad_()
            value = loss(self, apart(vector), data)
            value.backward()
            return value, apart(vector.grad)

        return both


class InAThread(_Differentiated):
    """Forward in one thread and backward in another, each of two threads of its own for the kernels."""

    def differentiated(self, loss: Formula) -> Differentiated:
        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            leaves, values = self.leaves(params), []
            for work in (lambda: values.append(loss(self, leaves, data)), lambda: values[0].backward()):
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()
            return values[0], {name: leaf.grad for name, leaf in leaves.items()}

        return both

    def __init__(self) -> None:
        torch.set_num_threads(2)


class _Logistic(torch.autograd.Function):
    """1 / (1 + exp(-x)), and its slope without cancellation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (1 + (-x).exp()).reciprocal()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return g * ((1 + (-x).exp()).reciprocal() * (1 + x.exp()).reciprocal())


class OwnFunctions(Torch):
    """sigmoid is a torch.autograd.Function of the user's own with the slope y sigmoid(-x); relu is clamp, a mean sum / n.

    1 / (1 + exp(-x)) has the error of exp and two roundings, which the table grants. exp overflows to the right limit.
    """

    slope_at_kink = 1.0  # of clamp at its bound

    def sigmoid(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return _Logistic.apply(x)

    def relu(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.clamp(min=0)

    def mean(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.sum() / x.numel()


class _OtherKernels(torch.overrides.TorchFunctionMode):
    """Products, written with @, are made by other kernels."""

    def __init__(self, product: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.product = product

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is torch.Tensor.__matmul__:
            return self.product(*args)
        return function(*args, **(kwargs or {}))


class EinsumKernels(Torch):
    """Products of matrices by torch.einsum, sums by dot products with ones: the same terms in orders of other kernels."""

    product = staticmethod(lambda a, b: torch.einsum("ij,jk->ik", a, b))

    def __init__(self) -> None:
        _OtherKernels(self.product).__enter__()

    def sum(self, x: Tensor) -> Tensor:  # type: ignore[override]
        flat = x.flatten()
        return flat.dot(torch.ones_like(flat))


class OuterKernels(EinsumKernels):
    """Products of matrices as sums of outer products along an axis, sums as the last of cumsum."""

    product = staticmethod(lambda a, b: (a.T.unsqueeze(2) * b.unsqueeze(1)).sum(0))

    def sum(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.flatten().cumsum(0)[-1]


class BatchedKernels(EinsumKernels):
    """A B as the transpose of B^T A^T by the kernel for batches of matrices, sums by sorted terms in halves."""

    product = staticmethod(lambda a, b: torch.bmm(b.T.unsqueeze(0), a.T.unsqueeze(0))[0].T)

    def sum(self, x: Tensor) -> Tensor:  # type: ignore[override]
        flat = x.flatten()
        half = len(flat) // 2
        return flat[:half].sum() + flat[half:].sum() if half else flat[0]


class _InDouble(torch.utils._python_dispatch.TorchDispatchMode):
    """Each kernel, forward and backward, sees float64 in place of float32, and its results are rounded back at once."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function._schema.is_mutable or any(each.alias_info for each in function._schema.returns):
            return function(*args, **(kwargs or {}))
        seen = []

        def widened(x: Any) -> Any:
            if isinstance(x, torch.Tensor) and x.dtype == torch.float32:
                seen.append(x)
                return x.double()
            return x

        wide = torch.utils._pytree.tree_map(widened, args)
        result = function(*wide, **(kwargs or {}))
        if not seen:
            return result
        return torch.utils._pytree.tree_map(
            lambda x: x.float() if isinstance(x, torch.Tensor) and x.dtype == torch.float64 else x, result
        )


class DoubleInside(Torch):
    """In float32 every kernel computes in float64 and its result is rounded once: as good as correctly rounded."""

    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        with _InDouble():
            return super().value_and_grad(loss, params, data)


class Buffers(Torch):
    """Tensors are made of the bytes of a copy, and go back to numpy through DLPack: no bit changes on the way."""

    def tensor(self, array: np.ndarray) -> Tensor:
        flat = torch.frombuffer(bytearray(array.tobytes()), dtype=torch.from_numpy(np.empty(0, array.dtype)).dtype)
        return flat.reshape(array.shape)

    def array(self, tensor: Tensor) -> np.ndarray:
        return np.from_dlpack(tensor.detach())


class OtherMemory(Torch):
    """No tensor is contiguous: each is every second number of a larger one, with its axes in the order of Fortran."""

    def tensor(self, array: np.ndarray) -> Tensor:
        memory = torch.from_numpy(np.repeat(array.T[..., np.newaxis], 2, axis=-1).copy())
        return memory[..., 0].permute(list(reversed(range(array.ndim))))

    def leaves(self, params: Tensors) -> Tensors:
        return {name: self.tensor(self.array(tensor)).requires_grad_() for name, tensor in params.items()}


class Compiled(_Differentiated):
    """The loss is compiled by TorchDynamo, its gradient traced ahead of time by AOTAutograd, over the eager kernels.

    Inductor, the default backend, writes C++, whose compiler a machine need not have.
    """

    modes: ClassVar = {"gradient": "compiled", "training": "compiled"}

    def differentiated(self, loss: Formula) -> Differentiated:
        compiled = torch.compile(lambda leaves, data: loss(self, leaves, data), backend="aot_eager", dynamic=False)

        def both(params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
            leaves = self.leaves(params)
            value = compiled(leaves, data)
            value.backward()
            return value, {name: leaf.grad for name, leaf in leaves.items()}

        return both


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
