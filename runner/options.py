"""The command line of the suite: its options, their help and their defaults."""

from __future__ import annotations

import pytest

import backends
from cases import JUDGED
from vocabulary.words import DTYPES, LEVELS

DEFAULT_DTYPES = ("float32", "float64")
# Under --quick.
QUICK_DTYPES = ("float64",)
DEFAULT_LIMIT = 300.0  # seconds
# A training run of more steps gets more time, in proportion.
USUAL_STEPS = 5000
# GiB. The largest, JAX, holds 1.5 in a default run on two processors (docs/speed.md); the stacks of threads, which count too,
# grow with the number of processors.
DEFAULT_MEMORY = 8.0


def add_options(parser: pytest.Parser) -> None:
    """Declare the command line of the suite."""
    group = parser.getgroup("gradient conformance")
    group.addoption(
        "--backend", action="append", default=[], metavar="NAME",
        help=f"judge this backend ({', '.join(backends.FRAMEWORKS)}, or package.module:Class for an adapter of your own), "
        "or 'all' of them; repeatable; default: all that are installed",
    )  # fmt: skip
    group.addoption("--case", action="append", default=[], metavar="NAME", help="judge this case; repeatable; default: all")
    group.addoption(
        "--level", action="append", default=[], metavar="NAME",
        help=f"judge training runs written at this level ({', '.join(LEVELS)}); repeatable; default: all",
    )  # fmt: skip
    group.addoption(
        "--cases", action="append", default=[], metavar="FILE.py",
        help="add the cases of a Python file, which is run: give only files that you trust; repeatable",
    )  # fmt: skip
    group.addoption(
        "--dtype", action="append", default=[], metavar="NAME",
        help=f"judge in this precision ({', '.join(DTYPES)}); repeatable; default: {' and '.join(DEFAULT_DTYPES)}",
    )  # fmt: skip
    group.addoption(
        "--results",
        metavar="FILE",
        help="write each check to this JSON file as it finishes; give it with an equals sign: --results=FILE",
    )
    group.addoption(
        "--time-limit", type=float, default=DEFAULT_LIMIT, metavar="SECONDS",
        help="end a backend that takes longer for one answer; a training run of more than "
        f"{USUAL_STEPS} steps gets more, in proportion; default: %(default)g",
    )  # fmt: skip
    group.addoption(
        "--memory-limit", type=float, default=DEFAULT_MEMORY, metavar="GIB",
        help="most memory: a backend gets no more, where the platform can limit it, and a case whose judging may take more is "
        "refused; default: %(default)g",
    )  # fmt: skip
    group.addoption(
        "--random", type=int, default=0, metavar="N",
        help="also judge N random variants (other shapes, starts and data) of one case for each formula and optimiser; one "
        "that deviates is shrunk and printed; slow: 1000 take a night",
    )  # fmt: skip
    group.addoption(
        "--long",
        action="store_true",
        help="also judge the long cases (1000 epochs of mini-batches, digits), and every run in full",
    )
    group.addoption(
        "--quick", action="store_true",
        help=f"judge in {QUICK_DTYPES[0]} alone, and leave out cases of more than {JUDGED} steps unless --case names them: for "
        "use while you edit an adapter",
    )  # fmt: skip
    group.addoption("--nodes", action="store_true", help="also judge every node of the computation graph of every case; slow")
    group.addoption(
        "--shard", default="1/1", metavar="K/N",
        help="judge part K of N of the run, dealt out by backend and case; the parts are merged by 'python -m report build'",
    )  # fmt: skip
    group.addoption("--seed", type=int, default=1, help="seed of what is random; default: %(default)s")
