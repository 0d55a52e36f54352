"""Print tables of what the suite costs. Words choose among adapter, checking, growth and whole; without one, all come."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from backends import FRAMEWORKS, SETTINGS
from benchmarks import growth, whole
from benchmarks.pairs import REPETITIONS, Ratio

WORDS = ("adapter", "checking", "growth", "whole")
# numpy has no gradients of its own: the suite's tape computes them.
OTHERS = [name for name in FRAMEWORKS if name != "numpy"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="word", help=f"what to measure, of {', '.join(WORDS)}; all by default")
    parser.add_argument("--of", help=argparse.SUPPRESS)  # one framework, in a process of its own
    given = parser.parse_args()
    if unknown := [word for word in given.words if word not in WORDS]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(WORDS)}")
    if given.of:
        print(json.dumps(MEASURED[given.words[0]](given.of)))
        return
    print(
        f"Times hold for this machine only. They are medians of {REPETITIONS}, and so are ratios, of pairs timed in turn, with "
        "the least and the largest in brackets; whole runs are made once."
    )
    for word in given.words or WORDS:
        print(f"\n## {word}\n")
        TABLES[word]()


def _adapter(framework: str) -> object:
    from benchmarks.adapter import overheads

    return {net: dataclasses.astuple(found) for net, found in overheads(framework).items()}


def _checking(framework: str) -> object:
    from benchmarks.checking import compared

    found, own, other, wide = compared(framework)
    return [dataclasses.astuple(found), own, other, dataclasses.astuple(wide)]


MEASURED: dict[str, Callable[[str], object]] = {"adapter": _adapter, "checking": _checking}


def _asked(word: str, framework: str) -> list[Any]:
    """Measure ``word`` in a process that imports one framework, with the settings of a run."""
    command = [sys.executable, "-m", "benchmarks", word, "--of", framework]
    done = subprocess.run(command, env=SETTINGS | os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{framework}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return [[name, *each] for name, each in found.items()] if isinstance(found, dict) else [found]


def _print_adapter() -> None:
    rows = []
    for framework in OTHERS:
        for net, *each in _asked("adapter", framework):
            found = Ratio(*each)
            rows.append([framework, str(net), f"{found.second * 1e6:.0f} µs", _of(found)])
    _print(["framework", "net", "by hand", "adapter / by hand"], rows)


def _print_checking() -> None:
    rows = []
    for framework in OTHERS:
        [[each, ours, theirs, wide]] = _asked("checking", framework)
        found, large = Ratio(*each), Ratio(*wide)
        rows.append(
            [
                framework,
                f"{found.first * 1e3:.1f} ms",
                f"{found.second * 1e3:.1f} ms",
                _of(found),
                f"{ours:.0e}",
                f"{theirs:.0e}",
                f"{large.first * 1e3:.0f} ms",
                _of(large),
            ]
        )
    heading = ["judged", "its own checker", "ratio", "smallest fault found", "by its own checker"]
    _print(["framework", *heading, "784-128-10 judged", "over its gradient alone"], rows)


def _print_growth() -> None:
    for kind, what in (("gradient", "parameters"), ("run", "steps")):
        sizes = growth.measured(kind)
        powers = ["", *(f"{each:.2f}" for each in growth.exponents(sizes))]
        rows = [[f"{s.count:,}", f"{s.seconds:.3f} s", f"{s.mib:.0f} MiB", p] for s, p in zip(sizes, powers, strict=True)]
        _print([what, "time", "memory", "exponent"], rows)
        print()


def _print_whole() -> None:
    rows = []
    for framework in FRAMEWORKS:
        run = whole.run(framework)
        times = [f"{each:.0f} s" for each in (run.wall, run.judging, run.framework, run.bare)]
        ratios = [f"{run.judging / run.framework:.2f}", f"{run.wall / run.bare_wall:.1f}"]
        sizes = [f"{each:.2f} GiB" for each in (run.judging_gib, run.framework_gib, run.bare_gib)]
        rows.append([framework, *times, *ratios, *sizes])
    times = ["wall", "judging", "framework", "bare", "judging / framework", "wall / wall bare"]
    _print(["framework", *times, "memory of judging", "of the framework", "bare"], rows)


def _of(found: Ratio) -> str:
    return f"{found.median:.2f} ({found.least:.2f} to {found.largest:.2f})"


def _print(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for row in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(row)} |", flush=True)


TABLES = {"adapter": _print_adapter, "checking": _print_checking, "growth": _print_growth, "whole": _print_whole}

if __name__ == "__main__":
    main()
