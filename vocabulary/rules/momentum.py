"""Gradient descent with momentum, at a learning rate that does not change: only then do the two forms below agree.

Sources: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, USSR Comput. Math. Math. Phys. 4
(1964); I. Sutskever, J. Martens, G. Dahl and G. Hinton, On the importance of initialization and momentum in deep learning,
ICML 2013.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vocabulary.operators.record import forms
from vocabulary.rules.record import Rule, State, Step
from vocabulary.tensors import Ops, Tensor

Values = Mapping[str, Tensor]


def _stepping(share: Callable[[Values, Tensor], Tensor]) -> Step:
    """w - rate v with v = momentum v + ``share`` of g, or w + u with u = momentum u - rate times that: the ball holds both."""

    def step(ops: Ops, h: Values, w: Tensor, g: Tensor, state: State, steps: Sequence[int]) -> tuple[Tensor, State]:
        v = ops.fading(h["momentum"], share(h, g), state["v"])
        u = ops.fading(h["momentum"], -(h["rate"] * share(h, g)), state["u"])
        after = forms(lambda ops, w, u, v: w - h["rate"] * v, lambda ops, w, u, v: w + u)
        return after(ops, w, u, v), {"v": v, "u": u}

    return step


MOMENTUM = Rule(
    "momentum",
    {"rate": None, "momentum": 0.9},
    # A sum of gradients or, as autograd has it, an average: (1 - momentum) g in place of g.
    {"sum": _stepping(lambda h, g: g), "average": _stepping(lambda h, g: (1 - h["momentum"]) * g)},
    state=("v", "u"),
    sharp={"rate": 0.1037219865, "momentum": 0.8123456789},
)
