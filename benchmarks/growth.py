"""How time and memory of judging grow: with the parameters of a gradient, and with the steps of a run.

Each size has a process of its own: the most memory that a process has held says nothing of what it does later.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import cases
from backends.numpy import Numpy
from backends.transport.engine import Engine
from benchmarks.pairs import REPETITIONS
from oracle.judge import Oracle, Steps
from runner.processes import training
from vocabulary.rules import Optimizer

BATCH, OUT = 64, 10
# n, the number of inputs and of hidden units; the net has n^2 + 11 n + 10 parameters.
WIDTHS = (1, 6, 27, 95, 311, 995)
STEPS = (10, 100, 1000, 10_000, 100_000)
MIB = 1024.0  # KiB


@dataclasses.dataclass(frozen=True)
class Size:
    """``count`` parameters or steps, the seconds of judging, and by how many MiB judging raises the most that is held."""

    count: int
    seconds: float
    mib: float


def net(ops: Any, params: Any, data: Any) -> Any:
    """n inputs, n tanh units, 10 outputs; the mean squared error."""
    r = ops.tanh(data["X"] @ params["W1"] + params["b1"]) @ params["W2"] + params["b2"] - data["y"]
    return ops.mean(r * r)


def gradient(width: int) -> tuple[int, Callable[[], object]]:
    random = np.random.default_rng(1)
    shapes = {"W1": (width, width), "b1": (width,), "W2": (width, OUT), "b2": (OUT,)}
    params = {name: random.standard_normal(shape) / np.sqrt(width) for name, shape in shapes.items()}
    data = {"X": random.standard_normal((BATCH, width)), "y": random.standard_normal((BATCH, OUT))}
    [(value, found)] = Engine(Numpy()).gradients(net, [params], data)
    results = {"value": [value]} | {f"gradient {name}": [array] for name, array in found.items()}
    return sum(array.size for array in params.values()), lambda: Oracle(net, data, "float64").judge([params], results)


def run(steps: int) -> tuple[int, Callable[[], object]]:
    case = cases.builtin()["nand"]
    program = training(case, "float64")
    program = dataclasses.replace(program, optimizer=Optimizer("sgd", 0.5), steps=steps, keep=np.arange(steps))
    path = Engine(Numpy()).path(program)
    points = [{name: array[k] for name, array in path.before.items()} for k in range(steps)]
    results = {"value": list(path.losses)} | {f"gradient {name}": list(array) for name, array in path.gradients.items()}
    results |= {f"updated {name}": list(array) for name, array in path.after.items()}
    return steps, lambda: Oracle(case.loss, program.data, "float64", steps=Steps.of(program, {})).judge(
        points, results, row="step"
    )


KINDS = {"gradient": (gradient, WIDTHS), "run": (run, STEPS)}


def measured(kind: str) -> list[Size]:
    """Return what each size of ``kind`` takes, medians of REPETITIONS."""
    found = []
    for size in KINDS[kind][1]:
        command = [sys.executable, "-m", "benchmarks.growth", kind, str(size)]
        found.append(Size(*json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)))
    return found


def exponents(sizes: list[Size]) -> list[float]:
    """Return the exponent of time between each size and the next."""
    return [float(np.log(b.seconds / a.seconds) / np.log(b.count / a.count)) for a, b in pairwise(sizes)]


def main() -> None:
    make, _ = KINDS[sys.argv[1]]
    count, work = make(int(sys.argv[2]))
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(REPETITIONS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([count, statistics.median(seconds), (held - idle) / MIB]))


if __name__ == "__main__":
    main()
