"""The plugins of a run: one asks the backends what they declare before any test, one records what the tests find."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from cases import JUDGED
from oracle.comparison import Judgement
from report.document import Record, escaped
from report.table import agreement, brief, is_red, verdict, verdict_lines
from report.terminal import deviations, drawn, fitted, legend, unanswered
from report.validity import claims
from report.writing import ResultsFile
from runner.plan import Plan
from runner.processes import Processes
from runner.recording import describe_case, describe_plan, describe_run
from runner.recording import record as make_record
from runner.vectors import is_small, vector
from vocabulary.cell import CONTRACT, Cell
from vocabulary.words import AUTODIFF, EAGER, FAILED

RECORD = "gradient-conformance record"
TEST = "gradient-conformance test"
# Failures that the summary of a workflow names.
MOST_RED = 50


def tell_cell(item: pytest.Item, params: Mapping[str, Any]) -> None:
    """Let the reports of ``item`` say whose test it is, for the record of one that fails without a verdict."""
    case, level = params.get("case"), params.get("level", AUTODIFF)
    # Whether it would have been asked for anything compiled is not known before it runs.
    cell = Cell(params["backend"], level, EAGER, params["dtype"], case.name if case else CONTRACT)
    name = getattr(item, "originalname", item.name)
    item.user_properties.append((TEST, {**cell.record, "test": name, "operation": params.get("operation", "")}))


def attach(item: pytest.Item, record: Record) -> None:
    """Let the report of the call of ``item`` bring ``record``: as text, which pytest-xdist sends as fast as numbers."""
    item.user_properties.append((RECORD, json.dumps(record)))


def bring_once(report: pytest.TestReport) -> None:
    """Leave to the report of the call what the test has recorded: that of its teardown would bring it again."""
    if report.when == "teardown":
        report.user_properties = [each for each in report.user_properties if each[0] != RECORD]


def left_out(plan: Plan) -> list[str]:
    """Return a line that names the cases which were not asked for, and one for those that are sampled, or none."""
    why = "by --quick" if plan.quick else "without --long"
    lines = [f"left out {why}: {', '.join(plan.left_out)}"] if plan.left_out else []
    if plan.sampled:
        lines.append(
            f"sampled without --long: {', '.join(plan.sampled)}; at the first level in {plan.widest} each run is made in full "
            f"and {JUDGED} steps or more are judged, of Adam and momentum all; elsewhere its first {JUDGED} are made and judged"
        )
    return lines


class DeclarationsFirst:
    """Refuses a run whose backends declare what means nothing, in the process in charge, before any test runs."""

    def __init__(self, processes: Processes, recorder: Recorder) -> None:
        self.processes = processes
        self.recorder = recorder
        self._ready = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        # A shard may have no work; its results file says that it was there. With pytest-xdist the workers have the tests.
        empty = self.processes.plan.shard.of > 1 and not session.config.pluginmanager.hasplugin("dsession")
        if (session.items or empty) and is_to_run(session):
            self.check([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._ready += 1
        if not self.recorder.started and self._ready == node.workerinput["workercount"]:  # all collect the same tests
            self.processes.learn(Path(node.workerinput["kept"]))
            self.check(ids)
            self.processes.close()  # workers have processes of their own

    def check(self, tests: list[str]) -> None:
        """Ask the backends of ``tests`` what they declare. Raises pytest.UsageError for what means nothing."""
        asked = self.processes.plan.asked(tests)
        self.processes.describe_all(asked)
        if faults := [f"backend {name!r}: {fault}" for name in asked for fault in self.processes.faults.get(name, [])]:
            raise pytest.UsageError("\n".join(faults))
        self.recorder.asked = {*tests}
        self.recorder.start()


class DeclarationsForAll:
    """Asks, in a worker of pytest-xdist, the backends of its share of the tests, which it has to start anyway.

    What they declare is left to the process in charge.
    """

    def __init__(self, processes: Processes, workerinput: Mapping[str, Any]) -> None:
        self.processes = processes
        self.number = number_of(workerinput["workerid"])
        self.of = workerinput["workercount"]
        self.folder = Path(workerinput["kept"])

    @pytest.hookimpl(tryfirst=True)  # before the process in charge is told that this worker is ready
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.items and is_to_run(session) and self.number < self.of:  # and takes the place of none that has died
            asked = self.processes.plan.asked([item.nodeid for item in session.items])
            first, last = (round(len(asked) * k / self.of) for k in (self.number, self.number + 1))
            self.processes.describe_all(asked[first:last])
            self.processes.teach(self.folder)
            self.processes.heard = self.folder


def number_of(worker: str) -> int:
    """Return the number in the name of a worker, as 1 of gw1."""
    return int(worker.removeprefix("gw"))


def is_to_run(session: pytest.Session) -> bool:
    """Whether the tests that were collected, if any, will run."""
    option = session.config.option
    return not option.collectonly and not (session.testsfailed and not option.continue_on_collection_errors)


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
        self._others: list[Record] = []  # those that are no checks
        self.tests: dict[str, Record] = {}
        self.file: ResultsFile | None = None
        self.started = False
        self.asked: set[str] = set()  # the tests of the run, as far as they are known
        self.reported: set[str] = set()
        if path:
            with _or_usage_error(path):  # said now, and not after the run; nothing is overwritten yet
                self.file = ResultsFile(path)

    def start(self) -> None:
        """Begin the results file, now that tests are about to run."""
        if self.file:
            with _or_usage_error(self.file.path):
                self.file.begin(describe_run() | describe_plan(self.plan))
            for case in self.plan.cases.values():
                self.add(describe_case(case))
                for dtype in self.plan.dtypes if is_small(case) else ():
                    self.add(vector(case, dtype))
        self.started = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "setup" or not report.passed:
            self.reported.add(report.nodeid)
        records: list[Record] = [json.loads(cast(str, value)) for name, value in report.user_properties if name == RECORD]
        # The report of a worker that died in a test has no properties; that of the test's setup came before.
        for name, value in report.user_properties:
            if name == TEST:
                self.tests[report.nodeid] = cast(Record, value)
        if report.when == "call":
            for record in records:
                self.add(record)
        if report.failed and not any(is_red(record) for record in records if record["kind"] == "check"):
            self.add_failure(report)

    def add(self, record: Record) -> None:
        # Every worker describes the backends that it has used, and every test the nodes that it has traced.
        if record["kind"] == "check" or record not in self._others:
            self.records.append(record)
            if record["kind"] != "check":
                self._others.append(record)
            if self.file:
                self.file.add(record)

    def add_failure(self, report: pytest.TestReport) -> None:
        """Record a test that failed without a verdict: a fault of the suite, a case or a worker is no green either."""
        if found := self.tests.get(report.nodeid):
            # One of many tests in a cell may fail, and when it is called as well as afterwards.
            parts = [found["test"], found["operation"], report.when if report.when in ("setup", "teardown") else ""]
            judgement = Judgement(FAILED, report.longreprtext)
            self.add(make_record(Cell.of(found), found["test"], " ".join(filter(None, parts)), judgement, report.duration))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self.started and self.plan.shard.of > 1 and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = exitstatus = pytest.ExitCode.OK
        ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if self.file:
            # A second Ctrl-C leaves the exit status of a run that has ended by itself.
            whole = self.asked <= self.reported
            self.file.close(complete=ended and whole and not session.shouldfail and not session.shouldstop)
            if self.file.fault and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED  # what was judged and is lost is no success

    def pytest_unconfigure(self) -> None:
        if self.file:
            self.file.close(complete=False)  # of a command, as --help, that has no session

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        checks = [record for record in self.records if record["kind"] == "check"]
        if checks:
            terminalreporter.section("gradient conformance")
            if missed := len(self.asked - self.reported):
                terminalreporter.write_line(f"not all of it: {missed} of {len(self.asked)} tests were not made")
            verbose = terminalreporter.config.get_verbosity() > 0
            for line in self._found(checks, terminalreporter.config.get_terminal_writer().fullwidth, ulps=verbose):
                terminalreporter.write_line(line)
            self._summarise(checks)
        if self.file and self.file.fault:
            terminalreporter.section("results file")
            terminalreporter.write_line(f"--results={self.file.path} is not complete: {self.file.fault}")
            terminalreporter.write_line(f"it holds {self.file.kept}")

    def _found(self, checks: list[Record], width: int, *, ulps: bool) -> list[str]:
        if ulps:
            tables = [drawn(table) for table in agreement(checks)]
        else:
            tables = [drawn(part, gap=0) for table in brief(checks) for part in fitted(table, width)]
        return [
            *tables,
            f"{legend(checks)}; the number is the largest part of a rounding bound that an error takes (-v: errors in ulp)",
            "a bound shuts out a zero, flipped, 1.5-fold or permuted result, or there is no verdict",
            *unanswered(checks),
            *deviations(self.records),
            *verdict_lines(self.records),
            *claims(self.records, self.plan.backends),
            *left_out(self.plan),
            *(f"not judged: {name}, {reason}" for name, reason in self.plan.missing.items()),
        ]

    def _summarise(self, checks: list[Record]) -> None:
        """Append what was found to the summary of a step of GitHub's workflows, where this is one."""
        if path := os.environ.get("GITHUB_STEP_SUMMARY"):
            red = [check for check in checks if is_red(check)]
            lines = ["## Gradient conformance", "", *(f"- {escaped(line)}" for line in verdict_lines(self.records))]
            lines += [
                f"- **{escaped(verdict(check))}** {escaped(Cell.of(check))}: {escaped(check['message'])}"
                for check in red[:MOST_RED]
            ]
            lines += [f"- and {len(red) - MOST_RED} more"] if len(red) > MOST_RED else []
            with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as file:
                file.write("\n".join([*lines, ""]))
