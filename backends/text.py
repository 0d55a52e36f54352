"""Text that came from a backend, made fit to be shown: it moves no cursor, and a page holds it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

# The most characters of a text that are shown: a traceback of a dozen frames, a whole array.
MOST = 4000
LEFT_OUT = " [... {} characters left out ...] "


def legible(text: str, most: int = MOST) -> str:
    """Return ``text`` in at most ``most`` characters, its middle left out where it is longer, with escapes for controls.

    Newlines and tabs stay. What is legible already comes back as it is.
    """
    text = str.__str__(text)  # a subclass may have methods of its own
    if len(text) <= most and len(shown := _escaped(text)) <= most:
        return shown
    room = (most - len(LEFT_OUT.format(len(text)))) // 2
    first, last = _fitting(text, room), _fitting(reversed(text), room)
    end = len(text) - last
    return f"{_escaped(text[:first])}{LEFT_OUT.format(end - first)}{_escaped(text[end:])}"


def printable(text: str) -> str:
    """Return ``text`` as one line."""
    return _escaped(text, kept="")


def _escaped(text: str, kept: str = "\n\t") -> str:
    """Control and bidi characters, surrogates and the like escaped, but those that are kept."""
    return "".join(
        character if character.isprintable() or character in kept else character.encode("unicode_escape").decode()
        for character in text
    )


def _fitting(text: Iterable[str], room: int) -> int:
    """How many of the first characters of ``text`` fit into ``room`` when they are escaped."""
    lengths = itertools.accumulate(len(_escaped(character)) for character in text)
    return sum(1 for _ in itertools.takewhile(lambda length: length <= room, lengths))
