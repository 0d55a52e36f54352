"""What a backend is asked to do, with numpy arrays on both sides: gradients, training runs, and what it says of itself."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from backends.base import Backend, unsupported_levels
from backends.training import Training
from vocabulary.rules import conventions_of_rules
from vocabulary.tensors import Formula, Tensor, Tensors
from vocabulary.words import AUTODIFF, FRAMEWORK, STAGES, SUITE

# Declarations whose place is looked for in the adapter; a Deviation knows its own.
PLACED = ("unsupported", "unsupported_levels", "modes", "version", "rules")
ALIGNMENT = 64  # bytes: a line of the cache, and the widest vector


@dataclasses.dataclass(frozen=True)
class TrainingPath:
    """The steps ``steps`` of a training run: losses and gradients of each, and the parameters before and after it.

    Shapes: losses (n, ...), gradients[name], before[name] and after[name] (n, ...), for n steps.
    """

    steps: np.ndarray
    losses: np.ndarray
    gradients: dict[str, np.ndarray]
    before: dict[str, np.ndarray]
    after: dict[str, np.ndarray]


class _Counted:
    """A formula that counts its calls."""

    def __init__(self, formula: Formula) -> None:
        self.formula = formula
        self.calls = 0

    def __call__(self, ops: Any, params: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> Tensor:
        self.calls += 1
        return self.formula(ops, params, data)

    def since_last(self) -> int:
        calls, self.calls = self.calls, 0
        return calls


def _stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Stack what a run returned step by step. Arrays that no array can hold together become one of objects."""
    with contextlib.suppress(TypeError, ValueError):
        return np.stack(arrays)
    unlike = np.empty(len(arrays), object)
    for step, array in enumerate(arrays):
        unlike[step] = array
    return unlike


class Engine:
    """A backend with numpy arrays on both sides. Every verdict rests on these calls."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        # Losses of outputs, by name: what is asked for again is the same formula, which a framework compiles once.
        self._losses: dict[tuple[str, ...], Formula] = {}

    def describe(self) -> dict[str, Any]:
        """Return what the report says of this backend: its declarations, as plain values, its engines and its numeric modes.

        ``engine`` is the name of the framework as the adapter states it, ``measured`` the engines that it has imported
        (backends.engines), ``modules`` the modules of the adapter's classes, ``places`` the files of the declarations that are
        not Deviations, and ``faults`` a sentence for each declaration that is refused.
        """
        from backends import engines
        from backends.declarations import belied, modules, place, read
        from backends.probes import probe
        from backends.scripts import script_of

        declared, faults = read(self.backend)
        probed = probe(self.backend)
        measured = engines()  # by now: an adapter may import its framework when it first needs it
        return {
            "name": declared.name,
            "engine": declared.name,  # which stays, whatever the adapter is called
            "version": declared.version,
            "measured": measured,
            "modules": modules(self.backend),
            "modes": declared.modes,
            "loop": SUITE if type(self.backend).train is Backend.train else FRAMEWORK,
            "unsupported": [[*key, reason] for key, reason in declared.unsupported.items()],
            "unsupported_levels": declared.unsupported_levels,
            "native_losses": [[each.name, each.objective, each.reduction] for each in declared.native_losses],
            "rules": list(declared.rules),
            "conventions": {name: declared.conventions.get(name, known[0]) for name, known in conventions_of_rules().items()},
            "slope_at_kink": declared.slope_at_kink,
            "numeric": declared.numeric,
            "deviations": [deviation.record for deviation in declared.deviations],
            "probed": probed,
            "places": {name: place(self.backend, name) for name in PLACED},
            "faults": faults or belied(self.backend, declared.name, measured),
        } | ({"script": script} if not faults and (script := script_of(self.backend)) else {})

    def apply(self, formula: Formula, params: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return formula(ops, params, data), forward only."""
        return self._out(formula(self.backend, self._in(params), self._in(data)))

    def gradients(
        self, loss: Formula, starts: list[Mapping[str, np.ndarray]], data: Mapping[str, np.ndarray]
    ) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
        """Return loss and gradient at each of ``starts``."""
        results = []
        for params in starts:
            value, gradient = self.backend.value_and_grad(loss, self._in(params), self._in(data))
            results.append((self._out(value), self._all_out(gradient, params)))
        return results

    def gradients_twice(
        self, loss: Formula, params: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray], rate: float
    ) -> tuple[list[tuple[np.ndarray, dict[str, np.ndarray]]], dict[str, np.ndarray]]:
        """Return two results from the same tensors, and those tensors read back after that and after two steps from them."""
        params_in, data_in = self._in(params), self._in(data)
        results = []
        for _ in range(2):
            value, gradient = self.backend.value_and_grad(loss, params_in, data_in)
            results.append((self._out(value), self._all_out(gradient, params)))
        if rate:
            for _ in self.backend.train(loss, params_in, [data_in, data_in], rate):
                pass
        after = {f"params[{key!r}]": self._out(tensor) for key, tensor in params_in.items()}
        after |= {f"data[{key!r}]": self._out(tensor) for key, tensor in data_in.items()}
        return results, after

    def calls(
        self, loss: Formula, points: list[Mapping[str, np.ndarray]], data: Mapping[str, np.ndarray], rate: float
    ) -> tuple[dict[str, list[int]], list[str]]:
        """Return how often Python calls ``loss`` in each computation, and the engines imported by then.

        The counts are those of a gradient at each of ``points`` and of as many training steps, by stage.
        """
        from backends import engines

        counted = _Counted(loss)
        gradients = []
        for point in points:
            self.backend.value_and_grad(counted, self._in(point), self._in(data))
            gradients.append(counted.since_last())
        run = self.backend.train(counted, self._in(points[0]), [self._in(data)] * len(points), rate)
        steps = [counted.since_last() for _ in run]
        if len(steps) != len(points):
            raise ValueError(f"{self.backend.name}: training ended after {len(steps)} of {len(points)} steps")
        return dict(zip(STAGES, (gradients, steps), strict=True)), list(engines())

    def follows(self, array: np.ndarray) -> bool:
        """Whether a tensor made from ``array`` changes when the array does."""
        array = _aligned(array)
        tensor = self.backend.tensor(array)
        before = self._out(tensor)
        array += 1
        return not np.array_equal(before, self._out(tensor))

    def path(self, training: Training) -> TrainingPath:
        """Make the whole run and return the steps that it is to keep."""
        weights = {name: np.array(start) for name, start in training.params.items()}
        wanted = set(training.keep.tolist())
        kept: list[tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]] = []
        done = 0
        for value, gradient, after in self._run(training):
            # Copied at once: frameworks that train in place hand out the same memory every step.
            if done + 1 in wanted or done in wanted:
                before, weights = weights, self._named(after, training)
                if done in wanted:
                    kept.append((self._out(value), self._named(gradient, training), before, weights))
            done += 1
        if done != training.steps:
            raise ValueError(f"{self.backend.name}: training ended after {done} of {training.steps} steps")
        losses, *arrays = zip(*kept, strict=True)
        return TrainingPath(
            training.keep,
            _stacked(losses),
            *({name: _stacked([step[name] for step in steps]) for name in training.params} for steps in arrays),
        )

    def _run(self, training: Training) -> Iterator[tuple[Tensor, Any, Any]]:
        tensor = self.backend.tensor
        if training.level == AUTODIFF:
            start, data = training.start(tensor), training.each_step(tensor)
            return self.backend.train(training.loss, start, data, training.optimizer.rate)
        return self.backend.fit(training)

    def evaluate(
        self, training: Training, predict: Formula, points: Sequence[Mapping[str, np.ndarray]], data: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return losses and scores of ``data`` at each of ``points``, by the framework's own model and loss above autodiff.

        Scores are what ``predict`` gives, or the model's outputs, before any last activation. Shapes: (n,) and
        (n, examples, units).
        """
        losses, scores = [], []
        for params in points:
            if training.level == AUTODIFF or "modules" in unsupported_levels(self.backend):
                losses.append(self.apply(training.loss, params, data))
                scores.append(self.apply(predict, params, data))
            else:
                at = dataclasses.replace(training, params=params, data=data, batches=None, steps=1)
                [(x, y)] = at.examples(self.backend.tensor)
                z = self.backend.model(at.level, at.layers)(x)
                losses.append(self._out(self.backend.objective(at.objective, at.reduction)(z, y)))
                scores.append(self._out(z))
        return np.stack(losses), np.stack(scores)

    def native_loss(self, name: str, outputs: Sequence[np.ndarray], targets: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the native loss ``name`` and its gradient for each of the outputs, by the framework's own means."""
        [native] = (each for each in self.backend.native_losses if each.name == name)
        return [self._slope((name,), native.compute, each, targets) for each in outputs]

    def objective(self, name: str, reduction: str, outputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss that the framework's training runs use and its gradient for the outputs."""
        return self._slope((name, reduction), self.backend.objective(name, reduction), outputs, targets)

    def _slope(
        self, name: tuple[str, ...], compute: Callable[[Tensor, Tensor], Tensor], outputs: np.ndarray, targets: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        def formula(ops: Any, params: Mapping[str, Tensor], data: Mapping[str, Tensor]) -> Tensor:
            return compute(params["z"], data["y"])

        loss = self._losses.setdefault(name, formula)
        value, gradient = self.backend.value_and_grad(loss, self._in({"z": outputs}), self._in({"y": targets}))
        return self._out(value), self._out(gradient["z"])

    def _named(self, tensors: Any, training: Training) -> dict[str, np.ndarray]:
        """Return parameters or gradients as arrays under the names that they have in the case."""
        if isinstance(tensors, Mapping):
            return self._all_out(dict(tensors), training.params)
        return training.packed([self._out(tensor) for tensor in tensors])

    def _in(self, arrays: Mapping[str, np.ndarray]) -> Tensors:
        return {name: self.backend.tensor(array) for name, array in arrays.items()}

    def _out(self, tensor: Tensor) -> np.ndarray:
        array = self.backend.array(tensor)
        try:
            return np.array(array)
        except TypeError as error:
            kind = type(array)
            words = f"array() of the adapter returns a {kind.__module__}.{kind.__qualname__}, where a numpy array is expected"
            raise TypeError(f"{words}: {error}") from error

    def _all_out(self, tensors: Tensors, expected: Mapping[str, Any]) -> dict[str, np.ndarray]:
        if set(tensors) != set(expected):
            raise ValueError(f"{self.backend.name} returned entries {sorted(tensors)} for parameters {sorted(expected)}")
        return {name: self._out(tensors[name]) for name in expected}


def _aligned(array: np.ndarray) -> np.ndarray:
    """Return a copy that begins at a multiple of ALIGNMENT: some frameworks keep the memory of such an array, and no other."""
    memory = np.empty(array.nbytes + ALIGNMENT, dtype=np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    copy: np.ndarray = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
