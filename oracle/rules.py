"""Published update rules of optimisers, over numbers with or without rounding.

A rule is told the parameters and gradients of consecutive steps, many at once along the first axis, and returns the
parameters after each of them. What it remembers from step to step (the moments of Adam) it works out itself from the
gradients, so that the state of no framework has to be trusted.

Source: D. P. Kingma and J. Ba, Adam: a method for stochastic optimization, ICLR 2015, algorithm 1 ("epsilon") and the
reordering of its section 2 ("epsilon hat"), which adds epsilon to the square root of the uncorrected moment.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from arithmetic.balls import Balls, balls
from arithmetic.tape import Array
from backends.base import Optimizer
from vocabulary.words import Words


class Rule(Protocol):
    """What turns the gradients ``g`` at the points ``w`` into the points after them, for the parameter ``name``."""

    def updated(self, name: str, w: Array, g: Array) -> Array: ...


class Sgd:
    """w - rate g."""

    def __init__(self, numbers: Balls, *, rate: float) -> None:
        self.numbers = numbers
        self.rate = rate

    def updated(self, name: str, w: Array, g: Array) -> Array:
        return self.numbers.updated(w, g, self.rate)


class Adam:
    """m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, and w - rate m' / (sqrt(v') + epsilon) with corrected m', v'."""

    def __init__(self, numbers: Balls, *, rate: float, beta1: float, beta2: float, epsilon: float) -> None:
        self.numbers = numbers
        self.rate = numbers.parameter(rate, "rate")
        self.beta1 = numbers.parameter(beta1, "beta1")
        self.beta2 = numbers.parameter(beta2, "beta2")
        self.epsilon = numbers.parameter(epsilon, "epsilon")
        self.moments: dict[str, tuple[int, Array, Array]] = {}

    def updated(self, name: str, w: Array, g: Array) -> Array:
        step, m, v = self.moments.get(name, (0, balls(0), balls(0)))
        after = np.empty(w.shape, dtype=object)
        for k in range(len(after)):
            # Slices keep the axis: an element of a scalar parameter would be a bare ball.
            step, gradient = step + 1, g[k : k + 1] if len(g) > 1 else g
            m = self._averaged(m, gradient, self.beta1)
            v = self._averaged(v, self.numbers.round(gradient * gradient), self.beta2)
            after[k] = self.numbers.round(w[k : k + 1] - self._change(m, v, step))[0]
        self.moments[name] = step, m, v
        return after

    def _averaged(self, mean: Array, new: Array, beta: Any) -> Array:
        """beta mean + (1 - beta) new, which some write as mean + (1 - beta) (new - mean): the ball holds both."""
        numbers, rest = self.numbers, self._one_less(beta)
        plain = numbers.round(numbers.round(beta * mean) + numbers.round(rest * new))
        if numbers.rounding is None:
            return plain
        # What the difference and its product are rounded by; the same ball, kept from growing with mean standing twice.
        return plain + numbers.slack(rest * (np.abs(new) + np.abs(mean)), 3)

    def _one_less(self, x: Any) -> Array:
        return self.numbers.round(1 - x)

    def _power(self, beta: Any, step: int) -> Array:
        # Taken to be as accurate as exp, or as the product of so many factors.
        accuracy = step + int(self.numbers.rounding.functions["exp"]) if self.numbers.rounding else 0
        power: Array = self.numbers.passed(beta, "powers") ** step
        return power + self.numbers.slack(power, accuracy)

    def _corrections(self, step: int) -> tuple[Array, Array]:
        """1 - b1^t and 1 - b2^t."""
        return self._one_less(self._power(self.beta1, step)), self._one_less(self._power(self.beta2, step))

    def _change(self, m: Array, v: Array, step: int) -> Array:
        numbers = self.numbers
        one, two = self._corrections(step)
        denominator = numbers.round(numbers.root(numbers.round(v / two)) + self.epsilon)
        return numbers.round(self.rate * numbers.round(numbers.round(m / one) / denominator))


class AdamHat(Adam):
    """The convention ``epsilon hat``: w - rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)."""

    def _change(self, m: Array, v: Array, step: int) -> Array:
        numbers = self.numbers
        one, two = self._corrections(step)
        rate = numbers.round(self.rate * numbers.round(numbers.root(two) / one))
        return numbers.round(numbers.round(rate * m) / numbers.round(numbers.root(v) + self.epsilon))


ADAMS = Words("convention of Adam", {"epsilon": Adam, "epsilon hat": AdamHat})


def rule(numbers: Balls, optimizer: Optimizer, convention: str) -> Rule:
    """Return the rule of ``optimizer``; ``convention`` says which Adam. Raises ValueError for a word that it does not know."""
    made: Rule = optimizer.passed_to(Words("rule", {"sgd": Sgd, "adam": ADAMS[convention]}), numbers)
    return made
