"""The time that a call may take."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class Deadline:
    """Calls ``expire`` when the time that was set is up. One thread waits for all deadlines: one a call would cost more."""

    def __init__(self, expire: Callable[[], None]) -> None:
        self._expire = expire
        self._changed = threading.Condition()
        self._at = self._wakes = math.inf
        self._expired = False
        self._thread: threading.Thread | None = None

    def set(self, seconds: float) -> None:
        """Call ``expire`` after ``seconds``, unless ``clear`` is called first."""
        with self._changed:
            self._at = time.monotonic() + seconds
            self._expired = False
            if self._thread is None:  # a daemon, which may not hold up the end of a run that is interrupted
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
            elif self._at < self._wakes:
                self._changed.notify()

    def clear(self) -> bool:
        """Forget the deadline; return whether it had passed."""
        with self._changed:
            self._at = math.inf
            return self._expired

    def end(self) -> None:
        """Forget the deadline, and let the thread end."""
        with self._changed:
            self._at, self._thread = math.inf, None
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while self._thread is threading.current_thread():
                left = self._at - time.monotonic()
                if left <= 0:
                    self._at, self._expired = math.inf, True
                    self._expire()
                    continue
                self._wakes = self._at
                self._changed.wait(None if left == math.inf else min(left, threading.TIMEOUT_MAX))
