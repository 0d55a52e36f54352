"""What judges a backend's operations, losses, optimisers and levels, by the declarations of its adapter or by others."""

import dataclasses

import numpy as np

from backends.transport.process import BackendError, Failed
from cases import nand, thermometer
from oracle.verdict import Judgement, digest
from runner import losses
from runner.processes import training
from runner.sweeps import sweep
from vocabulary.losses import OBJECTIVES, REDUCTIONS, possible
from vocabulary.rules import Optimizer, builtin
from vocabulary.words import AT_ZERO, AUTODIFF, CONFORMS, DEVIATES, FAR_OUT, ONE_BY_ONE, SLOPE_OF, UNSUPPORTED


def clause(holds, message, evidence=()):
    """Return the judgement of a clause; ``evidence`` are the arrays that it rests on."""
    bits = digest(evidence) if evidence else ""
    return Judgement(CONFORMS, bits=bits) if holds else Judgement(DEVIATES, message, bits=bits)


def judge_value(subject, formula, params, data):
    """Return what judges a value by given deviations. Functions are held to the table of their accuracy."""
    value = subject.call("apply", formula, params, data)

    def judge(deviations):
        return subject.oracle(formula, data, deviations=deviations, direct=True).judge([params], {"value": [value]})

    return judge


def judge_scalars(subject):
    def formula(ops, params, data):
        return 1 + params["x"] * 0.5

    return judge_value(subject, formula, {"x": np.array(1 / 3, subject.dtype)}, {})


def judge_unsupported(subject, operation, reason):
    """What is declared unsupported has to raise."""
    formula, _, params, data = sweep(operation, subject.dtype, subject.lab.plan.seed, subject.lab.plan.random)
    try:
        subject.lab.call(subject.backend, "apply", formula, params, data)
    except Failed as error:
        return Judgement(UNSUPPORTED, f"{reason}; it raises {error.kind}")
    except BackendError as error:
        return Judgement(error.verdict, str(error), cause=error.cause)
    return subject.needless("unsupported", f"{operation} in {subject.dtype}", repr((subject.dtype, operation)))


def judge_settings(subject):
    """Return what judges every setting, at outputs of all sizes, at 0, far out and one by one, by given deviations."""
    found, rows = [], []
    instead = {d.subject for d in subject.deviations if d.instead and subject.dtype in d.dtypes}
    for name, objective, promise in subject.describe()["native_losses"]:
        params, data = losses.sweep(objective, subject.dtype, subject.lab.plan.seed)
        at_zero = {"z": np.zeros_like(params["z"])}
        for words, point in ((name, params), (AT_ZERO.format(name), at_zero)):
            found.append((name, words, objective, promise, point, data, subject.call("setting", name, point["z"], data["y"])))
        if name not in instead:  # what is declared to be something else is judged where that can be told
            far, (each, target) = [{"z": losses.far_out(params["z"])}], losses.alone(params, data)
            for where, points, seen in ((FAR_OUT, far, data), (ONE_BY_ONE, each, target)):
                results = [subject.call("setting", name, point["z"], seen["y"]) for point in points]
                columns = {"value": [value for value, _ in results], "gradient z": [gradient for _, gradient in results]}
                rows.append((name, where, REDUCTIONS[promise].formula(OBJECTIVES[objective]), points, seen, columns))

    def judge(deviations):
        judgements: dict[str, Judgement] = {}
        for setting in found:
            judgements |= judge_setting(subject, deviations, *setting)
        for name, where, formula, points, seen, columns in rows:
            judged = subject.oracle(formula, seen, deviations=deviations).judge(points, columns, row="example")
            judgements |= {where.format(named(name, quantity)): judgement for quantity, judgement in judged.items()}
        return judgements

    return judge


def named(setting, quantity):
    return setting if quantity == "value" else SLOPE_OF.format(setting)


def judge_setting(subject, deviations, name, words, objective, promise, params, data, got):
    """Judge a setting at some outputs; ``words`` is what a deviation of it is called there."""
    value, gradient = got
    declared = {d.subject: d.instead for d in deviations if subject.dtype in d.dtypes and d.instead}

    def judged(loss):
        results = {"value": [value], "gradient z": [gradient]}
        formula = loss.formula(OBJECTIVES[objective])
        return subject.oracle(formula, data, deviations=deviations).judge([params], results)

    found = judged(REDUCTIONS[promise])
    known = [loss for loss in possible(objective) if loss is not REDUCTIONS[promise]]
    for quantity, judgement in found.items():
        if judgement.verdict == DEVIATES and not judgement.declared:
            others = {loss: judged(loss)[quantity] for loss in known}
            instead = [loss for loss, other in others.items() if other.verdict == CONFORMS or other.declared]
            named_others = " or ".join(loss.words for loss in instead) or "something else"
            what = f"{words} promises the {promise} of the {objective} and is the {named_others}"
            stated = next((subject for subject in (words, name) if declared.get(subject) in instead), None)
            found[quantity] = dataclasses.replace(judgement, message=f"{what}: {judgement.message}", declared=stated)
    return {named(words, quantity): judgement for quantity, judgement in found.items()}


# The learning rate of runs that try an optimiser.
USUAL_RATE = 0.1


def optimizer_runs(subject):
    """Return runs that the framework's optimisers make: what messages call each, its path, formula and program."""
    plain, layered = (training(case, subject.dtype, "optimizer") for case in (thermometer.SLOW, nand.NAND))
    programs = [("sgd", thermometer.SLOW, plain)]
    for name, rule in builtin().items():
        if rule.probe:
            usual, other = Optimizer(name, USUAL_RATE), Optimizer(name, **rule.probe)
            programs.append((name, nand.NAND, dataclasses.replace(layered, optimizer=usual)))
            programs.append((f"{name} with other numbers", nand.NAND, dataclasses.replace(layered, optimizer=other)))
    return [
        (
            words,
            subject.call("path", program),
            case.loss if "modules" in subject.unsupported_levels else case.layered_loss,
            program,
        )
        for words, case, program in programs
        if program.optimizer.name in subject.describe()["rules"]
    ]


def judge_absent_rule(subject, name):
    """A rule that the framework is not stated to have an optimiser for has to raise."""
    program = dataclasses.replace(training(nand.NAND, subject.dtype, "optimizer"), optimizer=Optimizer(name, USUAL_RATE))
    try:
        subject.lab.call(subject.backend, "path", program)
    except Failed as error:
        return Judgement(UNSUPPORTED, f"{subject.absent_rule(name)}; it raises {error.kind}")
    except BackendError as error:
        return Judgement(error.verdict, str(error), cause=error.cause)
    return subject.needed("rules", f"the rule {name!r}", repr(name))


def runs_by_hand(subject):
    """Return runs whose steps are made by hand, one for each level that has them, as ``optimizer_runs`` does."""
    case, runs = thermometer.SLOW, []
    for level, formula in ((AUTODIFF, case.loss), ("modules", case.layered_loss)):
        if level not in subject.unsupported_levels:
            program = training(case, subject.dtype, level)
            runs.append((level, subject.call("path", program), formula, program))
    return runs


def judge_runs(subject, runs):
    return lambda deviations: {
        f"{name} of {words}": judgement
        for words, *run in runs
        for name, judgement in subject.judge_path(*run, deviations=deviations).items()
    }


def judge_unsupported_level(subject, level):
    """A level that is unsupported has to raise."""
    try:
        subject.lab.call(subject.backend, "path", training(nand.NAND, subject.dtype, level))
    except Failed:
        return Judgement(CONFORMS)
    except BackendError as error:
        return Judgement(error.verdict, str(error), cause=error.cause)
    return subject.needless("unsupported_levels", f"the level {level!r}", repr(level))
