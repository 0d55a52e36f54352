"""Faults that users of autograd make, in autograd."""

from __future__ import annotations

from typing import Any

from backends.autograd import Autograd

SOUND = "autograd"


class GradOfFirst(Autograd):
    """The gradient is asked for by the first parameter alone, and the others get none of their own."""

    family = "zero"

    def value_and_grad(self, loss: Any, params: Any, data: Any) -> Any:
        value, gradient = super().value_and_grad(loss, params, data)
        first, *others = gradient
        return value, {first: gradient[first]} | {name: 0 * gradient[name] for name in others}
