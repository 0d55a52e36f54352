"""Two ways of doing the same, timed in turn, so that whatever else a shared machine does disturbs both alike."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable

REPETITIONS = 5
# Seconds that one timing takes at least: far above the resolution of the clock.
ENOUGH = 0.2

# Work(n) does the same n times.
Work = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Ratio:
    """Seconds of two ways, medians of REPETITIONS; median, least and largest ratio of the first to the second."""

    first: float
    second: float
    median: float
    least: float
    largest: float


def timed(work: Work, count: int) -> float:
    """Return the seconds that each repetition of ``work(count)`` takes."""
    begun = time.perf_counter()
    work(count)
    return (time.perf_counter() - begun) / count


def ratio(first: Work, second: Work) -> Ratio:
    """Return the ratio of both, timed in turn. Each first runs uncounted, so that compiling is not measured."""
    counts = []
    for work in (first, second):
        work(1)
        count = 1
        while count * (seconds := timed(work, count)) < ENOUGH:
            count = max(2 * count, int(ENOUGH / max(seconds, 1e-9)) + 1)
        counts.append(count)
    pairs = [(timed(first, counts[0]), timed(second, counts[1])) for _ in range(REPETITIONS)]
    ratios = [a / b for a, b in pairs]
    own, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Ratio(own, other, statistics.median(ratios), min(ratios), max(ratios))
