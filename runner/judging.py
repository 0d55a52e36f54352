"""What judges a backend's operations, losses, optimisers and levels, by the declarations of its adapter or by others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

import numpy as np

from backends.base import Deviation
from backends.training import Training
from backends.transport.engine import TrainingPath
from backends.transport.process import BackendError, Failed
from cases import nand, thermometer
from oracle.comparison import Judgement, digest
from runner import losses
from runner.candidate import Candidate
from runner.processes import training
from runner.sweeps import sweep
from vocabulary.losses import OBJECTIVES, REDUCTIONS, Loss, possible
from vocabulary.rules import Optimizer, builtin
from vocabulary.tensors import Arrays, Formula, Ops, Tensor, TensorsOf
from vocabulary.words import AGAIN, AT_ZERO, AUTODIFF, CONFORMS, DEVIATES, FAR_OUT, ONE_BY_ONE, SLOPE_OF, UNSUPPORTED

# Judges, by given deviations, what it was made of.
Judge: TypeAlias = Callable[[Sequence[Deviation]], dict[str, Judgement]]
# What messages call a run, its path, and the formula and program that it is judged by.
Run: TypeAlias = tuple[str, TrainingPath, Formula, Training]


def clause(holds: bool, message: str, evidence: Collection[np.ndarray] = ()) -> Judgement:
    """Return the judgement of a clause; ``evidence`` are the arrays that it rests on."""
    bits = digest(evidence) if evidence else ""
    return Judgement(CONFORMS, bits=bits) if holds else Judgement(DEVIATES, message, bits=bits)


def judge_value(candidate: Candidate, formula: Formula, params: Arrays, data: Arrays) -> Judge:
    """Return what judges a value by given deviations. Functions are held to the table of their accuracy."""
    value = candidate.call("apply", formula, params, data)

    def judge(deviations: Sequence[Deviation]) -> dict[str, Judgement]:
        return candidate.oracle(formula, data, deviations=deviations, direct=True).judge([params], {"value": [value]})

    return judge


def judge_scalars(candidate: Candidate) -> Judge:
    """Return what judges 1 + x / 2 of a tensor x of shape () by given deviations."""

    def formula(ops: Ops, params: TensorsOf, data: TensorsOf) -> Tensor:
        return 1 + params["x"] * 0.5

    return judge_value(candidate, formula, {"x": np.array(1 / 3, candidate.dtype)}, {})


def judge_unsupported(candidate: Candidate, operation: str, reason: str) -> Judgement:
    """What is declared unsupported has to raise."""
    formula, _, params, data = sweep(operation, candidate.dtype, candidate.processes.plan.seed, candidate.processes.plan.random)
    try:
        candidate.processes.call(candidate.backend, "apply", formula, params, data)
    except Failed as error:
        return Judgement(UNSUPPORTED, f"{reason}; it raises {error.kind}")
    except BackendError as error:
        return Judgement(error.verdict, str(error), cause=error.cause)
    return candidate.needless("unsupported", f"{operation} in {candidate.dtype}", repr((candidate.dtype, operation)))


def judge_native_losses(candidate: Candidate) -> Judge:
    """Return what judges every native loss by given deviations: at outputs of all sizes, again, at 0, far out, one by one."""
    found, again, rows = candidate.once("native losses", lambda: _native_losses(candidate))

    def judge(deviations: Sequence[Deviation]) -> dict[str, Judgement]:
        judgements = dict(again)
        for each in found:
            judgements |= judge_native_loss(candidate, deviations, *each)
        for name, where, formula, points, seen, columns in rows:
            judged = candidate.oracle(formula, seen, deviations=deviations).judge(points, columns, row="example")
            judgements |= {where.format(named(name, quantity)): judgement for quantity, judgement in judged.items()}
        return judgements

    return judge


def _native_losses(candidate: Candidate) -> tuple[list[Any], dict[str, Judgement], list[Any]]:
    """Return what is judged of every native loss.

    That is what of it may be another loss, whether it is the same when asked again, and what is judged where it can be told.
    """
    found, again, rows = [], {}, []
    instead = {d.subject for d in candidate.deviations if d.computes and candidate.dtype in d.dtypes}
    for name, objective, reduction in candidate.describe()["native_losses"]:
        params, data = losses.sweep(objective, candidate.dtype, candidate.processes.plan.seed)
        at_zero = {"z": np.zeros_like(params["z"])}
        first, zero, second = candidate.call("native_loss", name, [params["z"], at_zero["z"], params["z"]], data["y"])
        same = all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
        message = f"asked again for the same outputs, {name} gives other bits: does it keep something of the call before?"
        again[AGAIN.format(name)] = clause(same, message, (*first, *second))
        for words, point, got in ((name, params, first), (AT_ZERO.format(name), at_zero, zero)):
            found.append((name, words, objective, reduction, point, data, got))
        if name not in instead:  # what is declared to be something else is judged where that can be told
            far, (each, target) = [{"z": losses.far_out(params["z"])}], losses.alone(params, data)
            for where, points, seen in ((FAR_OUT, far, data), (ONE_BY_ONE, each, target)):
                results = candidate.call("native_loss", name, [point["z"] for point in points], seen["y"])
                columns = {"value": [value for value, _ in results], "gradient z": [gradient for _, gradient in results]}
                rows.append((name, where, REDUCTIONS[reduction].formula(OBJECTIVES[objective]), points, seen, columns))
    return found, again, rows


def named(loss: str, quantity: str) -> str:
    """Return what the check of the value or of the slope of ``loss`` is called."""
    return loss if quantity == "value" else SLOPE_OF.format(loss)


def judge_native_loss(
    candidate: Candidate,
    deviations: Sequence[Deviation],
    name: str,
    words: str,
    objective: str,
    reduction: str,
    params: Arrays,
    data: Arrays,
    got: tuple[np.ndarray, np.ndarray],
) -> dict[str, Judgement]:
    """Judge the value and slope ``got`` of a native loss at ``params`` and ``data``.

    ``words`` is what a deviation of it is called there.
    """
    value, gradient = got
    declared = {d.subject: d.computes for d in deviations if candidate.dtype in d.dtypes and d.computes}

    def judged(loss: Loss) -> dict[str, Judgement]:
        results = {"value": [value], "gradient z": [gradient]}
        formula = loss.formula(OBJECTIVES[objective])
        return candidate.oracle(formula, data, deviations=deviations).judge([params], results)

    found = judged(REDUCTIONS[reduction])
    known = [loss for loss in possible(objective) if loss is not REDUCTIONS[reduction]]
    for quantity, judgement in found.items():
        if judgement.verdict == DEVIATES and not judgement.declared:
            others = {loss: judged(loss)[quantity] for loss in known}
            instead = [loss for loss, other in others.items() if other.verdict == CONFORMS or other.declared]
            named_others = " or ".join(loss.words for loss in instead) or "something else"
            what = f"{words} promises the {reduction} of the {objective}; it computes: {named_others}"
            stated = next((subject for subject in (words, name) if declared.get(subject) in instead), None)
            found[quantity] = dataclasses.replace(judgement, message=f"{what}: {judgement.message}", declared=stated)
    return {named(words, quantity): judgement for quantity, judgement in found.items()}


# The learning rate of runs that try an optimiser.
USUAL_RATE = 0.1
# Steps of a run that tries a rule which remembers: the oracle judges each from all before it.
FEW = 300


def optimizer_runs(candidate: Candidate) -> list[Run]:
    """Return runs that the framework's optimisers make."""
    return candidate.once("optimiser runs", lambda: _optimizer_runs(candidate))


def _optimizer_runs(candidate: Candidate) -> list[Run]:
    slow, layered = (training(case, candidate.dtype, "optimizer") for case in (thermometer.SLOW, nand.NAND))
    programs = []
    for name, rule in builtin().items():
        # Steps far smaller than the weights show whether the weights are rounded after each.
        steps = FEW if rule.state else slow.steps
        slowly = dataclasses.replace(
            slow, optimizer=Optimizer(name, slow.optimizer.hyperparameters["rate"]), steps=steps, keep=np.arange(steps)
        )
        programs.append((f"{name}, slowly" if rule.sharp else name, thermometer.SLOW, slowly))
        if rule.sharp:
            usual, other = Optimizer(name, USUAL_RATE), Optimizer(name, **rule.sharp)
            programs.append((name, nand.NAND, dataclasses.replace(layered, optimizer=usual)))
            programs.append((f"{name} with other numbers", nand.NAND, dataclasses.replace(layered, optimizer=other)))
    return [
        (
            words,
            candidate.call("path", program),
            case.loss if "modules" in candidate.unsupported_levels else case.layered_loss,
            program,
        )
        for words, case, program in programs
        if program.optimizer.name in candidate.describe()["rules"]
    ]


def judge_absent_rule(candidate: Candidate, name: str) -> Judgement:
    """A rule that the framework is not stated to have an optimiser for has to raise."""
    program = dataclasses.replace(training(nand.NAND, candidate.dtype, "optimizer"), optimizer=Optimizer(name, USUAL_RATE))
    try:
        candidate.processes.call(candidate.backend, "path", program)
    except Failed as error:
        return Judgement(UNSUPPORTED, f"{candidate.absent_rule(name)}; it raises {error.kind}")
    except BackendError as error:
        return Judgement(error.verdict, str(error), cause=error.cause)
    return candidate.needed("rules", f"the rule {name!r}", repr(name))


def runs_by_hand(candidate: Candidate) -> list[Run]:
    """Return runs whose steps are made by hand, one for each level that has them."""
    return candidate.once("runs by hand", lambda: _runs_by_hand(candidate))


def _runs_by_hand(candidate: Candidate) -> list[Run]:
    case = thermometer.SLOW
    runs: list[Run] = []
    for level, formula in ((AUTODIFF, case.loss), ("modules", case.layered_loss)):
        if level not in candidate.unsupported_levels:
            program = training(case, candidate.dtype, level)
            runs.append((level, candidate.call("path", program), formula, program))
    return runs


def judge_runs(candidate: Candidate, runs: Sequence[Run]) -> Judge:
    """Return what judges every step of ``runs`` by given deviations."""
    return lambda deviations: {
        f"{name} of {words}": judgement
        for words, path, formula, program in runs
        for name, judgement in candidate.judge_path(path, formula, program, deviations=deviations).items()
    }


def judge_unsupported_level(candidate: Candidate, level: str) -> Judgement:
    """A level that is unsupported has to raise."""
    try:
        candidate.processes.call(candidate.backend, "path", training(nand.NAND, candidate.dtype, level))
    except Failed:
        return Judgement(CONFORMS)
    except BackendError as error:
        return Judgement(error.verdict, str(error), cause=error.cause)
    return candidate.needless("unsupported_levels", f"the level {level!r}", repr(level))
