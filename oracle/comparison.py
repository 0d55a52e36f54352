"""From numbers to a verdict.

A result conforms when rounding can explain its distance from the truth, and when rounding could not have explained the
zero, the sign-flipped, the 1.5-fold and the permuted result. None of these differs where terms cancel to exactly 0: there,
rounding must not explain half of the size of the terms. Everything else has another name.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from arithmetic.doubles import UP, Doubles, two_sum
from arithmetic.precision import ulp
from vocabulary.words import CONFORMS, DEVIATES, UNINFORMATIVE

# Said of a result that conforms, and whose exact value is 0 as terms cancel.
BY_CANCELLATION = "0 by cancellation"


@dataclasses.dataclass(frozen=True)
class Judgement:
    """A verdict on one quantity, with the entry that decides it.

    ``where``, ``got``, ``truth`` and ``bound`` describe one row: the whole quantity at one point or training step. That row
    is the first outside its bound (``first``). If none is outside, it is the row whose error takes the largest share of its
    bound. ``entry`` is the worst entry of that row. Over the judged ``entries`` of all rows, ``share`` is the largest
    quotient error / bound, the share of the bound that the error takes, and ``share_median`` the median. Of these entries,
    the bounds of ``too_wide`` are too wide to tell a wrong value of that entry alone; ``error_ulp`` is the worst error of the
    others, in units in the last place. There are ``points`` rows, of which ``points_without_verdict`` gave no verdict.
    ``declared`` is the subject of the stated deviation that explains a ``deviates``, ``cause`` the signal, status or limit
    that ended a backend. ``bits`` is a digest of all that was judged: two runs whose digests are equal have computed the same
    bits.
    """

    verdict: str
    message: str = ""
    declared: str | None = None
    where: str = ""
    got: np.ndarray | None = None
    truth: np.ndarray | None = None
    bound: np.ndarray | None = None
    entry: int = 0
    error_ulp: float | None = None
    share: float | None = None
    share_median: float | None = None
    entries: int = 0
    too_wide: int = 0
    points: int = 0
    points_without_verdict: int = 0
    first: int | None = None
    bits: str = ""
    cause: str = ""

    @property
    def unexplained(self) -> bool:
        """Whether this is a deviation that no declaration explains."""
        return self.verdict == DEVIATES and not self.declared


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Return 64 bits that stand for the dtypes, shapes and bits of ``arrays``, as 16 hexadecimal digits."""
    state = hashlib.blake2b(digest_size=8)
    for array in arrays:
        state.update(f"{array.dtype.str}{array.shape}".encode())
        state.update(array.tobytes())
    return state.hexdigest()


class Comparison:
    """Rows of results beside the truth and the bound of one quantity.

    ``row`` is what messages call a row; ``row_numbers``, where rows are not counted from 0, are those that messages give.
    """

    def __init__(
        self, quantity: str, dtype: str, shape: tuple[int, ...], row: str = "", row_numbers: Sequence[int] | None = None
    ) -> None:
        self.quantity = quantity
        self.dtype = dtype
        self.shape = shape
        self.row = row
        self.row_numbers = row_numbers
        self._indices: list[int] = []
        self._blocks: list[tuple[np.ndarray, ...]] = []
        self._scales: dict[int, list[float]] = {}

    def empty(self) -> Comparison:
        """Return a comparison of the same quantity without rows."""
        return Comparison(self.quantity, self.dtype, self.shape, self.row, self.row_numbers)

    def add(self, indices: Sequence[int], got: np.ndarray, expected: Doubles, origin: np.ndarray | None = None) -> None:
        """Append rows: results, and the exact values with all that rounding may make of them. Shapes: (n, k) for k entries.

        ``origin`` is where a change starts: a wrong update of a weight is a wrong change of it, not a wrong weight.
        """
        shapes = [got.shape, expected.shape, *([] if origin is None else [origin.shape])]
        if len(set(shapes)) > 1:
            raise ValueError(f"rows of {self.quantity} have the shapes {shapes}")
        got, hi, lo = got.astype(np.float64), expected.hi, expected.lo
        with np.errstate(all="ignore"):
            away, rest = two_sum(got, -hi)
            error = np.where(np.isfinite(got), np.abs(away + (rest - lo)), np.inf)
            exact = np.where(np.abs(hi) <= expected.e * UP, 0.0, hi)
            change = exact
            if origin is not None:
                moved, rest = two_sum(hi, -origin.astype(np.float64))
                change = moved + (rest + lo)
        self._indices += indices
        self._blocks.append((got, exact, change, error, expected.r))

    def add_unknown(self, indices: Sequence[int], got: np.ndarray) -> None:
        """Append rows about which nothing can be said, since the point itself is not finite."""
        nan, inf = np.full(got.shape, np.nan), np.full(got.shape, np.inf)
        self._indices += indices
        self._blocks.append((got.astype(np.float64), nan, nan, inf, inf))

    def _columns(self) -> tuple[np.ndarray, ...]:
        """Results, truth, change, error and bound, a row each."""
        if len(self._blocks) > 1:
            self._blocks = [tuple(np.concatenate(column) for column in zip(*self._blocks, strict=True))]
        return self._blocks[0]

    @property
    def zeros(self) -> list[int]:
        """The indices of rows whose exact result is 0 in every entry, while rounding may make something else of it."""
        _, _, change, _, bound = self._columns()
        rows = ~change.any(axis=1) & bound.any(axis=1)
        return [self._indices[row] for row in np.flatnonzero(rows).tolist()]

    def scale(self, index: int, sizes: list[float]) -> None:
        """Say how large a wrong result of a row may be whose exact result is 0: the size of the terms that cancel."""
        self._scales[index] = sizes

    @property
    def outside(self) -> list[int]:
        """The indices of rows that hold an entry outside its bound."""
        *_, error, bound = self._columns()
        return [self._indices[row] for row in np.flatnonzero(~(error <= bound).all(axis=1)).tolist()]

    def judge(self) -> Judgement:
        """Return the verdict over all rows."""
        got, truth, change, error, bound = self._columns()
        scale = np.abs(change)
        known = np.isfinite(bound)
        outside = known & ~(error <= bound)
        discriminates = _discriminates(change, bound)
        cancelled, measured_at = np.zeros(len(got), dtype=bool), truth
        if self._scales:
            for row, index in enumerate(self._indices):
                scale[row] = self._scales.get(index, scale[row])
            cancelled = np.array([index in self._scales for index in self._indices])
            discriminates = np.where(cancelled, _discriminates_zero(scale, bound), discriminates)
            measured_at = np.where(cancelled[:, None], scale, truth)
        informative = known.all(axis=1) & discriminates
        judged = (known & informative[:, None]) | outside
        with np.errstate(all="ignore"):
            share = np.where(known, np.where(error == 0, 0.0, error / bound), -1.0)
            in_ulp = error / ulp(measured_at, self.dtype)
            too_wide = judged & ~outside & (bound > 0) & (bound >= scale / 2)
        candidates = np.where(judged, share, -1.0) if judged.any() else share
        worst = _largest(candidates)
        # A fault is best looked for where it begins.
        first = int(np.argmax(outside.any(axis=1)))
        row, entry = (first, int(np.argmax(np.where(outside[first], share[first], -1.0)))) if outside.any() else worst
        where = self._where(row, entry)
        judgement = Judgement(
            verdict=CONFORMS,
            where=where,
            got=got[row],
            truth=truth[row],
            bound=bound[row],
            entry=entry,
            error_ulp=float(in_ulp[judged & ~too_wide].max()) if (judged & ~too_wide).any() else None,
            share=float(share[judged].max()) if judged.any() else None,
            share_median=_median(share[judged]) if judged.any() else None,
            entries=int(judged.sum()),
            too_wide=int(too_wide.sum()),
            points=len(got),
            points_without_verdict=int((~informative & ~outside.any(axis=1)).sum()),
        )
        if outside.any():
            message = (
                f"{where}: got {float(got[row, entry])!r}, expected {float(truth[row, entry])!r}, "
                f"off by {error[row, entry]:.3g} ({in_ulp[row, entry]:.3g} ulp of {self.dtype}), "
                f"allowed {bound[row, entry]:.3g}; "
                + (f"the error is {share[row, entry]:.3g} times the bound" if bound[row, entry] else "the bound is 0")
            )
            if len(got) > 1:
                message += f"; {self._extent(len(got), worst, share[worst], first=row)}"
            return dataclasses.replace(judgement, verdict=DEVIATES, message=message, first=self.outside[0])
        if not informative.any():
            reason = "a wrong result would be inside the bound too" if known.all(axis=1).any() else "the bound is infinite"
            return dataclasses.replace(judgement, verdict=UNINFORMATIVE, message=reason)
        if count := int((cancelled & informative).sum()):
            where = f" at {count} of {len(got)} {self.row}s" if self.row else ""
            return dataclasses.replace(judgement, message=f"{BY_CANCELLATION}{where}")
        return judgement

    def _extent(self, rows: int, worst: tuple[int, int], share: float, first: int) -> str:
        """Say how many rows are outside, of which one has been shown, and how large the worst of them is."""
        if len(self.outside) == 1:
            return f"no other of {rows} {self.row}s is outside"
        words = f"{len(self.outside)} of {rows} {self.row}s are outside, and this is the first"
        if worst[0] == first:
            return f"{words} and the worst"
        off = f"off by {share:.3g} times the bound" if np.isfinite(share) else "whose bound is 0"
        return f"{words}; the worst is {self._where(*worst)}, {off}"

    def _where(self, row: int, entry: int) -> str:
        index = [int(i) for i in np.unravel_index(entry, self.shape)] if self.shape else ""
        place = f"{self.quantity}{index}"
        return f"{place} at {self.row} {self._number(self._indices[row])}" if self.row else place

    def _number(self, index: int) -> int:
        return self.row_numbers[index] if self.row_numbers else index


def _largest(values: np.ndarray) -> tuple[int, int]:
    row, entry = np.unravel_index(np.argmax(values), values.shape)
    return int(row), int(entry)


def _median(values: np.ndarray) -> float:
    """That of numpy takes longer for a few numbers than all the rest of a judgement."""
    ordered, half = np.sort(values), len(values) // 2
    return float(ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2)


def _discriminates_zero(scale: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Whether each bound around an exact result of 0 throws out a wrong one of half its scale, the size of what cancels."""
    return np.asarray((np.isfinite(scale) & ((bound < scale / 2) | (bound == 0))).all(axis=1))


def _discriminates(truth: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Whether the bound of each row throws out every wrong result that differs from the truth.

    Where none differs (the exact result is zero) only a bound of zero leaves nothing else.
    """
    differs_at_all = np.zeros(len(truth), dtype=bool)
    caught_all = np.ones(len(truth), dtype=bool)
    with np.errstate(invalid="ignore", over="ignore"):
        for wrong in (np.zeros_like(truth), -truth, 1.5 * truth, np.roll(truth, 1, axis=1)):
            differs = (wrong != truth).any(axis=1)
            caught = (np.abs(wrong - truth) > bound).any(axis=1)
            differs_at_all |= differs
            caught_all &= caught | ~differs
    return np.asarray(caught_all & (differs_at_all | (bound == 0).all(axis=1)))
