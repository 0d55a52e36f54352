"""Shows progress: on a terminal one line that is written over; in a log of CI at most a line a minute, when a test ends.

Elsewhere, and under -v, -q or -s, pytest's own output stays.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

# Seconds between two lines of a log, and between two changes of the line on a terminal.
A_MINUTE, A_FEW, A_BLINK = 60.0, 5.0, 0.1
CLEAR = "\r\x1b[K"


def of(config: pytest.Config) -> Progress | None:
    """Return what shows the progress of a run, or None where pytest does."""
    if config.get_verbosity() or config.option.collectonly or config.option.capture == "no":
        return None
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:  # under -p no:terminal
        return None
    terminal = config.get_terminal_writer()
    if reporter.isatty:
        return Progress(terminal.write, A_BLINK, width=terminal.fullwidth)
    return Progress(terminal.write, A_MINUTE) if os.environ.get("CI") else None


class Progress:
    """Counts the tests that are done. ``width`` is that of the terminal, or None for lines of a log."""

    def __init__(
        self, write: Callable[..., None], interval: float, width: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._interval = interval
        self._width = width
        self._clock = clock
        self._begun = self._shown = clock()
        self._total = 0
        self._done = 0
        self._at_work = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._total = self._total or len(session.items)
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            reporter.showfspath = False  # names of files, each before its dots
        self._begun = self._shown = self._clock()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        if not self._total:
            self._total = len(ids)
            self._begun = self._shown = self._clock()

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, Any, Any]:
        """Keep the category, which is counted, and drop the dot."""
        status = yield
        return (status[0], "", "") if status else status

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._at_work = nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._say(f"FAILED {report.nodeid}\n")
        if report.when == "teardown":
            self._done += 1
            if self._clock() - self._shown >= self._interval:
                self._shown = self._clock()
                self._say(self.line + ("" if self._width else "\n"))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self._say("")

    @property
    def line(self) -> str:
        """What is done of how many, the time left at the speed so far, and the cell at work."""
        passed = self._clock() - self._begun
        seconds = passed / max(self._done, 1) * max(self._total - self._done, 0)
        # The first tests start a framework, and say nothing of how long the others take.
        left = f", {int(seconds // 60)}:{int(seconds % 60):02} left" if passed >= A_FEW else ""
        found = re.search(r"::(\w+?)(?:\[(.*)\])?$", self._at_work)
        at_work = ": " + (found[2] or found[1]) if found else ""
        line = f"{self._done} of {self._total} tests{left}{at_work}"
        return line[: self._width - 1] if self._width else line

    def _say(self, text: str) -> None:
        self._write((CLEAR if self._width else "") + text, flush=True)
