"""What an adapter declares is needed, and says no more than is so."""

import dataclasses

import pytest

from backends.declarations import OF_OPTIMIZERS
from oracle.comparison import Judgement
from runner.judging import (
    clause,
    judge_native_losses,
    judge_runs,
    judge_scalars,
    judge_unsupported,
    judge_unsupported_level,
    judge_value,
    optimizer_runs,
    runs_by_hand,
)
from runner.sweeps import sweep
from vocabulary.operators import public
from vocabulary.words import CONFORMS, DEVIATES, DTYPES, SCALARS_KEEP_DTYPE, TRAINING_DTYPE, UNSUPPORTED

DTYPES_BY_WIDTH = ("float64", "float32", "float16")


@pytest.mark.quantity("declarations")
def test_declarations_hold(candidate):
    """Every declaration is needed, and no weaker one would do: without it, or with that one, more would deviate.

    What is declared of dtypes that the run leaves out is tested with the first dtype that it has.
    """
    plan = candidate.processes.plan
    others = [level for level in candidate.unsupported_levels if level != "optimizer"]  # which test_optimizer looks at
    judgements = {f"lacks {level}": judge_unsupported_level(candidate, level) for level in others}
    left_out = [dtype for dtype in DTYPES if dtype not in plan.dtypes] if candidate.dtype == plan.dtypes[0] else []
    for dtype in (candidate.dtype, *left_out):
        there = candidate.at(dtype)
        words = "" if dtype == candidate.dtype else f" in {dtype}"
        for deviation in candidate.deviations:
            if dtype in deviation.dtypes:
                name = f"declared {deviation.subject}{words}"
                judgement = judge_declared(there, deviation)
                if name not in judgements or judgements[name].verdict == CONFORMS:  # several may be about the same
                    judgements[name] = judgement
        for lacked, operation, reason in candidate.describe()["unsupported"] if words else ():
            if lacked == dtype:
                judgement = judge_unsupported(there, operation, reason)
                holds = judgement.verdict == UNSUPPORTED
                judgements[f"unsupported {operation}{words}"] = Judgement(CONFORMS) if holds else judgement
    candidate.conclude(judgements or {"declarations": Judgement(CONFORMS)})


def judge_declared(candidate, deviation):
    """A declaration has to explain something that nothing else explains, and neither could a weaker one."""
    judge = judge_by(candidate, deviation)
    declared = candidate.deviations
    others = [other for other in declared if other != deviation]
    explained = {quantity for quantity, judgement in judge(declared).items() if not judgement.unexplained}

    def needless(deviations):
        return not any(judgement.unexplained for quantity, judgement in judge(deviations).items() if quantity in explained)

    what = f"the Deviation of {deviation.subject!r} at {deviation.place}"
    if needless(others):
        entry = f"{candidate.dtype!r} from its dtypes" if len(deviation.dtypes) > 1 else "it"
        return Judgement(DEVIATES, f"{what} explains nothing in {candidate.dtype} any more: delete {entry}")
    enough = [words for words, weaker in weaker_ones(deviation) if needless([*others, weaker])]
    return clause(not enough, f"{what} excuses too much in {candidate.dtype}: {' and '.join(enough)} would do")


def weaker_ones(deviation):
    """Yield declarations that excuse less, in words and as they would be."""
    if deviation.absolute:
        yield f"half of absolute={deviation.absolute:g}", dataclasses.replace(deviation, absolute=deviation.absolute / 2)
    if deviation.passes_through:
        wider = DTYPES_BY_WIDTH[DTYPES_BY_WIDTH.index(deviation.passes_through) - 1]
        yield f"passes_through={wider!r}", dataclasses.replace(deviation, passes_through=wider)
    for rule in deviation.rules if len(deviation.rules) > 1 else ():
        rest = tuple(other for other in deviation.rules if other != rule)
        yield f"rules={rest}", dataclasses.replace(deviation, rules=rest)
    if deviation.widens and (deviation.absolute or deviation.passes_through):
        yield "no widens", dataclasses.replace(deviation, widens=False)


def judge_by(candidate, deviation):
    """Return what judges, by given deviations, all that ``deviation`` is about."""
    if deviation.subject in OF_OPTIMIZERS:
        return judge_runs(candidate, optimizer_runs(candidate))
    if deviation.subject == TRAINING_DTYPE:
        return judge_runs(candidate, runs_by_hand(candidate))
    if deviation.subject == SCALARS_KEEP_DTYPE:
        return judge_scalars(candidate)
    if deviation.subject in public():
        formula, _, params, data = sweep(
            deviation.subject, candidate.dtype, candidate.processes.plan.seed, candidate.processes.plan.random
        )
        return judge_value(candidate, formula, params, data)
    return judge_native_losses(candidate)
