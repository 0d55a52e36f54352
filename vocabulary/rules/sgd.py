"""Gradient descent: w - rate g."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vocabulary.rules.record import Rule, State
from vocabulary.tensors import Ops, Tensor


def _step(ops: Ops, h: Mapping[str, Tensor], w: Tensor, g: Tensor, state: State, steps: Sequence[int]) -> tuple[Tensor, State]:
    return w - h["rate"] * g, state


SGD = Rule("sgd", {"rate": None}, {"": _step}, by_hand=True)
