"""What judging costs, as a multiple of numpy's own training step, so that the number means something on any machine.

``python benchmarks/judging.py``, in an environment of the suite, from the top of the repository.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import cases
from backends.numpy import Numpy
from backends.transport.engine import Engine
from oracle.judge import Oracle, Steps
from runner.processes import training
from vocabulary.words import AUTODIFF

STEPS = 200


def main() -> None:
    print(f"{'case':24} {'dtype':8} numpy step   judged step   ratio")
    for case in cases.builtin().values():
        if case.levels[AUTODIFF] or not case.steps:
            continue
        for dtype in ("float32", "float64"):
            run = dataclasses.replace(training(case, dtype), steps=STEPS, keep=np.arange(STEPS))
            begun = time.perf_counter()
            path = Engine(Numpy()).path(run)
            trained = time.perf_counter()
            points = [{name: array[step] for name, array in path.before.items()} for step in range(STEPS)]
            results = {"value": path.losses} | {f"gradient {name}": array for name, array in path.gradients.items()}
            results |= {f"updated {name}": array for name, array in path.after.items()}
            Oracle(case.loss, run.data, dtype, steps=Steps.of(run, {})).judge(points, results, row="step")
            step, judged = ((after - before) / STEPS for before, after in ((begun, trained), (trained, time.perf_counter())))
            print(f"{case.name:24} {dtype:8} {step * 1e6:7.0f} µs  {judged * 1e6:9.0f} µs  {judged / step:6.1f}")


if __name__ == "__main__":
    main()
