"""The contract: what a framework brings to be judged.

An adapter is a subclass of Backend: where the framework keeps its functions, what is an exception to that, and how its users
do three things: tensors in and out, a loss with its gradient, and, where they write one, a training loop; and, where the
framework has them, how the same training run is written with its layers, its optimisers and as a model class.
"""

from __future__ import annotations

import dataclasses
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.text import printable
from vocabulary.layers import Layer
from vocabulary.losses import LOSSES, Loss
from vocabulary.operators import named
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import DTYPES, EAGER, LEVELS, NUMERIC, STAGES

if TYPE_CHECKING:
    from backends.training import Training

Model = Any  # of the framework, called with a batch of inputs


def place_of(file: str, line: int | None = None) -> str:
    """Return ``file``, from the root of this repository where it lies in it, and the line."""
    path, root = Path(file), Path(__file__).parents[1]
    name = printable(str(path.relative_to(root) if path.is_relative_to(root) else path))
    return name if line is None else f"{name}:{line}"


def _declared_at() -> str:
    """The line of a class or module that makes a declaration, be it with the help of a function of the same file."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename in (__file__, "<string>"):  # where dataclasses write __init__
        frame = frame.f_back
    assert frame is not None
    file = frame.f_code.co_filename
    while frame.f_code.co_flags & inspect.CO_NEWLOCALS and frame.f_back and frame.f_back.f_code.co_filename == file:
        frame = frame.f_back
    return place_of(file, frame.f_lineno)


@dataclasses.dataclass(frozen=True)
class Deviation:
    """A stated way in which a framework differs from the contract, tested to differ still.

    ``subject`` is a named operation, an objective, a clause of the contract or the name of a native loss, ``dtypes``
    where it shows, ``size`` what was measured, ``link`` where upstream says so. ``absolute`` is, where an error does not
    shrink with its value, the size of that error in units roundoff, to a factor of two; ``widens`` says that results come
    in a wider dtype. ``passes_through`` is a narrower dtype, through which ``values`` pass in the optimisers of ``rules``
    (vocabulary.rules.values), or in training by hand (MASTER_WEIGHTS). ``computes`` is what a native loss computes in place of
    what it promises, a record of vocabulary/losses. A check that deviates is reported as declared
    where it uses the subject and this deviation explains its error. ``place`` is where it is declared, as file:line.
    """

    subject: str
    dtypes: tuple[str, ...]
    reason: str
    size: str
    link: str
    absolute: float = 0.0
    widens: bool = False
    passes_through: str = ""
    values: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    computes: Loss | None = None
    place: str = dataclasses.field(default_factory=_declared_at)

    @property
    def record(self) -> dict[str, Any]:
        """The deviation in plain values, as it travels and stands in the results file: of the loss, its words."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return fields | {"computes": self.computes.words if self.computes else ""}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Deviation:
        """Return the deviation whose ``record`` this is. Raises ValueError for words of no loss."""
        words = record["computes"]
        return cls(**{**record, "computes": LOSSES[words] if words else None})


@dataclasses.dataclass(frozen=True)
class NativeLoss:
    """A loss of the framework, under the name by which its users know it.

    ``objective`` is one of OBJECTIVES and ``reduction`` one of REDUCTIONS: what the name promises. ``compute`` takes outputs
    and targets. It is tested on its own. Its value and its slope where an output is exactly 0 are checks of their own, named by
    ``AT_ZERO``.
    """

    name: str
    objective: str
    reduction: str
    compute: Callable[[Tensor, Tensor], Tensor]


class Backend(ABC):
    """One framework behind tensors in and out, and a loss with its gradient. Also the ``ops`` that a formula receives.

    An adapter brings ``name``, ``tensor``, ``array`` and ``value_and_grad``. What follows from them is made here, what is
    absent is ``unsupported``, and has to raise.

    ``name`` is that of the framework, ``version`` the one of it that runs. An operation is the adapter's own attribute of that
    name, or else what one of ``namespaces`` (modules of the framework) has under the name, or under what ``names`` says that
    the framework calls it. They take and return tensors: exp, log, tanh, sigmoid (1 / (1 + exp(-x))) and relu (max(x, 0))
    elementwise; sum and mean of all elements, of shape (). Arithmetic (``+ - * / @``) is that of the framework's tensors.

    ``unsupported`` maps (dtype, operation) to the reason why an operation that is there does not work. ``unsupported_levels``
    names the reason why a level is absent; whether it is follows from the methods that the adapter has: ``model``,
    ``objective`` and ``fit`` make all levels, ``fit`` alone makes ``optimizer``. ``modes`` says how gradients and training
    steps are executed: ``eager`` if Python calls the formula each time, ``compiled`` if only the first time. ``rules`` names
    the update rules that the framework has optimisers for, ``conventions`` how it reads those that are read in several ways,
    where that is not the first of their record (vocabulary/rules). ``slope_at_kink`` is the subgradient of relu that the
    framework takes at 0, in [0, 1]. ``numeric`` says in which numeric modes it computes: what backends/probes.py has to find,
    by the names of the probes. backends/declarations.py refuses values of the wrong type.

    A word that the adapter does not know raises, whichever method it is given to: nothing is computed in its place. Words
    are best looked up in tables that see to it (Words).
    """

    name: ClassVar[str]
    namespaces: ClassVar[tuple[object, ...]] = ()
    names: ClassVar[Mapping[str, str]] = {}
    modes: ClassVar[Mapping[str, str]] = dict.fromkeys(STAGES, EAGER)
    unsupported: ClassVar[Mapping[tuple[str, str], str]] = {}
    unsupported_levels: ClassVar[Mapping[str, str]] = {}
    deviations: ClassVar[tuple[Deviation, ...]] = ()
    native_losses: ClassVar[tuple[NativeLoss, ...]] = ()
    rules: ClassVar[Collection[str]] = ()
    conventions: ClassVar[Mapping[str, str]] = {}
    slope_at_kink: ClassVar[float] = 0.0
    numeric: ClassVar[Mapping[str, str]] = NUMERIC

    @property
    def version(self) -> str:
        """The version that the report shows, unless an adapter states another.

        That of the installed framework, if ``name`` is one that the suite knows, or else that of the package which brought the
        adapter, or ``unknown`` where no package did.
        """
        from backends import FRAMEWORKS, installed_version, version_of

        return installed_version(self.name) if self.name in FRAMEWORKS else version_of(type(self).__module__)

    def __getattr__(self, name: str) -> Any:
        """Return the operation ``name`` of the framework. Raises AttributeError, which says where it was looked for."""
        if name in named():
            called = self.names.get(name, name)
            for space in self.namespaces:
                if callable(found := getattr(space, called, None)):
                    return found
        where = f"{type(self).__module__}:{type(self).__name__}"
        if name not in named():
            raise AttributeError(f"{where} has no attribute {name!r}")
        spaces = ", ".join(str(getattr(space, "__name__", space)) for space in self.namespaces)
        raise AttributeError(
            f"there is no operation {name!r}: {where} has none, and its namespaces ({spaces or 'none'}) have no {called!r}"
        )

    @abstractmethod
    def tensor(self, array: np.ndarray) -> Tensor:
        """Return a tensor with the values, shape and dtype of ``array``, sharing no memory with it."""

    @abstractmethod
    def array(self, tensor: Tensor) -> np.ndarray:
        """Return the values of ``tensor`` as a numpy array of the same shape and dtype."""

    @abstractmethod
    def value_and_grad(self, loss: Formula, params: Tensors, data: Tensors) -> tuple[Tensor, Tensors]:
        """Return loss(ops, params, data) and its gradient with respect to each parameter, by the framework's own means."""

    def train(
        self, loss: Formula, params: Tensors, batches: Iterable[Tensors], rate: float
    ) -> Iterator[tuple[Tensor, Tensors, Tensors]]:
        """Prepare gradient descent once, then make one step ``w -= rate * gradient`` for each of ``batches`` of data.

        Yields, after the step, the loss and gradient before it and the parameters after it. Here the step is made in numpy, in
        the dtype of each parameter, and tensors are made anew; an adapter defines the loop that its framework's users write.
        """
        for data in batches:
            value, gradient = self.value_and_grad(loss, params, data)
            params = {name: self._descended(w, gradient[name], rate) for name, w in params.items()}
            yield value, gradient, params

    def _descended(self, w: Tensor, gradient: Tensor, rate: float) -> Tensor:
        """w - rate * gradient, the rate rounded to the dtype of w. A gradient of a wider dtype makes w wider, to be seen.

        Where one of them is no array of floats, w stays: no step can be made, and the judge will say why.
        """
        array, slope = self.array(w), self.array(gradient)
        if not all(np.issubdtype(each.dtype, np.floating) for each in (array, slope)):
            return w
        return self.tensor(np.asarray(array - array.dtype.type(rate) * slope))

    def model(self, level: str, layers: Sequence[Layer]) -> Model:
        """Return the framework's own model of ``layers``, their start loaded, as ``level`` writes it."""
        raise NotImplementedError(f"{self.name} has no layers; a model at the level {level!r} was asked for")

    def objective(self, name: str, reduction: str) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the framework's own loss of outputs and targets, one of OBJECTIVES reduced by one of REDUCTIONS."""
        raise NotImplementedError(f"{self.name} has no losses; the {reduction!r} of {name!r} was asked for")

    def fit(self, training: Training) -> Iterator[tuple[Tensor, Any, Any]]:
        """Prepare the run in the framework's own terms, then make one step for each of its batches.

        Yields, after the step, the loss and gradient before it and the parameters after it: those of each layer in turn, in the
        order and the canonical shapes of its record, or, where the parameters of the formula were trained, under their names.
        """
        known = ", ".join(level for level in LEVELS if level not in unsupported_levels(self))
        raise NotImplementedError(f"{self.name} has no level {training.level!r}; it has: {known}")


# The levels that are made of the framework's layers.
LAYERED = ("modules", "class")


def unsupported_levels(backend: Backend, declared: Mapping[str, str] | None = None) -> dict[str, str]:
    """Map each level that ``backend`` does not have, or declares not to have, to the reason.

    ``declared`` is what it declares, once it has been read as plain values.
    """
    kind, stated = type(backend), backend.unsupported_levels if declared is None else declared
    without = [name for name in ("fit", "model", "objective") if getattr(kind, name) is getattr(Backend, name)]
    absent = LEVELS[1:] if "fit" in without else LAYERED if without else ()
    reasons = dict.fromkeys(absent, f"the adapter has no {' and no '.join(without)}") | dict(stated)
    return {level: reasons[level] for level in LEVELS if level in reasons}


OPERATORS = {"+": "__add__", "-": "__sub__", "*": "__mul__", "/": "__truediv__", "@": "__matmul__"}


def absent_operations(backend: Backend) -> dict[tuple[str, str], str]:
    """Map (dtype, operation) to where the operation was looked for, where the adapter, or its tensors, do not have it.

    What cannot be asked for is not called absent: it will fail where it is used.
    """
    absent: dict[tuple[str, str], str] = {}
    for operation in named():
        try:
            getattr(backend, operation)
        except AttributeError as error:
            absent |= {(dtype, operation): str(error) for dtype in DTYPES}
        except BaseException:  # an attribute may be a property, the adapter's own code, which may exit
            continue
    for dtype in DTYPES:
        try:
            kind = type(backend.tensor(np.ones((2, 2), dtype)))
        except BaseException:  # it need not have the dtype
            continue
        words = f"the adapter's tensors, {kind.__module__}:{kind.__qualname__}, have no"
        absent |= {(dtype, sign): f"{words} {method}" for sign, method in OPERATORS.items() if not hasattr(kind, method)}
    return absent
