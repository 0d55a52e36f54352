"""What is written: a results file that is whole at every moment, and pages that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import gzip
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from report.document import Record
from report.schema import version

OPEN = b'\n ],\n "complete": false\n}\n'
COMPLETE = OPEN.replace(b"false", b"true")
PACKED = ".gz"


class ResultsFile:
    """One JSON document of a run, whole at every moment, and written by no other run meanwhile.

    A write takes its room first, with blanks, which may follow a document, and then replaces the closing brackets by records
    and new closing brackets. So a run that is killed leaves a valid document of all that it had, and so does a disk that is
    full: ``fault`` says then why no more is written. What is not in the file is tried once more when it is closed.

    A file whose name ends in .gz is compressed: each write as a member of its own, and in one piece when it is complete.

    Raises OSError where the file cannot be opened, or another run has it open; nothing is overwritten before ``begin``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.fault = ""
        self._is_packed = str(path).endswith(PACKED)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._file = _locked(path)
        self._size = os.fstat(self._file.fileno()).st_size
        self._end = 0  # of the records; the closing brackets follow
        self._brackets = b""
        self._waiting: list[Record] = []
        self._written: Counter[str] = Counter()

    def begin(self, run: Record) -> None:
        """Replace what the file held. Raises OSError where there is no room; the file is then as it was."""
        head = json.dumps({"schema": version(), "run": run}, indent=1)
        self._write(head[:-2].encode() + b',\n "records": [', OPEN)
        self._brackets = OPEN

    def add(self, record: Record) -> None:
        self._waiting.append(record)
        if not self.fault:
            self._flush(OPEN)

    def close(self, *, complete: bool) -> None:
        """Close the document, marked as complete or not; leave no file that says nothing."""
        if self._file.closed:
            return
        if self._brackets:
            self._flush(COMPLETE if complete else OPEN)
            if complete and self._is_packed and not self.fault:
                self._in_one_piece()
        elif not self._size:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        try:
            self._file.close()
        except OSError as error:
            self.fault = _reason(error)

    @property
    def kept(self) -> str:
        """How much of what was added is in the file."""
        added = self._written + Counter(record["kind"] for record in self._waiting)
        return ", ".join(f"{self._written[kind]} of {count} {kind}s" for kind, count in added.items())

    def _flush(self, brackets: bytes) -> None:
        records = b",\n".join(json.dumps(record).encode() for record in self._waiting)
        separator = b"" if not records else b",\n" if self._written else b"\n"
        try:
            self._write(separator + records, brackets)
        except OSError as error:
            self.fault = _reason(error)
        else:
            self.fault = ""
            self._written.update(record["kind"] for record in self._waiting)
            self._waiting.clear()

    def _write(self, addition: bytes, brackets: bytes) -> None:
        added, closing = map(self._packed, (addition, brackets))
        content = added + closing
        size = self._end + len(content)
        try:
            self._put(self._size, (b"\0" if self._is_packed else b" ") * (size - self._size))
            self._put(self._end, content)
            self._file.truncate(size)
            if brackets == COMPLETE:
                os.fsync(self._file.fileno())  # some disks, as those of a network, refuse only here
                if not _is_at(self._file, self.path):
                    raise OSError(errno.ENOENT, "it was removed or replaced while the run wrote it")
        except OSError as error:
            self._restore(error)
            raise
        self._end += len(added)
        self._size = size

    def _packed(self, content: bytes) -> bytes:
        return gzip.compress(content, mtime=0) if self._is_packed else content

    def _in_one_piece(self) -> None:
        """Compress the whole file anew, which makes it a third as large. Where there is no room it stays as it is."""
        new = Path(f"{self.path}.{secrets.token_hex(4)}.new")
        try:
            new.write_bytes(gzip.compress(gzip.decompress(Path(self.path).read_bytes()), mtime=0))
            new.replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)

    def _restore(self, error: OSError) -> None:
        """Leave what was whole before a write that failed."""
        try:
            # Never made longer, which would fill it with zeros.
            self._file.truncate(min(self._size, os.fstat(self._file.fileno()).st_size))
            self._put(self._end, self._packed(self._brackets))
        except OSError as worse:
            raise OSError(
                error.errno, f"{_reason(error)}; the file may be damaged: its closing brackets could not be written again"
            ) from worse

    def _put(self, place: int, content: bytes) -> None:
        self._file.seek(place)
        left = memoryview(content)
        while left:
            left = left[self._file.write(left) :]  # which may take less than it is given


def _locked(path: str | Path) -> BinaryIO:
    """Open a file to be overwritten later. Raises BlockingIOError where another run has it open."""
    if os.path.exists(path) and not os.path.isfile(path):  # opening a FIFO waits for its reader
        raise OSError(errno.EINVAL, "not a regular file")
    while True:
        # Python opens files so that no process that it starts inherits them, and with them the lock.
        file = open(path, "wb", buffering=0, opener=_without_emptying)  # noqa: SIM115
        try:
            _lock(file)
            if _is_at(file, path):  # and was not removed by the run that had the lock before
                return file
        except BaseException:  # Ctrl-C too must not leave the file open, and locked
            file.close()
            raise
        file.close()


def _without_emptying(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_TRUNC, 0o666)


def _lock(file: BinaryIO) -> None:
    """Lock a file until it is closed or the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs may write one file there, as on the file systems without locks below
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, "another run writes it; wait for its end, or give another file") from error
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def _is_at(file: BinaryIO, path: str | Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def write(texts: Iterable[tuple[Path, str]]) -> None:
    """Write files: first all of them under new names beside the old ones, then each in the place of the old one.

    Raises OSError, whose words name the file. Until all are written, no earlier file is touched.
    """
    beside: dict[Path, Path] = {}
    path = Path()
    try:
        for path, text in texts:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
            beside[new] = path
            new.write_text(text, encoding="utf-8")
        for new, path in beside.items():
            new.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"cannot be written: {_reason(error)}; this file is as it was before", str(path)) from error
    finally:
        for new in beside:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
