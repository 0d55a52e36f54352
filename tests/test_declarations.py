"""What an adapter declares is needed, and says no more than is so."""

import dataclasses

import pytest

from backends.declarations import OF_OPTIMIZERS
from oracle.verdict import Judgement
from runner.judging import (
    clause,
    judge_runs,
    judge_scalars,
    judge_settings,
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
def test_declarations_hold(subject):
    """Every declaration is needed, and no weaker one would do: without it, or with that one, more would deviate.

    What is declared of dtypes that the run leaves out is tested with the first dtype that it has.
    """
    plan = subject.lab.plan
    others = [level for level in subject.unsupported_levels if level != "optimizer"]  # which test_optimizer looks at
    judgements = {f"lacks {level}": judge_unsupported_level(subject, level) for level in others}
    left_out = [dtype for dtype in DTYPES if dtype not in plan.dtypes] if subject.dtype == plan.dtypes[0] else []
    for dtype in (subject.dtype, *left_out):
        there = subject.at(dtype)
        words = "" if dtype == subject.dtype else f" in {dtype}"
        for deviation in subject.deviations:
            if dtype in deviation.dtypes:
                name = f"declared {deviation.subject}{words}"
                judgement = judge_declared(there, deviation)
                if name not in judgements or judgements[name].verdict == CONFORMS:  # several may be about the same
                    judgements[name] = judgement
        for lacked, operation, reason in subject.describe()["unsupported"] if words else ():
            if lacked == dtype:
                judgement = judge_unsupported(there, operation, reason)
                holds = judgement.verdict == UNSUPPORTED
                judgements[f"unsupported {operation}{words}"] = Judgement(CONFORMS) if holds else judgement
    subject.conclude(judgements or {"declarations": Judgement(CONFORMS)})


def judge_declared(subject, deviation):
    """A declaration has to explain something that nothing else explains, and neither could a weaker one."""
    judge = judge_by(subject, deviation)
    declared = subject.deviations
    others = [other for other in declared if other != deviation]
    explained = {quantity for quantity, judgement in judge(declared).items() if not judgement.unexplained}

    def needless(deviations):
        return not any(judgement.unexplained for quantity, judgement in judge(deviations).items() if quantity in explained)

    what = f"the Deviation of {deviation.subject!r} at {deviation.place}"
    if needless(others):
        entry = f"{subject.dtype!r} from its dtypes" if len(deviation.dtypes) > 1 else "it"
        return Judgement(DEVIATES, f"{what} explains nothing in {subject.dtype} any more: delete {entry}")
    enough = [words for words, weaker in weaker_ones(deviation) if needless([*others, weaker])]
    return clause(not enough, f"{what} excuses too much in {subject.dtype}: {' and '.join(enough)} would do")


def weaker_ones(deviation):
    """Yield declarations that excuse less, in words and as they would be."""
    if deviation.absolute:
        yield f"half of absolute={deviation.absolute:g}", dataclasses.replace(deviation, absolute=deviation.absolute / 2)
    if deviation.through:
        wider = DTYPES_BY_WIDTH[DTYPES_BY_WIDTH.index(deviation.through) - 1]
        yield f"through={wider!r}", dataclasses.replace(deviation, through=wider)
    for rule in deviation.of if len(deviation.of) > 1 else ():
        rest = tuple(other for other in deviation.of if other != rule)
        yield f"of={rest}", dataclasses.replace(deviation, of=rest)
    if deviation.widens and (deviation.absolute or deviation.through):
        yield "no widens", dataclasses.replace(deviation, widens=False)


def judge_by(subject, deviation):
    """Return what judges, by given deviations, all that ``deviation`` is about."""
    if deviation.subject in OF_OPTIMIZERS:
        return judge_runs(subject, optimizer_runs(subject))
    if deviation.subject == TRAINING_DTYPE:
        return judge_runs(subject, runs_by_hand(subject))
    if deviation.subject == SCALARS_KEEP_DTYPE:
        return judge_scalars(subject)
    if deviation.subject in public():
        formula, _, params, data = sweep(deviation.subject, subject.dtype, subject.lab.plan.seed, subject.lab.plan.random)
        return judge_value(subject, formula, params, data)
    return judge_settings(subject)
