"""What the numbers that bound have in common, balls of Arb and of doubles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from arithmetic.tape import Tape


class Bounding(Tape):
    """A tape that holds what rounding may make of every result.

    ``lost`` are the relative errors of what passes through a narrower dtype, by name, ``no_slope`` says that a binary
    cross-entropy may lack a part of its slope at 0: declared deviations.
    """

    lead = 1

    def __init__(self) -> None:
        self.lost: dict[str, float] = {}
        self.no_slope = False
        self._rounds = True

    @contextmanager
    def without_rounding(self) -> Iterator[None]:
        before, self._rounds = self._rounds, False
        try:
            yield
        finally:
            self._rounds = before
