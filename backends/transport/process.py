"""A backend in a process of its own, so that one that crashes or hangs takes nothing with it.

The parent speaks pickles over a pipe: a method of Engine with its arguments, answered by its result or its exception.
The child is a fresh interpreter, as a fork after a framework has computed hangs. The end of what it prints is quoted when
it dies. It is trusted as any package that is imported: no fault of it passes for an answer, but intent could make one.

Text that comes from the child is legible from here on: that of a failure once it is in a BackendError, that of an answer
once ``call`` returns it.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import math
import os
import pickle
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cloudpickle

from backends import SETTINGS, caches, load, missing
from backends.memory import GIB, NEAR, REFUSED, is_refused, limit_memory, memory_is_limited
from backends.text import MOST, legible
from backends.transport.deadline import Deadline
from backends.transport.engine import Engine
from vocabulary.words import CRASHED, FAILED, MISSING, TIMED_OUT

# After so many time-outs, or deaths before the first answer, a backend is not asked again: a run has to end.
PATIENCE = 3
# A process that has closed its pipe gets this many seconds to end by itself and leave a status.
FAREWELL = 2.0
QUOTED = 500
# Of a failure's message, the part before the traceback.
SAID = 1000
LINE = re.compile(r'File "(.*)", line (\d+)')
TOKEN = 16  # bytes
# How a call ended, in the first word of a reply.
ANSWERED, RAISED, EXHAUSTED = "answered", "raised", "out of memory"


class BackendError(Exception):
    """A backend gave no result; ``verdict`` says in one word how, ``cause`` by which signal, status or limit."""

    verdict = FAILED

    def __init__(self, message: str, cause: str = "") -> None:
        super().__init__(legible(message))
        self.cause = cause


class Failed(BackendError):
    """The backend raised; ``kind`` is the exception's type, the message is the original one, its traceback follows."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = legible(kind, QUOTED)


class Crashed(BackendError):
    """The backend's process ended."""

    verdict = CRASHED


class TimedOut(BackendError):
    """The backend gave no answer in time and was ended."""

    verdict = TIMED_OUT


class Missing(BackendError):
    """The backend was asked for and its package is not installed."""

    verdict = MISSING


class Process:
    """An Engine at the other end of a pipe: ``process.call("gradients", loss, starts, data)``.

    ``limit`` is the time in seconds that one call may take, the import of the framework included, ``memory`` what the
    process may allocate, in GiB, where the platform has such a limit; the defaults of both stand in runner/options.py. The
    process may keep in the folder ``cache`` what its framework compiles. It starts with the first call, and again after it has
    ended. After PATIENCE calls that ran out of time or memory, or deaths before a first answer, it is not started again.
    """

    def __init__(self, name: str, limit: float, memory: float = math.inf, cache: Path | None = None) -> None:
        self.name = name
        self._caches = caches(cache) if cache else {}
        self.limit = limit
        self.memory = memory if memory_is_limited() else math.inf
        self._child: subprocess.Popen[bytes] | None = None
        self._deadline = Deadline(self._kill)  # which ends sending and receiving alike
        self._answered = False
        self._strikes: list[BackendError] = []
        self._traced: set[str] = set()

    def call(self, method: str, *arguments: Any, times: float = 1.0) -> Any:
        """Return what the method of Engine returns, within ``times`` the limit. Raises a BackendError."""
        if len(self._strikes) >= PATIENCE:
            last = self._strikes[-1]
            raise type(last)(f"{self.name} is not asked again after {PATIENCE} such failures; the last: {last}", last.cause)
        try:
            request = cloudpickle.dumps((method, arguments))
        except (Exception, SystemExit) as error:  # a formula is a user's code and may hold anything
            what = f"{self.name}: the formula cannot be sent"
            raise self._failed(*_failure(what, error, _text(error))) from None
        self.start()
        outcome, answer = self._exchange(method, request, self.limit * times)
        if outcome == EXHAUSTED:
            self.stop()
            message = f"{self.name} ran out of memory while computing {method!r}: the limit is {self._granted}; {answer}"
            raise self._struck(Crashed(message, self._out_of_memory))
        self._answered = True
        if outcome == RAISED:
            raise self._failed(*answer)
        return _with_legible_text(answer)

    def stop(self) -> None:
        """End the process: let it end by itself, as frameworks then tidy up their files, and kill it if it does not."""
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
        self._log = Log(QUOTED)
        self._socket, theirs = socket.socketpair()
        self._pipe = Connection(os.dup(self._socket.fileno()))
        command = [sys.executable, "-m", "backends.transport.process", str(theirs.fileno()), self.name]
        environment = SETTINGS | self._caches | dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with theirs:
            # A session of its own, so that what it starts can be ended with it.
            self._child = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL,
                stdout=self._log.entrance, stderr=self._log.entrance, start_new_session=True,
            )  # fmt: skip
        if self.memory < math.inf:
            limit_memory(self._child.pid, self.memory)
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
        token = secrets.token_bytes(TOKEN)  # comes back before the answer, so that nothing else is taken for it
        try:
            self._deadline.set(limit)
            self._pipe.send_bytes(token + request)
            if self._pipe.recv_bytes(TOKEN) != token:
                raise pickle.UnpicklingError("it does not begin as an answer does")
            content = self._pipe.recv_bytes()
            if self._deadline.clear():  # the process has been ended, though its answer came through
                raise EOFError
            reply: tuple[str, Any] = pickle.loads(content)
            return reply
        except BaseException as error:  # Ctrl-C too: the answer to this call must not be taken for that to the next
            expired = self._deadline.clear()  # it must not fire at what comes after this process
            if not isinstance(error, Exception):
                self.stop()
                raise
            # A number of bytes that no token has makes the pipe unreadable.
            garbled = not isinstance(error, (EOFError, OSError)) or not self._pipe.readable
            if garbled and not expired:
                self._hang_up()
            how, cause, words = self._ended()
            if expired:
                message = f"{self.name} gave no answer to {method!r} within {limit:g} s{words}"
                raise self._struck(TimedOut(message, f"{limit:g} s")) from None
            if garbled:
                how, cause = f"wrote what is no answer into its pipe ({type(error).__name__}: {error})", "garbled answer"
            raise self._struck(Crashed(f"{self.name} {how} while computing {method!r}{words}", cause)) from None
        finally:
            self._deadline.clear()

    def _failed(self, kind: str, words: str, trace: str, lines: str) -> Failed:
        """Return the failure. Its traceback is left out if one through the same lines was shown before.

        A framework that cannot be imported fails every check in the same way.
        """
        known = lines in self._traced
        self._traced.add(lines)
        return Failed(kind, words.splitlines()[0] if known else f"{words}\n{trace}")

    def _struck(self, error: BackendError) -> BackendError:
        """Count a time-out, or a death before the first answer, against the backend."""
        if isinstance(error, TimedOut) or not self._answered:
            self._strikes.append(error)
        return error

    def _kill(self) -> None:
        child = self._child
        if child is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended by itself, as some systems say
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
        self._deadline.end()
        self._watcher.join(FAREWELL)
        left = self._watcher.is_alive()
        self._kill()
        self._watcher.join()
        code = self._child.returncode
        self._child = None
        self._pipe.close()
        self._socket.close()
        words = self._log.close().decode(errors="backslashreplace").strip()
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


class Log:
    """What a process prints: a pipe that a thread empties, so that the process need not wait.

    Its last ``most`` bytes are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._end = secrets.token_bytes(TOKEN)
        self._kept = b""
        self._exit, self.entrance = os.pipe()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        while self._end not in self._kept:
            self._kept = self._kept[-self._most - TOKEN :] + os.read(self._exit, 2**16)

    def close(self) -> bytes:
        """Return the end of what has been written by now."""
        os.write(self.entrance, self._end)  # a pipe has no end as long as somebody, left behind perhaps, holds it open
        self._thread.join()
        os.close(self.entrance)
        os.close(self._exit)
        return self._kept.partition(self._end)[0][-self._most :]


def _with_legible_text(answer: Any) -> Any:
    """Return ``answer`` with every text in it made legible, but not the keys, which are names that were sent or are known."""
    if isinstance(answer, str):
        return legible(answer)
    if isinstance(answer, dict):
        return {key: _with_legible_text(value) for key, value in answer.items()}
    for kind in (list, tuple):
        if isinstance(answer, kind):
            return kind(map(_with_legible_text, answer))
    return answer


def _serve(pipe: Connection, name: str) -> None:
    if sys.platform == "linux":  # die with the parent, however it dies, even while computing
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    engine: Engine | None = None
    broken: tuple[str, Any] = ("", "")
    try:
        engine = Engine(load(name))
    except BaseException as error:  # whatever stops an import, sys.exit() too, is the answer to every call
        broken = _raised(f"backend {name!r} cannot be loaded", error)
    outcome, itself = ANSWERED, os.getpid()
    while outcome != EXHAUSTED:  # after which nothing that it says can be trusted
        try:
            request = pipe.recv_bytes()
        except EOFError:
            return
        try:
            method, arguments = pickle.loads(request[TOKEN:])
            reply = broken if engine is None else (ANSWERED, getattr(engine, method)(*arguments))
            message = cloudpickle.dumps(reply)
        except BaseException as error:  # a framework's own errors are results here, and so is its sys.exit()
            if os.getpid() != itself:
                raise
            reply = _raised(name, error)
            message = pickle.dumps(reply)
        if os.getpid() != itself:  # a process that the backend has forked does not answer for it
            return
        outcome = reply[0]
        pipe.send_bytes(request[:TOKEN])
        pipe.send_bytes(message)


def _raised(what: str, error: BaseException) -> tuple[str, Any]:
    """Return the reply of a backend that raised ``error``."""
    text = _text(error)
    if is_refused(error, legible(text)):
        return EXHAUSTED, legible(f"{_kind(error)}: {text}", QUOTED)
    return RAISED, _failure(what, error, text)


def _failure(what: str, error: BaseException, text: str) -> tuple[str, str, str, str]:
    """Return the type of ``error``, what it says, its traceback, and a digest of the lines that this names."""
    kind = _kind(error)
    words = legible(": ".join(filter(None, (what, kind, text))), SAID)
    trace = _made("its traceback", lambda: "".join(traceback.format_exception(error)))
    lines = sorted(set(LINE.findall(trace)))
    return kind, words, legible(trace, MOST - SAID - 1), hashlib.sha256(repr((kind, lines)).encode()).hexdigest()


def _text(error: BaseException) -> str:
    return _made("its text", lambda: str(error)).strip()


def _made(what: str, make: Callable[[], str]) -> str:
    """Return what ``make`` makes of an exception, whose methods may do anything."""
    try:
        return str.__str__(make())
    except BaseException as error:  # the methods of an exception are anybody's code, which may exit
        return f"{what} cannot be made: {_kind(error)}"


def _kind(error: BaseException) -> str:
    """The name of the type of ``error``, whatever its metaclass makes of ``__name__``."""
    return legible(type.__dict__["__name__"].__get__(type(error)), QUOTED)


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])), sys.argv[2])
