"""Keeps judgements under a digest of all that they depend on, for one process or for all workers of a run.

What several levels of a framework, or several frameworks, compute to the last bit alike is judged once, or once by each worker
if two begin at the same time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from oracle.comparison import Judgement

Judgements = dict[str, Judgement]
# Bytes of a digest: among 10^12 keys two are the same with a probability below 2^-48.
SIZE = 16


class Kept:
    """Judgements by key, in memory and, where there is one, in a ``folder`` that the workers of a run share.

    A file that is damaged is not believed: what it was to hold is judged again, and written anew.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._known: dict[str, Judgements] = {}

    def get(self, key: str, judge: Callable[[], Judgements]) -> Judgements:
        """Return the judgements under ``key``, made by ``judge`` where there are none. An empty key keeps nothing."""
        if not key:
            return judge()
        if key not in self._known:
            self._known[key] = found if (found := self._read(key)) is not None else self._written(key, judge())
        return dict(self._known[key])

    def _read(self, key: str) -> Judgements | None:
        if self._folder is None:
            return None
        try:
            content = (self._folder / key).read_bytes()
        except OSError:
            return None
        payload = content[SIZE:]
        if content[:SIZE] != _checksum(key, payload):
            return None
        try:
            judgements: Judgements = pickle.loads(payload)
        except Exception:  # of another version of what it holds, whatever that raises
            return None
        return judgements

    def _written(self, key: str, judgements: Judgements) -> Judgements:
        if self._folder is not None:
            payload = pickle.dumps(judgements)
            unfinished = self._folder / f"{key}.{secrets.token_hex(8)}"
            with contextlib.suppress(OSError):  # a full disk makes the run slower, and not wrong
                unfinished.write_bytes(_checksum(key, payload) + payload)
                os.replace(unfinished, self._folder / key)
        return judgements


def _checksum(key: str, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=SIZE, key=key.encode()).digest()


def key_of(facts: Mapping[str, Any], code: Sequence[Any], arrays: Iterable[Mapping[str, Sequence[np.ndarray]]]) -> str:
    """Return the digest of ``facts`` (plain), ``code`` (functions, or objects that hold some) and ``arrays`` (lists by name).

    It is empty where an array holds objects, which have no bits of their own.
    """
    state = hashlib.blake2b(digest_size=SIZE)

    def add(content: bytes) -> None:
        state.update(len(content).to_bytes(8))
        state.update(content)

    add(json.dumps(facts, sort_keys=True).encode())
    for each in code:
        add(cloudpickle.dumps(each))
    for group in arrays:
        add(f"{len(group)} names".encode())  # where one group ends and the next begins
        for name, listed in group.items():
            add(f"{name} {len(listed)}".encode())
            for array in listed:
                if array.dtype.hasobject:
                    return ""
                add(f"{array.dtype.str}{array.shape}".encode())
                add(array.tobytes())
    return state.hexdigest()
