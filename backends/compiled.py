"""What frameworks have compiled in earlier runs is believed only as it was left: a file that has changed since is removed.

The framework then compiles anew. It would do so where it cannot read a file, but leave the damaged file in its place for ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

DIGESTS = "digests.json"


def note(folder: Path) -> None:
    """Write down the digests of all files below ``folder``, at the end of a run that has used it."""
    found = {str(path.relative_to(folder)): _digest(path) for path in _files(folder)}
    with contextlib.suppress(OSError):  # what is not noted is compiled again
        (folder / DIGESTS).write_text(json.dumps(found))


def cleanse(folder: Path) -> None:
    """Remove the files below ``folder`` that are not as they were noted, at the beginning of a run."""
    try:
        noted = json.loads((folder / DIGESTS).read_text())
    except (OSError, ValueError):
        noted = {}
    known = noted if isinstance(noted, dict) else {}
    for path in _files(folder):
        if known.get(str(path.relative_to(folder))) != _digest(path):
            with contextlib.suppress(OSError):
                path.unlink()


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / DIGESTS]


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
