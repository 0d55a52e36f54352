"""The contract of backends/base.py, clause by clause."""

import dataclasses
import operator

import numpy as np
import pytest

from backends.base import (
    ALL_OPERATIONS,
    AT_ZERO,
    CLAUSES,
    CONVENTIONS,
    DTYPES,
    FUNCTIONS,
    MATMUL,
    OBJECTIVES,
    PARTS,
    SCALARS_KEEP_DTYPE,
    Optimizer,
)
from backends.process import Failed
from cases import nand, thermometer
from oracle.verdict import CONFORMS, DEVIATES, UNINFORMATIVE, UNSUPPORTED, Judgement, digest
from tests import losses
from tests.subject import training

DTYPES_BY_WIDTH = ("float64", "float32", "float16")
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def clause(holds, message, evidence=()):
    """Return the judgement of a clause; ``evidence`` are the arrays that it rests on."""
    bits = digest(evidence) if evidence else ""
    return Judgement(CONFORMS, bits=bits) if holds else Judgement(DEVIATES, message, bits=bits)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.quantity("repeatable")
def test_called_twice(subject, case):
    """The same tensors give the same bits twice, and are afterwards, and after training, what they were before."""
    rate = case.rate if case.steps else 0.0
    (first, second), after = subject.call("gradients_twice", case.loss, subject.params, subject.data, rate)
    flat = [{"loss": value} | gradient for value, gradient in (first, second)]
    changed = [name for name in flat[0] if not same_bits(flat[0][name], flat[1][name])]
    before = {f"params[{name!r}]": array for name, array in subject.params.items()}
    before |= {f"data[{name!r}]": array for name, array in subject.data.items()}
    written = [name for name in before if not same_bits(before[name], after[name])]
    subject.conclude(
        {
            "repeatable": clause(
                not changed,
                f"a second call from the same tensors gives other bits in {changed}",
                [array for results in flat for array in results.values()],
            ),
            "inputs untouched": clause(
                not written, f"evaluating the gradient, or training, has changed {written}", list(after.values())
            ),
        }
    )


@pytest.mark.quantity("round trip")
def test_round_trip(subject):
    """An array that becomes a tensor and an array again keeps its bits, shape and dtype, and shares no memory with either."""
    arrays = {
        "scalar": np.array(1 / 3, subject.dtype),
        "vector": np.array([-0.0, 1 / 3, np.inf], subject.dtype),
        "matrix": np.array([[1, 1e-4], [np.finfo(subject.dtype).max, -7]], subject.dtype),
        "non-contiguous": np.arange(12).reshape(3, 4).astype(subject.dtype).T[::2],
    }

    def same(ops, params, data):
        return params["x"]

    broken = [name for name, x in arrays.items() if not same_bits(x, subject.call("apply", same, {"x": x}, {}))]
    follows = subject.call("follows", arrays["vector"][:2])
    subject.conclude(
        {
            "round trip": clause(not broken, f"not what went in: {broken}"),
            "memory of its own": clause(not follows, "a tensor changes with the array that it was made from"),
        }
    )


@pytest.mark.quantity(SCALARS_KEEP_DTYPE)
def test_scalars_keep_dtype(subject):
    """A tensor of shape () and a Python number make a tensor of the same dtype."""

    def formula(ops, params, data):
        return 1 + params["x"] * 0.5

    params = {"x": np.array(1 / 3, subject.dtype)}
    value = subject.call("apply", formula, params, {})
    judged, excused = judge_twice(subject, formula, params, {}, value)
    subject.conclude({SCALARS_KEEP_DTYPE: declared_or_stale(subject, SCALARS_KEEP_DTYPE, judged, excused)})


@pytest.mark.quantity("operation")
def test_operation(subject, operation):
    """Each operation and its derivatives keep to the accuracy that the bounds grant them; what is declared is so."""
    subject.quantity = operation
    formula, loss, params, data = sweep(operation, subject.dtype, subject.lab.plan)
    lacking = {(dtype, name): reason for dtype, name, reason in subject.describe()["unsupported"]}
    if reason := lacking.get((subject.dtype, operation)):
        check_unsupported(subject, operation, reason, formula, params, data)
        return
    value = subject.call("apply", formula, params, data)
    judged, excused = judge_twice(subject, formula, params, data, value)
    _, gradient = subject.call("gradients", loss, [params], data)[0]
    derivatives = subject.oracle(loss, data).judge([params], {f"gradient {name}": [gradient[name]] for name in params})
    subject.conclude(
        {operation: declared_or_stale(subject, operation, judged, excused)}
        | {f"{name} of {operation}": judgement for name, judgement in derivatives.items()}
    )


def judge_twice(subject, formula, params, data, value):
    """Judge a value as if nothing were declared, and with what is. Functions are held to the table of their accuracy."""
    return [
        subject.oracle(formula, data, excuse=excuse, direct=True).judge([params], {"value": [value]})["value"]
        for excuse in (0.0, 1.0)
    ]


def declared_or_stale(subject, name, judged, excused):
    """A declared deviation has to deviate, and no further than declared; one that conforms is to be deleted."""
    declared = any(deviation.subject == name and subject.dtype in deviation.dtypes for deviation in subject.deviations)
    if declared and judged.verdict != DEVIATES:
        message = (
            f"{name} in {subject.dtype} conforms: delete this dtype from its Deviation in the adapter of {subject.backend}"
        )
        return Judgement(DEVIATES, message)
    return excused


@pytest.mark.quantity("size of declarations")
def test_declared_sizes_are_tight(subject):
    """Half of a declared error would not explain what is seen: a declaration excuses no more than it has to."""
    loose = []
    for deviation in subject.deviations:
        if deviation.subject in FUNCTIONS and deviation.absolute and subject.dtype in deviation.dtypes:
            formula, _, params, data = sweep(deviation.subject, subject.dtype, subject.lab.plan)
            value = subject.call("apply", formula, params, data)
            half = subject.oracle(formula, data, excuse=0.5, direct=True).judge([params], {"value": [value]})["value"]
            if half.declared or half.verdict != DEVIATES:
                loose.append(deviation.subject)
    subject.conclude({"size of declarations": clause(not loose, f"half the declared error would do for {loose}")})


def check_unsupported(subject, operation, reason, formula, params, data):
    """What is declared unsupported has to raise."""
    try:
        subject.lab.process(subject.backend).call("apply", formula, params, data)
    except Failed as error:
        subject.conclude({operation: Judgement(UNSUPPORTED, f"{reason}; it raises {error.kind}")})
    else:
        message = f"{operation} in {subject.dtype} is declared unsupported and works: delete the line in {subject.backend}"
        subject.conclude({operation: Judgement(DEVIATES, message)})


def sweep(operation, dtype, plan):
    """Return (formula, loss, params, data): ``operation`` over numbers of all sizes, and a scalar made of it."""
    random = np.random.default_rng([plan.seed, *operation.encode()])
    if operation in ARITHMETIC:
        combine, fine = ARITHMETIC[operation], float(np.array(1 / 3, dtype))
        shapes = {"a": (7, 5), "b": (5,), "c": (7, 1), "d": (1, 5), "e": (), "f": (1,)}
        x = {name: random.uniform(0.5, 2, shape) * random.choice([-1, 1], shape) for name, shape in shapes.items()}
        data = {"weight": random.uniform(0.5, 1.5, (7, 5))}

        def formula(ops, params, data):
            a, b, c, d, e, f = (params[name] for name in "abcdef")
            pairs = [combine(a, b), combine(b, a), combine(c, d), combine(d, c), combine(a, e), combine(e, a), combine(f, a)]
            # A number that no narrower dtype holds: frameworks that take scalars through float32 lose it.
            total = combine(combine(2, a), combine(a, 3)) + combine(fine, a) + 2 * combine(a, fine)
            for times, pair in enumerate(pairs, start=2):  # so that a - b and b - a do not cancel
                total = total + times * pair
            return total
    elif operation == MATMUL:
        x, data = {"x": random.normal(size=(17, 33)), "y": random.normal(size=(33, 5))}, {"weight": random.normal(size=(17, 5))}

        def formula(ops, params, data):
            return params["x"] @ params["y"]
    else:
        x = {"x": numbers(operation, dtype, random, 500 + 50 * plan.random)}
        shape = () if operation in ("sum", "mean") else x["x"].shape
        data = {"weight": random.uniform(0.5, 1.5, shape)}

        def formula(ops, params, data):
            return getattr(ops, operation)(params["x"])

    def loss(ops, params, data):
        return ops.sum(formula(ops, params, data) * data["weight"])

    params, data = ({name: np.asarray(array, dtype) for name, array in arrays.items()} for arrays in (x, data))
    return formula, loss, params, data


def numbers(operation, dtype, random, half):
    """Return arguments of all sizes that ``operation`` takes in ``dtype``."""
    reach = 0.9 * float(np.log(np.finfo(dtype).max))  # exp of this is near the largest number
    sizes = np.exp(random.uniform(-0.9 * reach, 0.0, half)) * random.choice([-1, 1], half)
    if operation in ("sum", "mean"):
        return random.normal(size=(6, 10))
    if operation == "log":
        return np.concatenate([np.exp(random.uniform(-reach, reach, half)), 1 + 0.1 * sizes])
    turn = -float(np.log(np.finfo(dtype).eps))  # where sigmoid and tanh come to their limits
    # Beyond all exponentials a function is at its limit; at the largest arguments exp and the kink of relu give no verdict.
    limits = {"exp": [0, -2 * reach], "relu": [-2 * reach, 2 * reach]}.get(operation, [0, -2 * reach, 2 * reach])
    return np.concatenate([random.uniform(-reach, reach, half), random.uniform(-turn, turn, half), sizes, limits])


@pytest.mark.quantity("kink")
def test_kink(subject):
    """At 0 and at -0 the derivative of relu is the subgradient that the backend states."""
    params = {"x": np.array([0.0, -0.0], subject.dtype)}

    def loss(ops, params, data):
        return ops.sum(ops.relu(params["x"]))

    [(_, gradient)] = subject.call("gradients", loss, [params], {})
    stated = subject.describe()["kink"]
    message = f"relu has the slopes {gradient['x'].tolist()} at 0 and -0; {stated} is stated (kink)"
    subject.conclude({"kink": clause(gradient["x"].tolist() == [stated] * 2, message, [gradient["x"]])})


@pytest.mark.quantity("numeric modes")
def test_numeric_modes(subject):
    """Precision and subnormal numbers of the dtype are, when probed, what the backend states."""
    description = subject.describe()
    modes = {name: stated for name, stated in description["numeric"].items() if name.startswith(subject.dtype)}
    probed = {name: description["probed"].get(name) for name in modes}
    off = [f"{name}: {probed[name]} found, {modes[name]} stated" for name in modes if probed[name] != modes[name]]
    judgement = clause(not off, "; ".join(off)) if modes else Judgement(UNINFORMATIVE, f"{subject.dtype} is not probed")
    subject.conclude({"numeric modes": judgement})


@pytest.mark.quantity("losses")
def test_loss_settings(subject):
    """Each loss of the framework, and its slope, are what the name of the setting promises, or what is declared instead."""
    judgements = judge_settings(subject)
    stated = {d.subject for d in subject.deviations if d.subject in OBJECTIVES and subject.dtype in d.dtypes}
    half = judge_settings(subject, excuse=0.5) if stated else {}
    for name in stated:
        shown = [quantity for quantity, judgement in judgements.items() if name in (judgement.declared or "")]
        tight = any(half[quantity].verdict == DEVIATES and not half[quantity].declared for quantity in shown)
        judgements[f"declared {name}"] = clause(shown, f"{name} conforms: delete its Deviation")
        judgements[f"size of declared {name}"] = clause(tight, f"half the declared error of {name} would do")
    subject.conclude(judgements)


def judge_settings(subject, excuse=1.0):
    """Judge every setting at outputs of all sizes, at 0 and at extremes; ``excuse`` scales what is declared."""
    judgements = {}
    instead = {d.subject for d in subject.deviations if d.instead and subject.dtype in d.dtypes}
    for name, objective, promise in subject.describe()["settings"]:
        params, data = losses.sweep(objective, subject.dtype, subject.lab.plan.seed)
        at_zero = {"z": np.zeros_like(params["z"])}
        judgements |= judge_setting(subject, name, name, objective, promise, params, data, excuse)
        judgements |= judge_setting(subject, name, AT_ZERO.format(name), objective, promise, at_zero, data, excuse)
        if name not in instead:  # what is declared to be something else is judged where that can be told
            far, (each, target) = [{"z": losses.far_out(params["z"])}], losses.alone(params, data)
            for where, points, seen in (("far out", far, data), ("one by one", each, target)):
                results = [subject.call("setting", name, point["z"], seen["y"]) for point in points]
                columns = {"value": [value for value, _ in results], "gradient z": [gradient for _, gradient in results]}
                formula = losses.formula(promise, objective)
                found = subject.oracle(formula, seen, excuse=excuse).judge(points, columns, row="example")
                judgements |= {f"{named(name, quantity)} {where}": judgement for quantity, judgement in found.items()}
    return judgements


def named(setting, quantity):
    return setting if quantity == "value" else f"slope of {setting}"


def judge_setting(subject, name, words, objective, promise, params, data, excuse):
    """Judge a setting at some outputs; ``words`` is what a deviation of it is called there."""
    value, gradient = subject.call("setting", name, params["z"], data["y"])
    declared = {d.subject: d.instead for d in subject.deviations if subject.dtype in d.dtypes and d.instead}

    def judged(meaning):
        results = {"value": [value], "gradient z": [gradient]}
        return subject.oracle(losses.formula(meaning, objective), data, excuse=excuse).judge([params], results)

    found = judged(promise)
    if words in declared and DEVIATES not in {judgement.verdict for judgement in found.values()}:
        message = f"{words} is the {promise}, as it promises: delete its Deviation in the adapter of {subject.backend}"
        return {words: Judgement(DEVIATES, message)}
    known = [meaning for meaning in losses.known(objective) if meaning != promise]
    for quantity, judgement in found.items():
        if judgement.verdict == DEVIATES and not judgement.declared:
            others = {meaning: judged(meaning)[quantity] for meaning in known}
            instead = [meaning for meaning, other in others.items() if other.verdict == CONFORMS or other.declared]
            what = f"{words} promises the {promise} of the {objective} and is the {' or '.join(instead) or 'something else'}"
            stated = next((subject for subject in (words, name) if declared.get(subject) in instead), None)
            found[quantity] = dataclasses.replace(judgement, message=f"{what}: {judgement.message}", declared=stated)
    return {named(words, quantity): judgement for quantity, judgement in found.items()}


@pytest.mark.quantity("optimizer")
def test_optimizer(subject):
    """What is declared of the framework's optimisers is so, and its Adam follows the declared convention and no other."""
    declared = [d for d in subject.deviations if subject.dtype in d.dtypes and d.through]
    if "optimizer" in subject.describe()["lacks"]:  # and raises, in every training run at that level
        message = f"declares deviations of optimisers, {declared}, and has none"
        subject.conclude({"declared of optimizers": clause(not declared, message)})
        return
    other_numbers = Optimizer("adam", 0.1, beta1=0.8, beta2=0.99, epsilon=0.01)
    coarse = dataclasses.replace(training(nand.ADAM, subject.dtype, "optimizer"), optimizer=other_numbers)
    judgements, stale, loose = {}, [], []
    for words, case, program in (
        ("sgd", thermometer.SLOW, training(thermometer.SLOW, subject.dtype, "optimizer")),
        ("adam", nand.ADAM, training(nand.ADAM, subject.dtype, "optimizer")),
        ("adam with other numbers", nand.ADAM, coarse),
    ):
        path = subject.call("path", program)
        formula = case.loss if "modules" in subject.describe()["lacks"] else case.network.loss
        judged = subject.judge_path(path, formula, program)
        judgements |= {f"{name} of {words}": judgement for name, judgement in judged.items()}
        if program is coarse:
            continue
        for deviation in declared:
            if program.optimizer.name in deviation.of:
                shown = [name for name, j in judged.items() if deviation.subject in (j.declared or "")]
                wider = dataclasses.replace(deviation, through=DTYPES_BY_WIDTH[DTYPES_BY_WIDTH.index(deviation.through) - 1])
                tighter = subject.judge_path(path, formula, program, deviations=[wider])
                stale += [f"{deviation.subject} of {words}"] if not shown else []
                loose += [f"{deviation.subject} of {words}"] if any(tighter[name].declared for name in shown) else []
    [other] = set(CONVENTIONS) - {subject.describe()["adam"]}
    wrong = subject.judge_path(path, formula, program, adam=other)["updated w"]
    told_apart = wrong.verdict == DEVIATES and not wrong.declared
    judgements["convention of adam"] = clause(told_apart, f"its Adam adds {other} as well as what is declared")
    judgements["declared of optimizers"] = clause(not stale, f"{stale} in {subject.dtype} conform: delete the Deviation")
    judgements["size of what optimizers lose"] = clause(not loose, f"a wider dtype than declared would explain {loose}")
    subject.conclude(judgements)


@pytest.mark.quantity("declarations")
def test_declarations(subject):
    """Every declared deviation and unsupported operation names things that exist."""
    settings = [name for name, *_ in subject.describe()["settings"]]
    subjects = (*ALL_OPERATIONS, *CLAUSES, *OBJECTIVES, *settings, *map(AT_ZERO.format, settings))
    named = [(deviation.subject, dtype) for deviation in subject.deviations for dtype in deviation.dtypes]
    named += [(operation, dtype) for dtype, operation, _ in subject.describe()["unsupported"]]
    named += [
        (f"absolute {d.subject}", "") for d in subject.deviations if d.absolute and d.subject not in (*FUNCTIONS, *OBJECTIVES)
    ]
    named += [(part, "") for d in subject.deviations for part in d.what if part not in PARTS]
    named += [(f"{d.through} of nothing", "") for d in subject.deviations if d.through and not (d.what and d.of)]
    unknown = [pair for pair in named if pair[0] not in subjects or pair[1] not in DTYPES]
    subject.conclude({"declarations": clause(not unknown, f"nothing is called {unknown}; known: {subjects}, {DTYPES}")})
