"""The pytest interface: options, header, parametrisation over backend, case and dtype, results file and table."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import backends
from backends.base import ALL_OPERATIONS, AUTODIFF, DTYPES, LEVELS
from backends.process import memory_is_limited
from oracle.verdict import FAILED, Judgement
from report.document import Record
from report.table import agreement, is_red, verdict_lines
from report.terminal import drawn
from report.validity import claims
from report.writing import ResultsFile
from tests.lab import Lab
from tests.plan import Plan, add_options, make_plan
from tests.recording import describe_plan, describe_run
from tests.recording import record as make_record
from tests.subject import Subject

PLAN = pytest.StashKey[Plan]()
LAB = pytest.StashKey[Lab]()
RECORD = "gradient-conformance record"


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "quantity(name): what the test judges, for the record of a backend that gives no answer")
    config.addinivalue_line("markers", "only(cases=condition): run for the cases of which this holds")
    config.addinivalue_line("markers", "family: runs for one case of each family")
    config.addinivalue_line("markers", "random: runs only where --random asks for it")
    config.addinivalue_line("markers", "nodes: runs only where --nodes asks for it")
    config.stash[PLAN] = make_plan(config)
    config.stash[LAB] = Lab(config.stash[PLAN])
    if not hasattr(config, "workerinput"):  # in the process in charge, under pytest-xdist too
        # A run that only lists its tests writes nothing, and keeps no other from writing.
        recorder = Recorder(config.stash[PLAN], None if config.option.collectonly else config.getoption("--results"))
        config.pluginmanager.register(recorder)
        config.pluginmanager.register(Introduction(config.stash[LAB], recorder))


def pytest_unconfigure(config: pytest.Config) -> None:
    if LAB in config.stash:
        config.stash[LAB].close()


def pytest_report_header(config: pytest.Config) -> list[str]:
    plan = config.stash[PLAN]
    names = [_with_version(name, plan) for name in plan.backends]
    lines = [f"backends: {', '.join(names) or 'none'}"]
    lines += [f"missing: {name} ({reason})" for name, reason in plan.missing.items()]
    lines.append(f"cases: {len(plan.cases)}, levels: {', '.join(plan.levels)}, dtypes: {', '.join(plan.dtypes)}")
    memory = f"{plan.memory:g} GiB a backend" if memory_is_limited() else f"none of memory on this platform ({sys.platform})"
    return [*lines, f"limits: {plan.limit:g} s an answer, {memory}", *_left_out(plan)]


def _left_out(plan: Plan) -> list[str]:
    return [f"left out without --long: {', '.join(plan.left_out)}"] if plan.left_out else []


def _with_version(name: str, plan: Plan) -> str:
    if name in plan.missing or backends.is_external(name):
        return name
    try:
        return f"{name} {backends.installed_version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{name} (version unknown)"


# Parametrisation: every test that takes a subject, over everything that the plan holds.


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
        "operation": list(ALL_OPERATIONS),
        "dtype": list(plan.dtypes),
    }
    rows: list[tuple[Any, ...]] = [()]
    for name in names:
        rows = [(*row, value) for row in rows for value in values[name] if name != "level" or not row[-1].levels[value]]
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
        unit = f"{backend} {case.name if case else 'contract'}" if backend else item.nodeid
        slow = {"random": plan.random > 0, "nodes": plan.nodes}
        return (
            backend in (None, *plan.backends)
            and plan.shard.holds(unit)
            and all(asked or not item.get_closest_marker(name) for name, asked in slow.items())
        )

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = filter(wanted, items)
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


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    return request.config.stash[LAB]


@pytest.fixture
def subject(request: pytest.FixtureRequest, lab: Lab, backend: str, dtype: str) -> Subject:
    case = request.getfixturevalue("case") if "case" in request.fixturenames else None
    level = request.getfixturevalue("level") if "level" in request.fixturenames else AUTODIFF

    def publish(record: Record) -> None:
        request.node.user_properties.append((RECORD, record))

    return Subject(lab, backend, dtype, case, level, request.node, publish)


class Introduction:
    """Refuses a run whose backends declare what means nothing, in the process in charge, before any test runs."""

    def __init__(self, lab: Lab, recorder: Recorder) -> None:
        self.lab = lab
        self.recorder = recorder

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        option = session.config.option
        broken = session.testsfailed and not option.continue_on_collection_errors  # no test will run
        # A shard may have no work; its results file says that it was there. With pytest-xdist the workers have the tests.
        empty = self.lab.plan.shard.of > 1 and not session.config.pluginmanager.hasplugin("dsession")
        if (session.items or empty) and not option.collectonly and not broken:
            self.introduce([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        if not self.recorder.started:  # every worker collects the same tests
            self.introduce(ids)
            self.lab.close()  # workers have processes of their own

    def introduce(self, tests: list[str]) -> None:
        """Ask the backends of ``tests`` what they declare. Raises pytest.UsageError for what means nothing."""
        asked = [name for name in self.lab.plan.backends if any(f"[{name}-" in test for test in tests)]
        self.lab.introduce(asked)
        if faults := [f"backend {name!r}: {fault}" for name in asked for fault in self.lab.faults.get(name, [])]:
            raise pytest.UsageError("\n".join(faults))
        self.recorder.start()


@contextlib.contextmanager
def _or_usage_error(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise pytest.UsageError(f"--results={path} cannot be written: {error.strerror}") from error


class Recorder:
    """Collects the records that come with the reports of tests, writes them down as they come, and sums them up."""

    def __init__(self, plan: Plan, path: str | None) -> None:
        self.plan = plan
        self.records: list[Record] = []
        self.file: ResultsFile | None = None
        self.started = False
        if path:
            with _or_usage_error(path):  # said now, and not after the run; nothing is overwritten yet
                self.file = ResultsFile(path)

    def start(self) -> None:
        """Begin the results file, now that tests are about to run."""
        if self.file:
            with _or_usage_error(self.file.path):
                self.file.begin(describe_run() | describe_plan(self.plan))
            for case in self.plan.cases.values():
                self.add({"kind": "case", "name": case.name, "title": case.title, "source": case.source, "levels": case.levels})
        self.started = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        records = [cast(Record, value) for name, value in report.user_properties if name == RECORD]
        if report.when == "call":
            for record in records:
                self.add(record)
        if report.failed and not any(is_red(record) for record in records if record["kind"] == "check"):
            self.add_failure(report)

    def add(self, record: Record) -> None:
        # Every worker describes the backends that it has used.
        if record["kind"] == "check" or record not in self.records:
            self.records.append(record)
            if self.file:
                self.file.add(record)

    def add_failure(self, report: pytest.TestReport) -> None:
        """Record a test that failed without a verdict: a fault of the suite, a case or a worker is no green either."""
        test, _, words = report.nodeid.partition("[")
        for backend in self.plan.backends:
            for dtype in self.plan.dtypes:
                if words.startswith(f"{backend}-") and words.endswith(f"{dtype}]"):
                    middle = words[len(backend) + 1 : -len(dtype) - 2]
                    named = {f"{case}-{level}": (case, level) for case in self.plan.cases for level in self.plan.levels}
                    named |= {case: (case, AUTODIFF) for case in self.plan.cases}
                    case, level = named.get(middle, ("contract", AUTODIFF))
                    name = test.rpartition("::")[2]
                    identity = {"backend": backend, "dtype": dtype, "case": case, "level": level, "mode": "eager", "test": name}
                    # One of many tests in a cell may fail, and when it is called as well as afterwards.
                    parts = [name, middle if middle not in named else "", report.when if report.when != "call" else ""]
                    judgement = Judgement(FAILED, report.longreprtext)
                    self.add(make_record(identity, " ".join(filter(None, parts)), judgement, report.duration))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.started and self.plan.shard.of > 1 and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = exitstatus = pytest.ExitCode.OK
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if self.file:
            self.file.close(complete=ended and not session.shouldfail and not session.shouldstop)
            if self.file.fault and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED  # what was judged and is lost is no success

    def pytest_unconfigure(self) -> None:
        if self.file:
            self.file.close(complete=False)  # of a command, as --help, that has no session

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        checks = [record for record in self.records if record["kind"] == "check"]
        if checks:
            terminalreporter.section("gradient conformance")
            for line in self._found(checks):
                terminalreporter.write_line(line)
        if self.file and self.file.fault:
            terminalreporter.section("results file")
            terminalreporter.write_line(f"--results={self.file.path} is not complete: {self.file.fault}")
            terminalreporter.write_line(f"it holds {self.file.kept}")

    def _found(self, checks: list[Record]) -> list[str]:
        return [
            *map(drawn, agreement(checks)),
            "✓ conforms: inside its rounding bound, which shuts out a zero, flipped, 1.5-fold or permuted result",
            *verdict_lines(self.records),
            *claims(self.records, self.plan.backends),
            *_left_out(self.plan),
            *(f"not judged: {name}, {reason}" for name, reason in self.plan.missing.items()),
        ]
