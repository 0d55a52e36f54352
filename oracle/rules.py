"""Update rules over the numbers that judge: from the gradients of consecutive steps to the parameters after each of them.

What a rule remembers from step to step it works out itself from the gradients, so that the state of no framework has to be
trusted.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from arithmetic.balls import Balls, balls
from arithmetic.tape import Array, Taped
from vocabulary.rules import Optimizer
from vocabulary.rules.record import State


class Stepping:
    """The rule of ``optimizer``, read as ``conventions`` say by its name, in the precision that ``numbers`` are in.

    Raises ValueError for a rule, a hyperparameter or a convention that is not known.
    """

    def __init__(self, numbers: Balls, optimizer: Optimizer, conventions: Mapping[str, str]) -> None:
        self.numbers = numbers
        self._rule = optimizer.rule
        self._step = self._rule.step(conventions)
        self._given = {
            name: Taped(numbers.parameter(value, name), numbers) for name, value in optimizer.hyperparameters.items()
        }
        self._remembered: dict[str, tuple[int, State]] = {}

    def updated(self, name: str, w: Array, g: Array) -> Array:
        """Return the points after the points ``w`` of the parameter ``name``, which had the gradients ``g``.

        Steps stand along the first axis. One gradient serves all points.
        """
        if not self._rule.state:
            return self._made(w, g, {}, 1)[0].value
        zero = Taped(balls(0), self.numbers)
        step, state = self._remembered.get(name, (0, dict.fromkeys(self._rule.state, zero)))
        after = np.empty(w.shape, dtype=object)
        for k in range(len(after)):
            step += 1
            # Slices keep the axis: an element of a scalar parameter would be a bare ball.
            made, state = self._made(w[k : k + 1], g[k : k + 1] if len(g) > 1 else g, state, step)
            after[k] = made.value[0]
        self._remembered[name] = step, state
        return after

    def _made(self, w: Array, g: Array, state: State, step: int) -> tuple[Taped, State]:
        return self._step(self.numbers, self._given, Taped(w, self.numbers), Taped(g, self.numbers), state, step)
