"""The pytest interface: options, header, parametrisation over backend, case and dtype, results file and table."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
import tempfile
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import backends
from backends import compiled
from backends.memory import memory_is_limited
from cases import Case
from oracle.kept import Kept
from runner import progress
from runner.candidate import Candidate
from runner.options import add_options
from runner.plan import Plan, first_level, make_plan
from runner.processes import Processes
from runner.recorder import DeclarationsFirst, DeclarationsForAll, Recorder, attach, bring_once, left_out, tell_cell
from vocabulary.cell import CONTRACT
from vocabulary.operators import public
from vocabulary.words import AUTODIFF, DTYPES, LEVELS

PLAN = pytest.StashKey[Plan]()
PROCESSES = pytest.StashKey[Processes]()
KEPT = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "quantity(name): what the test judges, for the record of a backend that gives no answer")
    config.addinivalue_line("markers", "only(cases=condition): run for the cases of which this holds")
    config.addinivalue_line("markers", "whole: judges the end of a training run, which has to be made in full")
    config.addinivalue_line("markers", "first: runs at the first level that a case can be written at, by hand if it can")
    config.addinivalue_line("markers", "family: runs for one case of each family")
    config.addinivalue_line("markers", "random: runs only where --random asks for it")
    config.addinivalue_line("markers", "nodes: runs only where --nodes asks for it, and for graphs that a source works through")
    config.stash[PLAN] = make_plan(config)
    workerinput = getattr(config, "workerinput", {})
    kept = Kept(Path(workerinput["kept"]) if "kept" in workerinput else None)
    cache = None
    if hasattr(config, "cache"):  # not under -p no:cacheprovider
        with contextlib.suppress(OSError):  # what cannot be kept is compiled again
            cache = config.cache.mkdir("compiled")
    config.stash[PROCESSES] = Processes(config.stash[PLAN], kept, cache)
    keeps = any(backends.ABOUT[name].cache for name in config.stash[PLAN].backends if name in backends.ABOUT)
    if cache and keeps and not workerinput and not config.option.collectonly:
        compiled.cleanse(cache)
        config.add_cleanup(partial(compiled.note, cache))  # once the processes have ended
    if workerinput:
        config.pluginmanager.register(DeclarationsForAll(config.stash[PROCESSES], workerinput))
    else:  # in the process in charge, under pytest-xdist too
        # A run that only lists its tests writes nothing, and keeps no other from writing.
        recorder = Recorder(config.stash[PLAN], None if config.option.collectonly else config.getoption("--results"))
        config.pluginmanager.register(recorder)
        config.pluginmanager.register(DeclarationsFirst(config.stash[PROCESSES], recorder))


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput") and (shown := progress.of(session.config)):
        session.config.pluginmanager.register(shown)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give every worker of pytest-xdist the folder in which they keep their judgements for each other."""
    if KEPT not in node.config.stash:
        node.config.stash[KEPT] = tempfile.TemporaryDirectory(prefix="conformance-")
    node.workerinput["kept"] = node.config.stash[KEPT].name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "worksteal":
        return None
    from runner.scheduling import InOrder  # pytest-xdist, which has asked, need not be there

    return InOrder(config, log)


def pytest_unconfigure(config: pytest.Config) -> None:
    if PROCESSES in config.stash:
        config.stash[PROCESSES].close()
    if KEPT in config.stash:
        config.stash[KEPT].cleanup()


def pytest_report_header(config: pytest.Config) -> list[str]:
    plan = config.stash[PLAN]
    names = [_with_version(name, plan) for name in plan.backends]
    lines = [f"backends: {', '.join(names) or 'none'}"]
    lines += [f"missing: {name} ({reason})" for name, reason in plan.missing.items()]
    lines.append(f"cases: {len(plan.cases)}, levels: {', '.join(plan.levels)}, dtypes: {', '.join(plan.dtypes)}")
    memory = f"{plan.memory:g} GiB a backend" if memory_is_limited() else f"none of memory on this platform ({sys.platform})"
    return [*lines, f"limits: {plan.limit:g} s an answer, {memory}", *left_out(plan)]


def _with_version(name: str, plan: Plan) -> str:
    if name in plan.missing or backends.is_external(name):
        return name
    try:
        return f"{name} {backends.installed_version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name} (version unknown)"


# Parametrisation: every test that takes a candidate, over everything that the plan holds.


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    plan = metafunc.config.stash[PLAN]
    names = [name for name in ("backend", "case", "level", "operation", "dtype") if name in metafunc.fixturenames]
    if "backend" not in names:
        return
    only = metafunc.definition.get_closest_marker("only")
    among = plan.families if metafunc.definition.get_closest_marker("family") else plan.cases.values()
    values: dict[str, list[Any]] = {
        "backend": list(plan.backends),
        "case": [case for case in among if only is None or only.kwargs["cases"](case)],
        "level": list(plan.levels),
        "operation": list(public()),
        "dtype": list(plan.dtypes),
    }
    rows: list[tuple[Any, ...]] = [()]
    for name in names:
        rows = [(*row, value) for row in rows for value in values[name] if name != "level" or not row[-1].levels[value]]
    if metafunc.definition.get_closest_marker("whole"):
        where = [names.index(name) for name in ("case", "level", "dtype")]
        rows = [row for row in rows if plan.is_whole(*(row[at] for at in where))]
    if metafunc.definition.get_closest_marker("first"):
        case_at, level_at = names.index("case"), names.index("level")
        rows = [row for row in rows if row[level_at] == first_level(row[case_at], plan.levels)]
    metafunc.parametrize(names, rows, ids=["-".join(getattr(value, "name", value) for value in row) for row in rows])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort by backend, case, level and dtype: a backend is imported once, and tests of one training run stand together.

    Left out are the slow sweeps unless asked for, and the stand-ins that pytest makes of tests for which the
    plan holds no case.
    """
    plan = config.stash[PLAN]

    def wanted(item: pytest.Item) -> bool:
        params = _params(item)
        backend, case = params.get("backend"), params.get("case")
        # The tests of one cell stay together: a backend trains once for all of them.
        unit = f"{backend} {case.name if case else CONTRACT}" if backend else item.nodeid
        slow = {"random": plan.random > 0, "nodes": plan.nodes or (isinstance(case, Case) and bool(case.nodes))}
        return (
            backend in (None, *plan.backends)
            and plan.shard.holds(unit)
            and all(asked or not item.get_closest_marker(name) for name, asked in slow.items())
        )

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = filter(wanted, items)
    for item in items:
        if "backend" in (params := _params(item)):
            tell_cell(item, params)
    cases = list(plan.cases)

    def order(item: pytest.Item) -> tuple[int, ...]:
        params = _params(item)
        if "backend" not in params:
            return (-1,)
        case, level = params.get("case"), params.get("level", AUTODIFF)
        return (
            plan.backends.index(params["backend"]),
            cases.index(case.name) if case else -1,
            LEVELS.index(level),
            DTYPES.index(params["dtype"]),
        )

    items.sort(key=order)


def _params(item: pytest.Item) -> dict[str, Any]:
    """What a test is parametrised with."""
    return getattr(getattr(item, "callspec", None), "params", {})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    bring_once(report)
    return report


@pytest.fixture(scope="session")
def processes(request: pytest.FixtureRequest) -> Processes:
    return request.config.stash[PROCESSES]


@pytest.fixture
def candidate(request: pytest.FixtureRequest, processes: Processes, backend: str, dtype: str) -> Candidate:
    case = request.getfixturevalue("case") if "case" in request.fixturenames else None
    level = request.getfixturevalue("level") if "level" in request.fixturenames else AUTODIFF

    return Candidate(processes, backend, dtype, case, level, request.node, partial(attach, request.node))
