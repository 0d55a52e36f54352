"""Adapters that say of themselves what is not so, over the tape of this suite."""

from __future__ import annotations

from typing import Any, ClassVar

from backends.numpy import Numpy
from vocabulary.words import COMPILED


class CalledTorch(Numpy):
    """Claims to be another framework."""

    name = "torch"


class Renamed(Numpy):
    """Claims to be an engine of its own."""

    name = "mine"


class OtherVersion(Numpy):
    """Claims a release that is not installed."""

    version = "0.0.1"  # type: ignore[assignment]


class Compiled(Numpy):
    """Claims to be compiled."""

    modes: ClassVar = {"gradient": COMPILED, "training": COMPILED}


class NowAndThen(Numpy):
    """Calls the formula at every other gradient, and remembers the last results in between."""

    last: Any = None

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        known, self.last = self.last, None
        if known is None:
            known = self.last = super().value_and_grad(loss, params, data)
        return known
