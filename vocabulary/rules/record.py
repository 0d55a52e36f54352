"""What a record of an update rule holds."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vocabulary.tensors import Ops, Tensor
from vocabulary.words import unknown

State = Mapping[str, Tensor]
# step(ops, hyperparameters, w, g, state, steps) -> w after each of the consecutive steps, state after each. A row of w and g
# belongs to a step, and the state is that before the first; steps are counted from 1.
Step = Callable[[Ops, Mapping[str, Tensor], Tensor, Tensor, State, Sequence[int]], tuple[Tensor, State]]


@dataclasses.dataclass(frozen=True)
class Rule:
    """An update rule: what it is told, what it remembers, and how it steps.

    ``hyperparameters`` maps each to its default, None where it has to be given. ``state`` names what is remembered of each
    parameter, zero at the start. ``conventions`` maps the published readings of the rule, the first published first, to their
    steps: a framework follows exactly one. A rule that is read in one way calls it ``""``. Steps are written in tensors of the
    numbers that judge: every operation rounds. ``by_hand`` says that the step is also written by hand, where a level has no
    optimiser. ``values`` are what may pass through a narrower dtype in a framework, beside the hyperparameters. ``sharp`` are
    hyperparameters of many digits, to test frameworks with: who passes them on as text loses some. Conventions are told apart
    by them.
    """

    name: str
    hyperparameters: Mapping[str, float | None]
    conventions: Mapping[str, Step]
    state: tuple[str, ...] = ()
    by_hand: bool = False
    values: tuple[str, ...] = ("weights",)
    sharp: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.conventions) > 1 and not self.sharp:
            raise ValueError(f"the rule {self.name!r} has conventions, and no `sharp` hyperparameters to tell them apart by")

    def step(self, conventions: Mapping[str, str]) -> Step:
        """Return the step as ``conventions`` read this rule, by its name, or as it was published first.

        Raises ValueError for a convention that is not known.
        """
        convention = conventions.get(self.name, next(iter(self.conventions)))
        if convention not in self.conventions:
            raise unknown(f"convention of {self.name}:", convention, self.conventions)
        return self.conventions[convention]


@dataclasses.dataclass(frozen=True, init=False)
class Optimizer:
    """An update rule by its name, with its learning rate and its other hyperparameters: ``Optimizer("adam", 0.1, beta1=0.8)``.

    The words are checked where they are used and not here, so that tests can give unknown ones to each adapter and the oracle.
    """

    name: str
    rate: float
    others: Mapping[str, float]

    def __init__(self, name: str, rate: float, **others: float) -> None:
        for field, value in (("name", name), ("rate", rate), ("others", others)):
            object.__setattr__(self, field, value)

    @property
    def rule(self) -> Rule:
        """The record of the rule. Raises ValueError where there is none."""
        from vocabulary.rules import builtin  # which imports this

        return builtin()[self.name]

    @property
    def hyperparameters(self) -> dict[str, float]:
        """The hyperparameters of the rule. Raises ValueError where another one is set, or one has no value."""
        defaults = self.rule.hyperparameters
        given = {"rate": self.rate, **self.others}
        for name in given:
            if name not in defaults:
                raise unknown(f"hyperparameter of {self.name}:", name, defaults)
        values = {name: given.get(name, default) for name, default in defaults.items()}
        if missing := [name for name, value in values.items() if value is None]:
            raise ValueError(f"{self.name} needs a value for {', '.join(missing)}")
        return {name: float(value) for name, value in values.items() if value is not None}

    def __getattr__(self, name: str) -> float:
        """A hyperparameter: ``optimizer.beta1``."""
        if name.startswith("__") or not vars(self):  # as copy and pickle ask for
            raise AttributeError(name)
        if name not in self.hyperparameters:
            raise AttributeError(f"{self.name} has no hyperparameter {name!r}; it has {', '.join(self.hyperparameters)}")
        return self.hyperparameters[name]

    def passed_to(self, makers: Mapping[str, Any], *arguments: Any) -> Any:
        """Return what ``makers[name]`` makes of ``arguments`` and of the hyperparameters, which it takes by keyword alone.

        Raises ValueError for a rule that is not among ``makers``, and for a hyperparameter that its maker does not take.
        """
        make = makers[self.name]
        taken = [each.name for each in inspect.signature(make).parameters.values() if each.kind is each.KEYWORD_ONLY]
        for name in self.hyperparameters:
            if name not in taken:
                raise unknown(f"hyperparameter of {self.name}:", name, taken)
        return make(*arguments, **self.hyperparameters)
