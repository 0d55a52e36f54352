"""What a record of an operator holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from vocabulary.tensors import Ops, Tensor

if TYPE_CHECKING:  # the report, which reads rules, runs without numpy
    import numpy as np

# form(ops, *operands, *arguments), in arithmetic, sums and the other operators. Arguments are no tensors, an axis for instance.
Form = Callable[..., Tensor]
# Stands for every number that is finite, in limits.
FINITE = 0.0


@dataclasses.dataclass(frozen=True)
class Forms:
    """One quantity and the forms in which frameworks compute it.

    The definition at many bits is the truth. The ball of the quantity is the union of the balls of all forms that are
    ``computed``; where the ball of one of them holds those of the others, ``widest`` names it, and it alone is evaluated.
    Floats compute the first. A form may return None: it is then no other form of these operands.
    """

    definition: Form
    computed: tuple[Form, ...]
    widest: Form | None = None

    def __call__(self, ops: Ops, *operands: Tensor) -> Tensor:
        return ops.computed(self, operands, ())

    @property
    def bounding(self) -> tuple[Form, ...]:
        """The forms whose balls are united."""
        return self.computed if self.widest is None else (self.widest,)


def forms(definition: Form, *others: Form, widest: Form | None = None) -> Forms:
    """Return a quantity whose ``definition`` frameworks compute too, and its ``others`` forms."""
    return Forms(definition, (definition, *others), widest)


@dataclasses.dataclass(frozen=True)
class Operator:
    """A named operation, all that is known of it.

    ``value`` holds its definition and its other forms. Its derivative comes from the tape, form by form, unless ``adjoints``
    are written by hand for a ``reason``: ``adjoints[i](ops, g, *operands, result)`` is what operand i gets of the adjoint g of
    the result, None for an operand that is constant. ``other_adjoints`` holds, operand by operand, forms that frameworks have
    beside those of the tape. ``public`` operators are those of formulas, which adapters look up by ``name``; others are parts
    of losses. ``rests_on`` names operators and losses whose declared deviations are its own, too.

    What a sweep asks for: ``sizes`` of the operands, the usual ones first, drawn by ``operands(random, dtype, size, half)``,
    with ``half`` of the numbers of each kind where the operator takes each number by itself. After them stand arguments that
    are no tensors, ``arguments[k]`` for a sweep of ``sizes[k]``, and the last of these for further sizes.
    ``limits[x]`` is what an entry x that is not finite may become, where that is not x; FINITE stands for a finite number.
    ``kinks`` maps points without a derivative to the smallest and largest subgradient there.
    """

    name: str
    value: Forms
    adjoints: tuple[Form | None, ...] = ()
    other_adjoints: tuple[Forms | None, ...] = ()
    reason: str = ""
    public: bool = True
    rests_on: tuple[str, ...] = ()
    infix: bool = False
    elementwise: bool = False
    sizes: tuple[tuple[int, ...], ...] = ((),)
    operands: Callable[..., dict[str, np.ndarray]] | None = None
    arguments: tuple[tuple[Any, ...], ...] = ((),)
    limits: Mapping[float, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    kinks: Mapping[float, tuple[float, float]] = dataclasses.field(default_factory=dict)

    def arguments_of(self, size: tuple[int, ...]) -> tuple[Any, ...]:
        """Return the arguments of the sweep of ``size``."""
        return self.arguments[min(self.sizes.index(size), len(self.arguments) - 1)]

    def drawn(self, random: np.random.Generator, dtype: str, size: tuple[int, ...], half: int) -> dict[str, np.ndarray]:
        """Return operands for a sweep, by name and in their order."""
        if self.operands is None:
            raise ValueError(f"the operator {self.name!r} draws no operands; give its record some")
        return self.operands(random, dtype, size, half)


def operator(*others: Form, widest: Form | None = None, defined_only: bool = False, **facts: Any) -> Callable[[Form], Operator]:
    """Make an operator of a function, its definition, which frameworks compute unless it is ``defined_only``."""

    def made(definition: Form) -> Operator:
        computed = others if defined_only else (definition, *others)
        return Operator(**{"name": definition.__name__, "value": Forms(definition, computed, widest), **facts})

    return made
