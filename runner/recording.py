"""From judgements to records of the results file, and what a run says of itself."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import itertools
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np

from backends import LAYERS, SETTINGS, installed
from backends.text import legible
from cases import Case
from oracle.comparison import Judgement
from oracle.graph import graph
from report.document import Record
from runner.plan import Plan
from vocabulary.cell import Cell

# A quantity longer than this is stored by the entry that decides its verdict.
MAX_STORED = 32


def describe_run() -> Record:
    """Return what the results file says of the machine and the run, the tox environment included where it is one."""
    wanted = ("numpy", "python-flint", "pytest", "pytest-xdist", "scikit-learn", *itertools.chain(*LAYERS.values()))
    packages = {name: version for name in wanted if (version := _version(name))}
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "settings": {name: os.environ.get(name, value) for name, value in SETTINGS.items()},
        "packages": packages,
    } | ({"environment": name} if (name := os.environ.get("TOX_ENV_NAME")) else {})


def describe_plan(plan: Plan) -> Record:
    """Return what the results file says of what the run was asked for."""
    facts = ("dtypes", "levels", "random", "seed", "nodes", "only", "tests")
    return {
        "backends": list(plan.backends),
        "made_of": {name: packages for name in plan.backends if (packages := installed(name))},
        "plan": {name: list(value) if isinstance(value := getattr(plan, name), tuple) else value for name in facts},
    } | ({"shard": dataclasses.asdict(plan.shard)} if plan.shard.of > 1 else {})


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return {"model": fields.get("model name", platform.processor() or "unknown"), "flags": fields.get("flags", "").split()}


def describe_case(case: Case) -> Record:
    """Return the record of a case: what it is, and the operations of its loss in their order."""
    return {
        "kind": "case",
        "name": case.name,
        "title": case.title,
        "source": case.source,
        "levels": case.levels,
        "program": [[node.operation, *node.operands] for node in graph(case.loss, case.params, case.data)],
    }


def describe_backend(description: Record) -> Record:
    """Return the record of a backend, made of what it says of itself."""
    return {"kind": "backend", **description}


def hexes(values: np.ndarray) -> list[str]:
    return [float(value).hex() for value in np.ravel(values)]


def _of_few_bits(value: float) -> float:
    """Cut what is read and not judged to 24 bits, which makes the file a tenth smaller once it is compressed."""
    if not math.isfinite(value):
        return float(value)
    part, exponent = math.frexp(value)
    return math.ldexp(math.trunc(part * 2**24), exponent - 24)


def record(cell: Cell, test: str, quantity: str, judgement: Judgement, duration: float) -> Record:
    """Return the check record of a judgement on a quantity of ``cell``; ``test`` says what the test judges."""
    facts: Record = {} if judgement.share is None else {"share": float(judgement.share).hex()}
    facts |= {
        name: _of_few_bits(value).hex()
        for name in ("error_ulp", "share_median")
        if (value := getattr(judgement, name)) is not None
    }
    if judgement.got is not None and judgement.truth is not None and judgement.bound is not None:
        chosen = slice(None) if judgement.got.size <= MAX_STORED else slice(judgement.entry, judgement.entry + 1)
        facts |= {name: hexes(getattr(judgement, name)[chosen]) for name in ("got", "truth", "bound")}
    if judgement.points:
        counted = ("where", "entries", "too_wide", "points", "points_without_verdict")
        facts |= {name: getattr(judgement, name) for name in counted}
    if judgement.bits:
        facts["bits"] = judgement.bits
    if judgement.cause:
        facts["cause"] = judgement.cause
    return {
        "kind": "check",
        **cell.record,
        "test": test,
        "quantity": quantity,
        "verdict": judgement.verdict,
        "message": legible(judgement.message),
        "declared": judgement.declared,
        **facts,
        "duration": round(duration, 4),
    }
