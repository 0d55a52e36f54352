"""What a check belongs to: the one key of test ids, caches, records and tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from vocabulary.words import AUTODIFF, EAGER

# The case of a check that belongs to none: it judges the contract itself.
CONTRACT = "contract"


@dataclasses.dataclass(frozen=True, order=True)
class Cell:
    """A backend, a level, a mode, a dtype and a case, each by its name. Cells are equal where all five are."""

    backend: str
    level: str
    mode: str
    dtype: str
    case: str

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Cell:
        """Return the cell that ``record`` names, among other facts. Raises KeyError where it leaves a name out."""
        return cls(*(record[field.name] for field in dataclasses.fields(cls)))

    def __str__(self) -> str:
        """Name the cell in a message; the level of autodiff and the eager mode, which are the usual ones, go unsaid."""
        level = "" if self.level == AUTODIFF else self.level
        mode = "" if self.mode == EAGER else self.mode
        return " ".join(filter(None, (self.backend, level, mode, self.dtype, self.case)))

    @property
    def record(self) -> dict[str, str]:
        """The names of the cell, as they stand in a record."""
        return dataclasses.asdict(self)
