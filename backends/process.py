"""A backend in a process of its own, so that one that crashes or hangs takes nothing with it.

The parent speaks pickles over a pipe: a method of Engine with its arguments, answered by its result or its exception.
The child is a fresh interpreter, as a fork after a framework has computed hangs. Its prints go to a file that is quoted
when it dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from multiprocessing.connection import Connection, Pipe
from typing import Any

import cloudpickle

from backends import SETTINGS, load, missing
from backends.base import Engine

# After so many time-outs, or deaths before the first answer, a backend is not asked again: a run has to end.
PATIENCE = 2
# A process that has closed its pipe gets this many seconds to end by itself and leave a status.
FAREWELL = 2.0
QUOTED = 500


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
    with the first call, and anew with the first call after its end, unless PATIENCE is at its end.
    """

    def __init__(self, name: str, limit: float) -> None:
        self.name = name
        self.limit = limit
        self._child: subprocess.Popen[bytes] | None = None
        self._answered = False
        self._strikes: list[BackendError] = []
        self._last_failure = ""

    def call(self, method: str, *arguments: Any, patience: float = 1.0) -> Any:
        """Return what the method of Engine returns, within ``patience`` times the limit. Raises a BackendError."""
        if len(self._strikes) >= PATIENCE:
            last = self._strikes[-1]
            raise type(last)(f"{self.name} is not asked again: {last}")
        try:
            request = cloudpickle.dumps((method, arguments))
        except Exception as error:  # a formula is a user's code and may hold anything
            raise Failed(*_failure(f"{self.name}: the formula cannot be sent", error)) from error
        if self._child is None:
            self._start()
        succeeded, answer = self._exchange(method, request, self.limit * patience)
        self._answered = True
        if not succeeded:
            kind, message = answer
            # A framework that cannot be imported fails every check: its traceback is worth reading once.
            known, self._last_failure = message == self._last_failure, message
            raise Failed(kind, message.splitlines()[0] if known else message)
        return answer

    def stop(self) -> None:
        """End the process: let it go home, where frameworks tidy up their files, and kill it if it does not go."""
        if self._child is not None:
            self._pipe.close()
            self._ended()

    def _start(self) -> None:
        if reason := missing(self.name):
            raise Missing(f"backend {self.name!r} was asked for: {reason}")
        self._answered = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, lives as long as the process
        self._pipe, theirs = Pipe()
        command = [sys.executable, "-m", "backends.process", str(theirs.fileno()), self.name]
        environment = SETTINGS | dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            # A session of its own, so that what it starts can be ended with it.
            self._child = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, stdout=self._log,
                stderr=self._log, start_new_session=True,
            )  # fmt: skip

    def _exchange(self, method: str, request: bytes, limit: float) -> tuple[bool, Any]:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._kill()  # which ends sending and receiving alike

        timer = threading.Timer(min(limit, threading.TIMEOUT_MAX), expire)
        timer.daemon = True  # nor may it hold up the end of a run that is interrupted right here
        try:
            timer.start()
            self._pipe.send_bytes(request)
            return pickle.loads(self._pipe.recv_bytes())
        except (EOFError, OSError) as error:
            timer.cancel()  # it must not fire at what comes after this process
            how, words = self._ended()
            if expired.is_set():
                failure: BackendError = TimedOut(f"{self.name} gave no answer to {method!r} within {limit:g} s{words}")
            else:
                failure = Crashed(f"{self.name} {how} while computing {method!r}{words}")
            if expired.is_set() or not self._answered:
                self._strikes.append(failure)
            raise failure from error
        except BaseException as error:  # Ctrl-C too: the answer to this call must not be taken for that to the next
            timer.cancel()
            self.stop()
            if isinstance(error, Exception):
                raise Failed(*_failure(f"{self.name}: the answer to {method!r} cannot be read", error)) from error
            raise
        finally:
            timer.cancel()

    def _kill(self) -> None:
        child = self._child
        if child is not None:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(child.pid, signal.SIGKILL)

    def _ended(self) -> tuple[str, str]:
        """Wait for the end of the process; return how it ended, and its last words."""
        assert self._child is not None
        how = ""
        try:
            code = self._child.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            how = "closed its pipe"
        self._kill()
        code = self._child.wait()
        self._child = None
        self._pipe.close()
        with self._log as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - QUOTED))
            words = log.read().decode(errors="replace").strip()
        how = how or (f"was ended by {_signal_name(-code)}" if code < 0 else f"exited with status {code}")
        return how, f"; its last output was: {words}" if words else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return f"signal {number}"


def _serve(pipe: Connection, name: str) -> None:
    if sys.platform == "linux":  # die with the parent, however it dies, even while computing
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    engine: Engine | None = None
    broken = ("", "")
    try:
        engine = Engine(load(name))
    except Exception as error:  # whatever stops an import is the answer to every call
        broken = _failure(f"backend {name!r} cannot be loaded", error)
    while True:
        try:
            request = pipe.recv_bytes()
        except EOFError:
            return
        try:
            method, arguments = pickle.loads(request)
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
