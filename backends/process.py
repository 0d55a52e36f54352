"""A backend in a process of its own, so that one that crashes or hangs takes nothing with it.

The parent speaks pickles over a pipe: a method of Engine with its arguments, answered by its result or its exception.
The child is a fresh interpreter, as a fork after a framework has computed hangs. Its prints go to a file that is quoted
when it dies.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback
from multiprocessing.connection import Connection, Pipe
from typing import Any

import cloudpickle

from backends import SETTINGS, load, missing
from backends.base import Engine


class BackendError(Exception):
    """A backend gave no result; ``verdict`` says in one word how."""

    verdict = "failed"


class Failed(BackendError):
    """The backend raised; ``kind`` is the exception's type, the message is the original one, its traceback follows."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Crashed(BackendError):
    """The backend's process ended."""

    verdict = "crashed"


class TimedOut(BackendError):
    """The backend gave no answer in time and was ended."""

    verdict = "timed out"


class Missing(BackendError):
    """The backend was asked for and its package is not installed."""

    verdict = "missing"


class Process:
    """An Engine at the other end of a pipe: ``process.call("gradients", loss, starts, data)``.

    ``limit`` is the time in seconds that one call may take, the import of the framework included. The process starts
    with the first call, and anew with the first call after its end; after ``PATIENCE`` time-outs it is not asked again.
    """

    PATIENCE = 2

    def __init__(self, name: str, limit: float) -> None:
        self.name = name
        self.limit = limit
        self._child: subprocess.Popen[bytes] | None = None
        self._time_outs = 0
        self._last_failure = ""

    def start(self) -> None:
        """Start the process and the import of the framework, without waiting for either."""
        if reason := missing(self.name):
            raise Missing(f"backend {self.name!r} was asked for: {reason}")
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, lives as long as the process
        self._pipe, theirs = Pipe()
        command = [sys.executable, "-m", "backends.process", str(theirs.fileno()), self.name]
        environment = SETTINGS | dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            self._child = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, stdout=self._log,
                stderr=self._log,
            )  # fmt: skip

    def call(self, method: str, *arguments: Any) -> Any:
        """Return what the method of Engine returns. Raises a BackendError."""
        if self._time_outs >= self.PATIENCE:
            raise TimedOut(f"{self.name} is not asked again after {self._time_outs} time-outs of {self.limit:g} s")
        if self._child is None:
            self.start()
        try:
            self._pipe.send_bytes(cloudpickle.dumps((method, arguments)))
            if not self._pipe.poll(self.limit):
                self._time_outs += 1
                last = self.stop()
                raise TimedOut(f"{self.name} gave no answer to {method!r} within {self.limit:g} s{last}")
            succeeded, answer = pickle.loads(self._pipe.recv_bytes())
        except (EOFError, ConnectionError) as error:
            how, last = self._ended()
            raise Crashed(f"{self.name} {how} while computing {method!r}{last}") from error
        if not succeeded:
            kind, message = answer
            # A framework that cannot be imported fails every check: its traceback is worth reading once.
            known, self._last_failure = message == self._last_failure, message
            raise Failed(kind, message.splitlines()[0] if known else message)
        return answer

    def stop(self) -> str:
        """End the process; return its last words, to be quoted."""
        if self._child is None:
            return ""
        self._child.kill()
        return self._ended()[1]

    def _ended(self) -> tuple[str, str]:
        assert self._child is not None
        try:
            code = self._child.wait(self.limit)
        except subprocess.TimeoutExpired:  # it closed its pipe and lives on
            self._child.kill()
            code = self._child.wait()
        self._child = None
        self._pipe.close()
        with self._log as log:
            log.seek(0)
            words = log.read().decode(errors="replace").strip()[-500:]
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"
        return how, f"; its last output was: {words}" if words else ""


def _serve(pipe: Connection, name: str) -> None:
    engine: Engine | None = None
    broken = ("", "")
    try:
        engine = Engine(load(name))
    except Exception as error:  # whatever stops an import is the answer to every call
        broken = _failure(f"backend {name!r} cannot be loaded", error)
    while True:
        try:
            method, arguments = pickle.loads(pipe.recv_bytes())
        except EOFError:
            return
        try:
            reply = (False, broken) if engine is None else (True, getattr(engine, method)(*arguments))
            message = cloudpickle.dumps(reply)
        except Exception as error:  # a framework's own errors are results here
            message = pickle.dumps((False, _failure(name, error)))
        pipe.send_bytes(message)


def _failure(what: str, error: Exception) -> tuple[str, str]:
    kind = type(error).__name__
    return kind, f"{what}: {kind}: {error}\n{traceback.format_exc()}"


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])), sys.argv[2])
