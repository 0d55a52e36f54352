"""The contract of backends/base.py, clause by clause."""

import dataclasses
import operator

import numpy as np
import pytest

from backends.base import (
    ALL_OPERATIONS,
    AT_ZERO,
    CONVENTIONS,
    DTYPES,
    FUNCTIONS,
    MATMUL,
    SCALARS_KEEP_DTYPE,
    Optimizer,
)
from backends.declarations import OF_OPTIMIZERS
from backends.process import BackendError, Failed
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
    subject.conclude({SCALARS_KEEP_DTYPE: judge_scalars(subject)(subject.deviations)["value"]})


def judge_scalars(subject):
    def formula(ops, params, data):
        return 1 + params["x"] * 0.5

    return judge_value(subject, formula, {"x": np.array(1 / 3, subject.dtype)}, {})


@pytest.mark.quantity("operation")
def test_operation(subject, operation):
    """Each operation and its derivatives keep to the accuracy that the bounds grant them; what is declared is so."""
    subject.quantity = operation
    lacking = {(dtype, name): reason for dtype, name, reason in subject.describe()["unsupported"]}
    if reason := lacking.get((subject.dtype, operation)):
        subject.conclude({operation: judge_unsupported(subject, operation, reason)})
        return
    judgements = {}
    for number, size in enumerate(SIZES.get("+" if operation in ARITHMETIC else operation, [()])):
        formula, loss, params, data = sweep(operation, subject.dtype, subject.lab.plan, size)
        what = f"{operation} {'x'.join(map(str, size))}" if number else operation
        judgements[what] = judge_value(subject, formula, params, data)(subject.deviations)["value"]
        _, gradient = subject.call("gradients", loss, [params], data)[0]
        derivatives = subject.oracle(loss, data).judge([params], {f"gradient {name}": [gradient[name]] for name in params})
        judgements |= {f"{name} of {what}": judgement for name, judgement in derivatives.items()}
    subject.conclude(judgements)


# Libraries take other ways for other sizes. Square ones, so that a transpose too many or too few is no error of shapes;
# multiples of 8, which go to wider registers; long ones, whose sums are made in parts.
SIZES = {
    "+": [(7, 5), (64, 8)],
    MATMUL: [(17, 17, 17), (16, 32, 8), (1, 129, 3), (48, 48, 48)],
    "sum": [(6, 10), (1, 1), (1, 129), (1, 1025)],
    "mean": [(6, 10), (1, 1), (1, 129), (1, 1025)],
}


@pytest.mark.quantity("non-finite numbers")
def test_non_finite_numbers(subject):
    """What is not a number stays so, in every operation, in a loss and in its gradient, and an infinity is none less."""
    x = {"x": np.array([np.nan, np.inf], subject.dtype)}
    point = {"w": x["x"], "v": np.array([1, 2], subject.dtype)}

    def loss(ops, params, data):
        return ops.sum(params["w"] * params["v"])

    limits = {"tanh": [np.nan, 1.0], "sigmoid": [np.nan, 1.0], "sum": np.nan, "mean": np.nan}
    lost = []
    for operation in (*FUNCTIONS, "relu", "sum", "mean"):
        got = subject.call("apply", One(operation), x, {})
        # Where a limit is finite, how well it is met is a matter of accuracy, judged elsewhere.
        expected = np.isfinite(limits.get(operation, [np.nan, np.inf]))
        if not np.array_equal(np.isfinite(got), expected) or not np.isnan(got).ravel()[0]:
            lost.append(f"{operation} of {x['x'].tolist()} is {got.tolist()}")
    [(value, gradient)] = subject.call("gradients", loss, [point], {})
    if not np.isnan(value) or not np.array_equal(gradient["v"], point["w"], equal_nan=True):
        lost.append(f"sum(w v) at w = {point['w'].tolist()} is {value}, with the gradient {gradient['v'].tolist()} by v")
    subject.conclude({"non-finite numbers": clause(not lost, "; ".join(lost))})


@dataclasses.dataclass(frozen=True)
class One:
    """An operation as a formula of x."""

    operation: str

    def __call__(self, ops, params, data):
        return getattr(ops, self.operation)(params["x"])


def judge_value(subject, formula, params, data):
    """Return what judges a value by given deviations. Functions are held to the table of their accuracy."""
    value = subject.call("apply", formula, params, data)

    def judge(deviations):
        return subject.oracle(formula, data, deviations=deviations, direct=True).judge([params], {"value": [value]})

    return judge


def judge_unsupported(subject, operation, reason):
    """What is declared unsupported has to raise."""
    formula, _, params, data = sweep(operation, subject.dtype, subject.lab.plan)
    try:
        subject.lab.call(subject.backend, "apply", formula, params, data)
    except Failed as error:
        return Judgement(UNSUPPORTED, f"{reason}; it raises {error.kind}")
    except BackendError as error:
        return Judgement(error.verdict, str(error), cause=error.cause)
    return subject.needless("unsupported", f"{operation} in {subject.dtype}", repr((subject.dtype, operation)))


def sweep(operation, dtype, plan, size=None):
    """Return (formula, loss, params, data): ``operation`` over numbers of all sizes, and a scalar made of it.

    ``size`` is one of SIZES, of which the first is the usual one.
    """
    size = size or SIZES.get("+" if operation in ARITHMETIC else operation, [()])[0]
    random = np.random.default_rng([plan.seed, *operation.encode()])
    if operation in ARITHMETIC:
        combine, fine = ARITHMETIC[operation], float(np.array(1 / 3, dtype))
        rows, columns = size
        shapes = {"a": (rows, columns), "b": (columns,), "c": (rows, 1), "d": (1, columns), "e": (), "f": (1,)}
        x = {name: random.uniform(0.5, 2, shape) * random.choice([-1, 1], shape) for name, shape in shapes.items()}
        data = {"weight": random.uniform(0.5, 1.5, size)}

        def formula(ops, params, data):
            a, b, c, d, e, f = (params[name] for name in "abcdef")
            pairs = [combine(a, b), combine(b, a), combine(c, d), combine(d, c), combine(a, e), combine(e, a), combine(f, a)]
            # A number that no narrower dtype holds: frameworks that take scalars through float32 lose it.
            total = combine(combine(2, a), combine(a, 3)) + combine(fine, a) + 2 * combine(a, fine)
            for times, pair in enumerate(pairs, start=2):  # so that a - b and b - a do not cancel
                total = total + times * pair
            return total
    elif operation == MATMUL:
        rows, inner, columns = size
        x = {"x": random.normal(size=(rows, inner)), "y": random.normal(size=(inner, columns))}
        data = {"weight": random.normal(size=(rows, columns))}

        def formula(ops, params, data):
            return params["x"] @ params["y"]
    else:
        half = 500 + 50 * plan.random
        x = {"x": random.normal(size=size) if size else numbers(operation, dtype, random, half)}
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
    subject.conclude(judge_settings(subject)(subject.deviations))


def judge_settings(subject):
    """Return what judges every setting, at outputs of all sizes, at 0, far out and one by one, by given deviations."""
    found, rows = [], []
    instead = {d.subject for d in subject.deviations if d.instead and subject.dtype in d.dtypes}
    for name, objective, promise in subject.describe()["settings"]:
        params, data = losses.sweep(objective, subject.dtype, subject.lab.plan.seed)
        at_zero = {"z": np.zeros_like(params["z"])}
        for words, point in ((name, params), (AT_ZERO.format(name), at_zero)):
            found.append((name, words, objective, promise, point, data, subject.call("setting", name, point["z"], data["y"])))
        if name not in instead:  # what is declared to be something else is judged where that can be told
            far, (each, target) = [{"z": losses.far_out(params["z"])}], losses.alone(params, data)
            for where, points, seen in (("far out", far, data), ("one by one", each, target)):
                results = [subject.call("setting", name, point["z"], seen["y"]) for point in points]
                columns = {"value": [value for value, _ in results], "gradient z": [gradient for _, gradient in results]}
                rows.append((name, where, losses.formula(promise, objective), points, seen, columns))

    def judge(deviations):
        judgements = {}
        for setting in found:
            judgements |= judge_setting(subject, deviations, *setting)
        for name, where, formula, points, seen, columns in rows:
            judged = subject.oracle(formula, seen, deviations=deviations).judge(points, columns, row="example")
            judgements |= {f"{named(name, quantity)} {where}": judgement for quantity, judgement in judged.items()}
        return judgements

    return judge


def named(setting, quantity):
    return setting if quantity == "value" else f"slope of {setting}"


def judge_setting(subject, deviations, name, words, objective, promise, params, data, got):
    """Judge a setting at some outputs; ``words`` is what a deviation of it is called there."""
    value, gradient = got
    declared = {d.subject: d.instead for d in deviations if subject.dtype in d.dtypes and d.instead}

    def judged(meaning):
        results = {"value": [value], "gradient z": [gradient]}
        return subject.oracle(losses.formula(meaning, objective), data, deviations=deviations).judge([params], results)

    found = judged(promise)
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
    """The framework's optimisers keep to their rules, and its Adam follows the declared convention and no other."""
    if "optimizer" in subject.describe()["lacks"]:
        subject.conclude({"lacks optimizer": judge_lacking(subject, "optimizer")})
        return
    runs = optimizer_runs(subject)
    judgements = judge_optimizers(subject, runs)(subject.deviations)
    _, path, formula, program = runs[-1]
    [other] = set(CONVENTIONS) - {subject.describe()["adam"]}
    wrong = subject.judge_path(path, formula, program, adam=other)["updated w"]
    told_apart = wrong.verdict == DEVIATES and not wrong.declared
    judgements["convention of adam"] = clause(told_apart, f"its Adam adds {other} as well as what is declared")
    subject.conclude(judgements)


def optimizer_runs(subject):
    """Return runs that the framework's optimisers make: what messages call each, its path, formula and program."""
    coarse = Optimizer("adam", 0.1, beta1=0.8, beta2=0.99, epsilon=0.01)
    adam = training(nand.ADAM, subject.dtype, "optimizer")
    return [
        (
            words,
            subject.call("path", program),
            case.loss if "modules" in subject.describe()["lacks"] else case.network.loss,
            program,
        )
        for words, case, program in (
            ("sgd", thermometer.SLOW, training(thermometer.SLOW, subject.dtype, "optimizer")),
            ("adam", nand.ADAM, adam),
            ("adam with other numbers", nand.ADAM, dataclasses.replace(adam, optimizer=coarse)),
        )
    ]


def judge_optimizers(subject, runs):
    return lambda deviations: {
        f"{name} of {words}": judgement
        for words, *run in runs
        for name, judgement in subject.judge_path(*run, deviations=deviations).items()
    }


def judge_lacking(subject, level):
    """A level that is declared to be lacking has to raise."""
    try:
        subject.lab.call(subject.backend, "path", training(nand.NAND, subject.dtype, level))
    except Failed:
        return Judgement(CONFORMS)
    except BackendError as error:
        return Judgement(error.verdict, str(error), cause=error.cause)
    return subject.needless("lacks", f"the level {level!r}", repr(level))


@pytest.mark.quantity("declarations")
def test_declarations_hold(subject):
    """Every declaration is needed, and no weaker one would do: without it, or with that one, more would deviate.

    What is declared of dtypes that the run leaves out is tested with the first dtype that it has.
    """
    plan = subject.lab.plan
    others = [level for level in subject.describe()["lacks"] if level != "optimizer"]  # which test_optimizer looks at
    judgements = {f"lacks {level}": judge_lacking(subject, level) for level in others}
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
    explained = {quantity for quantity, judgement in judge(declared).items() if not leaves(judgement)}

    def needless(deviations):
        return not any(leaves(judgement) for quantity, judgement in judge(deviations).items() if quantity in explained)

    what = f"the Deviation of {deviation.subject!r} at {deviation.place}"
    if needless(others):
        entry = f"{subject.dtype!r} from its dtypes" if len(deviation.dtypes) > 1 else "it"
        return Judgement(DEVIATES, f"{what} explains nothing in {subject.dtype} any more: delete {entry}")
    enough = [words for words, weaker in weaker_ones(deviation) if needless([*others, weaker])]
    return clause(not enough, f"{what} excuses too much in {subject.dtype}: {' and '.join(enough)} would do")


def leaves(judgement):
    """Whether a judgement is a deviation that no declaration explains."""
    return judgement.verdict == DEVIATES and not judgement.declared


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
        return judge_optimizers(subject, optimizer_runs(subject))
    if deviation.subject == SCALARS_KEEP_DTYPE:
        return judge_scalars(subject)
    if deviation.subject in ALL_OPERATIONS:
        formula, _, params, data = sweep(deviation.subject, subject.dtype, subject.lab.plan)
        return judge_value(subject, formula, params, data)
    return judge_settings(subject)
