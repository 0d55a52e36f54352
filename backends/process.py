"""A backend in a process of its own, so that one that crashes or hangs takes nothing with it.

The parent speaks pickles over a pipe: a method of Engine with its arguments, answered by its result or its exception.
The child is a fresh interpreter, as a fork after a framework has computed hangs. Its prints go to a file that is quoted
when it dies. It is trusted as much as any package that is imported: a fault cannot pass for an answer, malice could.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import pickle
import re
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle

from backends import SETTINGS, load, missing
from backends.engine import Engine

# After so many time-outs, or deaths before the first answer, a backend is not asked again: a run has to end.
PATIENCE = 3
# A process that has closed its pipe gets this many seconds to end by itself and leave a status.
FAREWELL = 2.0
QUOTED = 500
TOKEN = 16  # bytes
# How a call ended, in the first word of a reply.
ANSWERED, RAISED, EXHAUSTED = "answered", "raised", "out of memory"
# What frameworks say when an allocation is refused, those that raise no MemoryError and those that abort.
REFUSED = re.compile(r"MemoryError|bad_alloc|\bOOM\b|out of memory|(cannot|can't|failed to) allocate", re.IGNORECASE)
# A death is put beside the limit of memory from this part of it on: a buffer that doubles is refused there.
NEAR = 0.5
GIB = 2**30


class BackendError(Exception):
    """A backend gave no result; ``verdict`` says in one word how, ``cause`` by which signal, status or limit."""

    verdict = "failed"

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(message)
        self.cause = cause


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


def memory_is_limited() -> bool:
    """Whether the platform can refuse a process more memory than it was granted."""
    return sys.platform == "linux"  # elsewhere RLIMIT_DATA is missing or not heeded


class Process:
    """An Engine at the other end of a pipe: ``process.call("gradients", loss, starts, data)``.

    ``limit`` is the time in seconds that one call may take, the import of the framework included, ``memory`` what the
    process may allocate, in GiB, where the platform has such a limit. The process starts with the first call, and anew
    with the first call after its end, unless PATIENCE is at its end.
    """

    def __init__(self, name: str, limit: float, memory: float = math.inf) -> None:
        self.name = name
        self.limit = limit
        self.memory = memory if memory_is_limited() else math.inf
        self._child: subprocess.Popen[bytes] | None = None
        self._answered = False
        self._strikes: list[BackendError] = []
        self._last_failure = ""

    def call(self, method: str, *arguments: Any, patience: float = 1.0) -> Any:
        """Return what the method of Engine returns, within ``patience`` times the limit. Raises a BackendError."""
        if len(self._strikes) >= PATIENCE:
            last = self._strikes[-1]
            raise type(last)(f"{self.name} is not asked again: {last}", last.cause)
        try:
            request = cloudpickle.dumps((method, arguments))
        except Exception as error:  # a formula is a user's code and may hold anything
            raise Failed(*_failure(f"{self.name}: the formula cannot be sent", error)) from error
        self.start()
        outcome, answer = self._exchange(method, request, self.limit * patience)
        if outcome == EXHAUSTED:
            self.stop()
            message = f"{self.name} ran out of memory while computing {method!r}: the limit is {self._granted}; {answer}"
            raise self._struck(Crashed(message, self._out_of_memory))
        self._answered = True
        if outcome == RAISED:
            kind, message = answer
            # A framework that cannot be imported fails every check: its traceback is worth reading once.
            known, self._last_failure = message == self._last_failure, message
            raise Failed(kind, message.splitlines()[0] if known else message)
        return answer

    def stop(self) -> None:
        """End the process: let it go home, where frameworks tidy up their files, and kill it if it does not go."""
        if self._child is not None:
            self._hang_up()
            self._ended()

    def start(self) -> None:
        """Start the process, if it is not running, without waiting for it. Raises Missing.

        On Linux it lives no longer than the thread that has started it.
        """
        if self._child is not None:
            return
        if reason := missing(self.name):
            raise Missing(f"backend {self.name!r} was asked for: {reason}")
        self._answered = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, lives as long as the process
        self._socket, theirs = socket.socketpair()
        self._pipe = Connection(os.dup(self._socket.fileno()))
        command = [sys.executable, "-m", "backends.process", str(theirs.fileno()), self.name]
        environment = SETTINGS | dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            # A session of its own, so that what it starts can be ended with it.
            self._child = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, stdout=self._log,
                stderr=self._log, start_new_session=True,
            )  # fmt: skip
        if self.memory < math.inf:
            _limit_memory(self._child.pid, self.memory)
        self._watcher = threading.Thread(target=self._watch, args=[self._child], daemon=True)
        self._watcher.start()

    def _watch(self, child: subprocess.Popen[bytes]) -> None:
        """Wait for the end of the process, end what it leaves behind, and hang up, as others may hold its end of the pipe."""
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self._held = usage.ru_maxrss * 1024 / GIB
        self._kill()
        self._hang_up()

    def _exchange(self, method: str, request: bytes, limit: float) -> tuple[str, Any]:
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._kill()  # which ends sending and receiving alike

        timer = threading.Timer(min(limit, threading.TIMEOUT_MAX), expire)
        timer.daemon = True  # nor may it hold up the end of a run that is interrupted right here
        token = secrets.token_bytes(TOKEN)  # comes back before the answer, so that nothing else is taken for it
        try:
            timer.start()
            self._pipe.send_bytes(token + request)
            if self._pipe.recv_bytes(TOKEN) != token:
                raise pickle.UnpicklingError("it does not begin as an answer does")
            reply: tuple[str, Any] = pickle.loads(self._pipe.recv_bytes())
            return reply
        except BaseException as error:  # Ctrl-C too: the answer to this call must not be taken for that to the next
            timer.cancel()  # it must not fire at what comes after this process
            if not isinstance(error, Exception):
                self.stop()
                raise
            # A number of bytes that no token has makes the pipe unreadable.
            garbled = not isinstance(error, (EOFError, OSError)) or not self._pipe.readable
            if garbled and not expired.is_set():
                self._hang_up()
            how, cause, words = self._ended()
            if expired.is_set():
                message = f"{self.name} gave no answer to {method!r} within {limit:g} s{words}"
                raise self._struck(TimedOut(message, f"{limit:g} s")) from error
            if garbled:
                how, cause = f"wrote what is no answer into its pipe ({type(error).__name__}: {error})", "garbled answer"
            raise self._struck(Crashed(f"{self.name} {how} while computing {method!r}{words}", cause)) from error
        finally:
            timer.cancel()

    def _struck(self, error: BackendError) -> BackendError:
        """Count a time-out, or a death before the first answer, against the backend."""
        if isinstance(error, TimedOut) or not self._answered:
            self._strikes.append(error)
        return error

    def _kill(self) -> None:
        child = self._child
        if child is not None:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(child.pid, signal.SIGKILL)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):  # the other side has hung up
            self._socket.shutdown(socket.SHUT_RDWR)

    @property
    def _granted(self) -> str:
        return f"{self.memory:g} GiB (--memory-limit)" if self.memory < math.inf else "the machine's"

    @property
    def _out_of_memory(self) -> str:
        return f"memory {self.memory:g} GiB" if self.memory < math.inf else "memory"

    def _ended(self) -> tuple[str, str, str]:
        """Wait for the end of the process; return how it ended, the same in a word or two, and its last words."""
        assert self._child is not None
        self._watcher.join(FAREWELL)
        left = self._watcher.is_alive()
        self._kill()
        self._watcher.join()
        code = self._child.returncode
        self._child = None
        self._pipe.close()
        self._socket.close()
        with self._log as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - QUOTED))
            words = _printable(log.read().decode(errors="replace").strip())
        if left:
            how, cause = "closed its pipe", "pipe closed"
        elif code < 0:
            cause = _signal_name(-code)
            how = f"was ended by {cause}"
        else:
            cause = f"status {code}"
            how = f"exited with {cause}"
        last = f"; its last output was: {words}" if words else ""
        if self._held >= NEAR * self.memory or REFUSED.search(words):
            cause = f"{cause}, {self._out_of_memory}"
            last = f"; it had held {self._held:.2g} GiB of memory, the limit is {self._granted}{last}"
        return how, cause, last


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # real-time signals have no names
        return f"signal {number}"


def _printable(text: str) -> str:
    """Text that cannot move a terminal's cursor."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _limit_memory(process: int, gib: float) -> None:
    """Limit a process that has just started, from outside: by the time that it could do so it holds all that it imports."""
    import resource  # not on every platform

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    # What is written to counts, and not the address space that is only reserved, of which frameworks take far more.
    granted = int(min(gib * GIB, sys.maxsize if most == resource.RLIM_INFINITY else most))
    with contextlib.suppress(ProcessLookupError):  # it has ended already
        resource.prlimit(process, resource.RLIMIT_DATA, (granted, granted))


def _serve(pipe: Connection, name: str) -> None:
    if sys.platform == "linux":  # die with the parent, however it dies, even while computing
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    engine: Engine | None = None
    broken: tuple[str, Any] = ("", "")
    try:
        engine = Engine(load(name))
    except Exception as error:  # whatever stops an import is the answer to every call
        broken = _raised(f"backend {name!r} cannot be loaded", error)
    outcome = ANSWERED
    while outcome != EXHAUSTED:  # after which nothing that it says can be trusted
        try:
            request = pipe.recv_bytes()
        except EOFError:
            return
        try:
            method, arguments = pickle.loads(request[TOKEN:])
            reply = broken if engine is None else (ANSWERED, getattr(engine, method)(*arguments))
            message = cloudpickle.dumps(reply)
        except Exception as error:  # a framework's own errors are results here
            reply = _raised(name, error)
            message = pickle.dumps(reply)
        outcome = reply[0]
        pipe.send_bytes(request[:TOKEN])
        pipe.send_bytes(message)


def _raised(what: str, error: Exception) -> tuple[str, Any]:
    """Return the reply of a backend that raised ``error``."""
    if isinstance(error, MemoryError) or REFUSED.search(str(error)):
        return EXHAUSTED, f"{type(error).__name__}: {error}"[:QUOTED]
    return RAISED, _failure(what, error)


def _failure(what: str, error: Exception) -> tuple[str, str]:
    kind = type(error).__name__
    return kind, f"{what}: {kind}: {error}\n{traceback.format_exc()}"


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])), sys.argv[2])
