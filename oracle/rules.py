"""Update rules over the numbers that judge: from the gradients of consecutive steps to the parameters after each of them.

What a rule remembers from step to step it works out itself from the gradients, so that the state of no framework has to be
trusted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from arithmetic.balls import Balls, balls
from arithmetic.fast import FastBalls
from arithmetic.tape import Array, Taped
from vocabulary.rules import Optimizer
from vocabulary.rules.record import State


class Stepping:
    """The rule of ``optimizer``, read as ``conventions`` say by its name, in the precision that ``numbers`` are in.

    Raises ValueError for a rule, a hyperparameter or a convention that is not known.
    """

    def __init__(self, numbers: Balls | FastBalls, optimizer: Optimizer, conventions: Mapping[str, str]) -> None:
        self.numbers = numbers
        self._rule = optimizer.rule
        self._step = self._rule.step(conventions)
        self._given = {
            name: Taped(numbers.parameter(value, name), numbers) for name, value in optimizer.hyperparameters.items()
        }
        self._taken = 0
        self._state: State = dict.fromkeys(self._rule.state, Taped(balls(0), numbers)) if self._rule.state else {}

    def updated(self, weights: Mapping[str, Array], gradients: Mapping[str, Array]) -> dict[str, Array]:
        """Return the parameters after each step, given the parameters ``weights`` and their gradients before it.

        Shapes: (n, ...) for n consecutive steps, which go on where the last call ended. A gradient of shape (1, ...) serves
        all of them.
        """
        # A rule treats every entry alone: in one row, all parameters take their step at once.
        rows = np.concatenate([w.reshape(len(w), -1) for w in weights.values()], axis=1)
        slopes = np.concatenate(
            [np.broadcast_to(gradients[name], w.shape).reshape(len(w), -1) for name, w in weights.items()], axis=1
        )
        after = self._after(rows, slopes)
        ends = np.cumsum([math.prod(w.shape[1:]) for w in weights.values()]).tolist()
        starts = [0, *ends[:-1]]
        return {
            name: after[:, start:end].reshape(w.shape)
            for (name, w), start, end in zip(weights.items(), starts, ends, strict=True)
        }

    def _after(self, w: Array, g: Array) -> Array:
        steps = range(self._taken + 1, self._taken + 1 + len(w))
        after, state = self._step(self.numbers, self._given, Taped(w, self.numbers), Taped(g, self.numbers), self._state, steps)
        self._taken += len(w)
        self._state = {name: Taped(each.value[-1:], self.numbers) for name, each in state.items()}
        return after.value
