"""Adam: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, and a step of m over the square root of v, both corrected.

Source: D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1 ("epsilon") and the
reordering of its section 2 ("epsilon hat"), which adds epsilon to the square root of the uncorrected moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from vocabulary.rules.record import Rule, State, Step
from vocabulary.tensors import Ops, Tensor

Values = Mapping[str, Tensor]


def _averaged(ops: Ops, new: Tensor, before: Tensor, beta: Tensor) -> Tensor:
    """mean = beta mean + (1 - beta) new, which some write as mean + (1 - beta) (new - mean): the ball holds both."""
    rest = 1 - beta
    return ops.fading(beta, rest * new, before, rest)


def _epsilon(ops: Ops, h: Values, m: Tensor, v: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """rate m' / (sqrt(v') + epsilon) with the corrected m' = m / (1 - b1^t) and v' = v / (1 - b2^t)."""
    return h["rate"] * (m / one / (ops.root(v / two) + h["epsilon"]))


def _epsilon_hat(ops: Ops, h: Values, m: Tensor, v: Tensor, one: Tensor, two: Tensor) -> Tensor:
    """rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)."""
    return h["rate"] * (ops.root(two) / one) * m / (ops.root(v) + h["epsilon"])


def _stepping(change: Callable[..., Tensor]) -> Step:
    def step(ops: Ops, h: Values, w: Tensor, g: Tensor, state: State, steps: Sequence[int]) -> tuple[Tensor, State]:
        m = _averaged(ops, g, state["m"], h["beta1"])
        v = _averaged(ops, g * g, state["v"], h["beta2"])
        one, two = (1 - ops.powers(h[beta], steps, "powers") for beta in ("beta1", "beta2"))
        return w - change(ops, h, m, v, one, two), {"m": m, "v": v}

    return step


ADAM = Rule(
    "adam",
    {"rate": None, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
    {"epsilon": _stepping(_epsilon), "epsilon hat": _stepping(_epsilon_hat)},
    state=("m", "v"),
    values=("powers", "weights"),
    sharp={"rate": 0.1037219865, "beta1": 0.8123456789, "beta2": 0.9912345678, "epsilon": 0.01034567891},
)
