"""Other tools on the same faults, run as their documentation says, with its default tolerances.

``numpy.allclose`` and ``torch.testing.assert_close`` are given the exact answer to compare with: loss and gradient at the
start, and the parameters along the exact run. ``torch.autograd.gradcheck``, ``jax.test_util.check_grads`` and
``chainer.gradient_check.check_backward`` are given the adapter's loss as a function of theirs whose derivative is the
adapter's gradient. gradcheck asks for double precision and is left out in float32. What a tool says of a sound adapter is a
false alarm, and what it says of a faulty one counts only on cases where it lets the sound one pass.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import cases
from backends.chainer.framework import chainer  # through its adapter, which knows how to import it
from backends.jax import jax, jnp
from backends.torch import torch
from backends.transport.process import BackendError, Process
from cases import Case
from oracle.judge import Oracle
from oracle.run import exact_run
from report.document import Record
from runner.options import DEFAULT_DTYPES, DEFAULT_LIMIT, DEFAULT_MEMORY
from runner.processes import training
from tests.meta.fleet import Fault

# One of each family, off round numbers, and those that show what no other does.
CASES = (
    "line-generic", "square-generic", "square-zero", "logistic-graph-generic", "logistic-two-generic", "tanh-neuron-generic",
    "relu", "relu-generic", "thermometer-generic", "nand", "nand-batches", "nand-saturated", "nand-adam", "xor",
)  # fmt: skip

Arrays = dict[str, np.ndarray]
ValueAndGrad = Callable[[Arrays], tuple[np.ndarray, Arrays]]


def compared(faults: list[Fault]) -> Iterator[Record]:
    """Yield for every tool, sound adapter and fault on which cases it raises an alarm."""
    chosen = [case for name, case in cases.builtin().items() if name in CASES]
    exact = {(case.name, dtype): _truth(case, dtype) for case in chosen for dtype in DEFAULT_DTYPES}
    false: dict[str, set[tuple[str, str, str]]] = {}
    for name, adapter, sound in [
        *((sound, sound, sound) for sound in dict.fromkeys(fault.sound for fault in faults)),
        *((fault.name, fault.adapter, fault.sound) for fault in faults),
    ]:
        process = Process(adapter, DEFAULT_LIMIT, DEFAULT_MEMORY)
        for case in chosen:
            for dtype in DEFAULT_DTYPES:
                for judge, alarm in _alarms(process, case, dtype, exact[case.name, dtype]).items():
                    if name == sound and alarm:
                        false.setdefault(sound, set()).add((judge, case.name, dtype))
                    counts = alarm and (name == sound or (judge, case.name, dtype) not in false.get(sound, ()))
                    yield {
                        "kind": "kill", "judge": judge, "fault": name, "case": case.name, "dtype": dtype, "visible": False,
                        "caught": ["alarm"] if counts else [], "note": "",
                    }  # fmt: skip
        process.stop()


def _truth(case: Case, dtype: str) -> dict[str, Any]:
    """Return the exact loss and gradient at the start, and the exact parameters along the run."""
    params, data = case.at(dtype)
    oracle = Oracle(case.loss, data, dtype)
    points = {name: array[np.newaxis] for name, array in params.items()}
    seen = {name: array[np.newaxis] for name, array in data.items()}
    expected = oracle.expected().at(points, seen, forward=False)
    start = {"loss": np.asarray(expected["value"].hi[0, 0])}
    start |= {name: expected[f"gradient {name}"].hi[0].reshape(params[name].shape) for name in params}
    return {"start": start, "run": exact_run([training(case, dtype)])[0].after if case.steps else {}}


def _alarms(process: Process, case: Case, dtype: str, exact: dict[str, Any]) -> dict[str, bool]:
    """Return whether each tool calls the adapter wrong on a case. An exception of the adapter is an alarm to all."""
    params, data = case.at(dtype)

    def value_and_grad(point: Arrays) -> tuple[np.ndarray, Arrays]:
        [answer] = process.call("gradients", case.loss, [point], data)
        return answer

    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    failed = False
    try:
        value, gradient = value_and_grad(params)
        pairs += [(value, exact["start"]["loss"]), *((gradient[name], exact["start"][name]) for name in params)]
    except BackendError:
        failed = True
    lacks = {} if failed else process.call("describe")["unsupported_levels"]
    for level, reason in case.levels.items():
        if case.steps and not reason and level not in lacks:
            try:
                path = process.call("path", training(case, dtype, level))
                pairs += [(path.after[name], exact["run"][name]) for name in params]
            except BackendError:
                failed = True
    tools: dict[str, Callable[[], bool]] = {
        "numpy.allclose": lambda: all(got.shape == want.shape and np.allclose(got, want) for got, want in pairs),
        "torch.testing.assert_close": lambda: all(_assert_close(got, want, dtype) for got, want in pairs),
        "jax.test_util.check_grads": lambda: _check_grads(value_and_grad, params),
        "chainer.gradient_check": lambda: _check_backward(value_and_grad, params),
    }
    if dtype == "float64":
        tools["torch.autograd.gradcheck"] = lambda: _gradcheck(value_and_grad, params)
    return {name: failed or not _passes(tool) for name, tool in tools.items()}


def _passes(tool: Callable[[], bool]) -> bool:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        with contextlib.suppress(Exception):  # tools raise what they please
            return tool()
    return False


def _assert_close(got: np.ndarray, want: np.ndarray, dtype: str) -> bool:
    torch.testing.assert_close(torch.tensor(got), torch.tensor(want.astype(dtype)))
    return True


def _gradcheck(value_and_grad: ValueAndGrad, params: Arrays) -> bool:
    class Wrapped(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *xs: Any) -> Any:
            value, ctx.gradient = value_and_grad(dict(zip(params, (x.numpy() for x in xs), strict=True)))
            return torch.tensor(value)

        @staticmethod
        def backward(ctx: Any, *g: Any) -> Any:
            return tuple(g[0] * torch.tensor(ctx.gradient[name]) for name in params)

    inputs = tuple(torch.tensor(array, requires_grad=True) for array in params.values())
    return bool(torch.autograd.gradcheck(Wrapped.apply, inputs))


def _check_grads(value_and_grad: ValueAndGrad, params: Arrays) -> bool:
    shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in params.values()]
    scalar = jax.ShapeDtypeStruct((), shapes[0].dtype)

    def host(*xs: Any) -> Any:
        value, gradient = value_and_grad(dict(zip(params, map(np.asarray, xs), strict=True)))
        return value, *(gradient[name] for name in params)

    @jax.custom_vjp
    def loss(*xs: Any) -> Any:
        return jax.pure_callback(host, (scalar, *shapes), *xs)[0]

    def forward(*xs: Any) -> Any:
        value, *gradient = jax.pure_callback(host, (scalar, *shapes), *xs)
        return value, gradient

    loss.defvjp(forward, lambda gradient, g: tuple(g * each for each in gradient))
    from jax.test_util import check_grads

    check_grads(loss, tuple(jnp.array(array) for array in params.values()), order=1, modes=["rev"])
    return True


def _check_backward(value_and_grad: ValueAndGrad, params: Arrays) -> bool:
    class Wrapped(chainer.FunctionNode):
        def forward(self, xs: Any) -> Any:
            value, self.gradient = value_and_grad(dict(zip(params, xs, strict=True)))
            return (value,)

        def backward(self, indexes: Any, gys: Any) -> Any:
            gs = [self.gradient[name] for name in params]
            return tuple(chainer.functions.broadcast_to(gys[0], g.shape) * g for g in gs)

    from chainer.gradient_check import check_backward

    check_backward(lambda *xs: Wrapped().apply(xs)[0], tuple(params.values()), None)
    return True
