"""The contract of backends/base.py, clause by clause."""

import numpy as np
import pytest

from arithmetic.floats import Floats
from backends import is_installed
from backends.training import Training
from backends.transport.process import Failed
from cases import Dense, Network
from oracle.comparison import Judgement
from oracle.graph import evaluated
from runner.formulas import NOWHERE, WORDS, Applied, Asking, Weighted
from runner.judging import (
    clause,
    judge_absent_rule,
    judge_native_losses,
    judge_runs,
    judge_scalars,
    judge_unsupported,
    judge_unsupported_level,
    judge_value,
    optimizer_runs,
)
from runner.sweeps import is_arithmetic, pairs, sweep
from vocabulary.operators import named, public
from vocabulary.operators.record import FINITE
from vocabulary.rules import Optimizer, builtin, conventions_of_rules
from vocabulary.words import (
    COMPILED,
    DEVIATES,
    EAGER,
    LEVELS,
    NUMERIC_BY,
    SCALARS_KEEP_DTYPE,
    UNINFORMATIVE,
    UNKNOWN,
    UNSUPPORTED,
)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def others(results, changed):
    """Say what a second call gave otherwise, and where first."""
    first, second = (result[changed[0]] for result in results)
    words = f"a second call from the same tensors gives other bits in {changed}"
    if first.shape != second.shape:
        return f"{words}: shape {second.shape}, and before {first.shape}"
    entry = next(k for k in np.ndindex(first.shape) if not same_bits(first[k], second[k]))
    place = f"{changed[0]}{[*entry]}" if entry else changed[0]
    return f"{words}: {place} was {first[entry].item()!r}, and then {second[entry].item()!r}"


@pytest.mark.quantity("repeatable")
def test_called_twice(candidate, case):
    """The same tensors give the same bits twice, and are afterwards, and after training, what they were before."""
    rate = case.rate if case.steps else 0.0
    (first, second), after = candidate.call("gradients_twice", case.loss, candidate.params, candidate.data, rate)
    flat = [{"loss": value} | gradient for value, gradient in (first, second)]
    changed = [name for name in flat[0] if not same_bits(flat[0][name], flat[1][name])]
    before = {f"params[{name!r}]": array for name, array in candidate.params.items()}
    before |= {f"data[{name!r}]": array for name, array in candidate.data.items()}
    written = [name for name in before if not same_bits(before[name], after[name])]
    candidate.conclude(
        {
            "repeatable": clause(
                not changed,
                changed
                and f"{others(flat, changed)}; does the adapter add to the gradient of the call before, or change what "
                "it is given?",
                [array for results in flat for array in results.values()],
            ),
            "inputs untouched": clause(
                not written, f"evaluating the gradient, or training, has changed {written}", list(after.values())
            ),
        }
    )


@pytest.mark.quantity("round trip")
def test_round_trip(candidate):
    """An array that becomes a tensor and an array again keeps its bits, shape and dtype, and shares no memory with either."""
    arrays = {
        "scalar": np.array(1 / 3, candidate.dtype),
        "vector": np.array([-0.0, 1 / 3, np.inf], candidate.dtype),
        "matrix": np.array([[1, 1e-4], [np.finfo(candidate.dtype).max, -7]], candidate.dtype),
        "non-contiguous": np.arange(12).reshape(3, 4).astype(candidate.dtype).T[::2],
    }

    def same(ops, params, data):
        return params["x"]

    broken = [name for name, x in arrays.items() if not same_bits(x, candidate.call("apply", same, {"x": x}, {}))]
    follows = candidate.call("follows", arrays["vector"][:2])
    candidate.conclude(
        {
            "round trip": clause(not broken, f"these come back with other bits, another shape or dtype: {broken}"),
            "memory of its own": clause(not follows, "a tensor changes with the array that it was made from"),
        }
    )


@pytest.mark.quantity(SCALARS_KEEP_DTYPE)
def test_scalars_keep_dtype(candidate):
    """A tensor of shape () and a Python number make a tensor of the same dtype."""
    candidate.conclude({SCALARS_KEEP_DTYPE: judge_scalars(candidate)(candidate.deviations)["value"]})


@pytest.mark.quantity("operation")
def test_operation(candidate, operation):
    """Each operation and its derivatives keep to the accuracy that the bounds grant them; what is declared is so."""
    candidate.quantity = operation
    if reason := candidate.unsupported.get(operation):
        candidate.conclude({operation: judge_unsupported(candidate, operation, reason)})
        return
    judgements, plan = {}, candidate.processes.plan
    for number, size in enumerate(public()[operation].sizes):
        formula, loss, params, data = sweep(operation, candidate.dtype, plan.seed, plan.random, size)
        what = f"{operation} {'x'.join(map(str, size))}" if number else operation
        judgements[what] = judge_value(candidate, formula, params, data)(candidate.deviations)["value"]
        if reason := candidate.absent(loss, params, data):  # as the sum, which makes one number of all
            judgements[f"derivatives of {what}"] = Judgement(UNSUPPORTED, reason)
            continue
        _, gradient = candidate.call("gradients", loss, [params], data)[0]
        derivatives = candidate.oracle(loss, data).judge([params], {f"gradient {name}": [gradient[name]] for name in params})
        judgements |= {f"{name} of {what}": judgement for name, judgement in derivatives.items()}
    if is_arithmetic(operation):
        formula, params = pairs(operation, candidate.dtype, plan.seed, plan.random)
        judgements[f"{operation} alone"] = judge_value(candidate, formula, params, {})(candidate.deviations)["value"]
    candidate.conclude(judgements)


@pytest.mark.quantity("non-finite numbers")
def test_non_finite_numbers(candidate):
    """NaN and infinities survive every operation, a loss and its gradient, and come where the exact result has one.

    One of them at a time: in forward mode the other directions multiply it by zero, which rightly gives NaN.
    """
    lost = []
    for number in (np.nan, np.inf, -np.inf):
        lost += not_kept(candidate, number)
    lost += not_reached(candidate)
    message = "; ".join((*lost, "look for what replaces such numbers: nan_to_num, fmax, a mask"))
    candidate.conclude({"non-finite numbers": clause(not lost, message)})


def not_kept(candidate, number):
    """Return a sentence for each operation, loss and gradient that loses ``number``, which is not finite."""

    def loss(ops, params, data):
        return ops.sum(params["w"] * params["v"])

    lost = []
    x = {"x": np.array([number, 0.5], candidate.dtype)}
    for operation, record in public().items():
        names = ("a", "b") if record.infix else operands_of(record)
        if operation in candidate.unsupported or (len(names) > 1 and not record.infix and not np.isnan(number)):
            continue
        formula = Applied(operation, names, record.arguments[0])
        for name in names:
            given = {other: np.array([0.5, 2], candidate.dtype) for other in names} | {name: x["x"]}
            if operation == "@":
                given = {other: np.stack([array, array[::-1]]) for other, array in given.items()}
            got = candidate.call("apply", formula, given, {})
            if record.infix:
                expected = by_numpy(formula, given)
            else:  # where a limit is finite, how well it is met is a matter of accuracy, judged elsewhere
                limits = record.limits.get(number, (number,))
                expected = [[limit, FINITE] if record.elementwise else limit for limit in limits]
            if not is_one_of(got, expected):
                kept = " or ".join(str(limit).replace(str(FINITE), "a finite number") for limit in expected)
                operands = ", ".join(str(array.tolist()) for array in given.values())
                lost.append(f"{operation} of {operands}: got {got.tolist()}, expected {kept}")
    point = {"w": x["x"], "v": np.array([1, 2], candidate.dtype)}
    if candidate.absent(loss, point, {}):
        return lost
    [(value, gradient)] = candidate.call("gradients", loss, [point], {})
    if not is_one_of(value.ravel()[:1], [[total] for total in summed(number)]):
        lost.append(f"sum(w v) at w = {point['w'].tolist()}: got {value.tolist()}, expected {number}")
    if not is_one_of(gradient["v"].ravel()[:1], [[number]]):
        lost.append(
            f"the gradient of sum(w v) with respect to v at w = {point['w'].tolist()}: got {gradient['v'].tolist()}, "
            f"expected {number} in its place"
        )
    return lost


def operands_of(record):
    """Return the names of the operands of an operator."""
    return tuple(record.drawn(np.random.default_rng(0), "float64", record.sizes[0], 1))


def by_numpy(formula, given):
    """Return what may become of an operation of arithmetic, as IEEE 754 has it: a sum of an infinity may also be NaN."""
    got = np.asarray(evaluated(Floats(), formula, given, {}).value)
    expected = np.where(np.isfinite(got), FINITE, got)
    return [expected, np.where(np.isinf(got), np.nan, expected)] if got.ndim > 1 else [expected]


def not_reached(candidate):
    """Return a sentence for each finite number whose infinite result is lost."""
    lost = []
    for words, formula, number, expected in (
        ("exp(x)", Applied("exp"), 1e4, np.inf),
        ("log(x)", Applied("log"), 0, -np.inf),
        ("1 / x", lambda ops, params, data: 1 / params["x"], 0, np.inf),
        ("x * x", lambda ops, params, data: params["x"] * params["x"], np.finfo(candidate.dtype).max, np.inf),
    ):
        x = np.array([number, 0.5], candidate.dtype)
        if candidate.absent(formula, {"x": x}, {}):
            continue
        got = candidate.call("apply", formula, {"x": x}, {})
        if not is_one_of(got, [[expected, FINITE]]):
            lost.append(f"{words} of {x.tolist()}: got {got.tolist()}, expected {expected}")
    return lost


def summed(number):
    """Return what a sum with ``number`` may be: with an infinity also NaN, which a compensated sum makes of inf - inf."""
    return {number, np.nan} if np.isinf(number) else {number}


def is_one_of(got, expected):
    """Whether an array is one of those expected, its finite numbers all being the same."""
    extremes = np.where(np.isfinite(got), FINITE, got)
    return any(np.array_equal(extremes, each, equal_nan=True) for each in expected)


@pytest.mark.quantity("kink")
def test_kink(candidate):
    """At a kink, as at 0 and at -0 of relu, the derivative is the subgradient that the backend states."""
    judgements, stated = {}, candidate.describe()["slope_at_kink"]
    for operation, record in named().items():
        for kink, (least, most) in record.kinks.items():
            params = {"x": np.array([kink, -kink] if kink == 0 else [kink], candidate.dtype)}
            formula = Weighted(Applied(operation, arguments=record.arguments[0]))
            [(_, gradient)] = candidate.call("gradients", formula, [params], {"weight": np.ones_like(params["x"])})
            slopes = gradient["x"].tolist()
            message = (
                f"{operation} has the slopes {slopes} at {params['x'].tolist()}; the adapter states {stated} as its "
                f"`slope_at_kink`, and the subgradients there lie between {least} and {most}"
            )
            holds = slopes == [stated] * len(slopes) and least <= stated <= most
            judgements["kink" if not judgements else f"kink of {operation} at {kink}"] = clause(holds, message, [gradient["x"]])
    candidate.conclude(judgements)


@pytest.mark.quantity("numeric modes")
def test_numeric_modes(candidate):
    """Precision and subnormal numbers of the dtype are, when probed, what the backend states."""
    description = candidate.describe()
    modes = {name: stated for name, stated in description["numeric"].items() if name.startswith(candidate.dtype)}
    probed_by = {name: NUMERIC_BY[name.partition(" ")[2]] for name in modes}
    absent = [candidate.unsupported[operation] for operation in probed_by.values() if operation in candidate.unsupported]
    modes = {name: stated for name, stated in modes.items() if probed_by[name] not in candidate.unsupported}
    probed = {name: description["probed"].get(name) for name in modes}
    off = [f"{name}: {probed[name]} found, {modes[name]} stated" for name in modes if probed[name] != modes[name]]
    if modes:
        judgement = clause(not off, "; ".join(off))
    elif absent:
        judgement = Judgement(UNSUPPORTED, absent[0])
    else:
        judgement = Judgement(UNINFORMATIVE, f"{candidate.dtype} is not probed")
    candidate.conclude({"numeric modes": judgement})


@pytest.mark.quantity("losses")
def test_native_losses(candidate):
    """Each loss of the framework, and its slope, are what its name promises, or what is declared instead."""
    candidate.conclude(judge_native_losses(candidate)(candidate.deviations))


@pytest.mark.quantity("optimizer")
def test_optimizer(candidate):
    """The framework's optimisers keep to their rules, in the declared convention and no other."""
    if "optimizer" in candidate.unsupported_levels:
        candidate.conclude({"lacks optimizer": judge_unsupported_level(candidate, "optimizer")})
        return
    runs = optimizer_runs(candidate)
    judgements = judge_runs(candidate, runs)(candidate.deviations)
    for name, known in conventions_of_rules().items():
        if name in candidate.describe()["rules"]:
            [run] = (run for words, *run in runs if words == f"{name} with other numbers")
            judgements[f"convention of {name}"] = judge_convention(candidate, name, known, *run)
    for name in builtin():
        if name not in candidate.describe()["rules"]:
            judgements[f"optimizer {name}"] = judge_absent_rule(candidate, name)
    candidate.conclude(judgements)


def judge_convention(candidate, name, known, path, formula, program):
    """Of the conventions of a rule, the one that is declared explains a run, and no other does."""
    declared = candidate.conventions[name]
    judged = {
        other: candidate.judge_path(path, formula, program, conventions={name: other})["updated w"]
        for other in known
        if other != declared
    }
    possible = {other: wrong.verdict for other, wrong in judged.items() if wrong.verdict != DEVIATES or wrong.declared}
    message = (
        f"the adapter declares the convention {declared!r} of {name}, and the run does not rule out "
        f"{', '.join(map(repr, possible))} (judged by that: {', '.join(possible.values())}); "
        "state the convention that the framework follows in `conventions`"
    )
    return clause(not possible, message)


@pytest.mark.quantity("unknown words")
def test_unknown_words(candidate):
    """A level, activation, loss or reduction that nobody knows raises, where one that is known does not."""
    judgements = {}
    for kind, (_, known) in WORDS.items() if "modules" not in candidate.unsupported_levels else ():
        candidate.call("apply", Asking(kind, known), {}, {})
        try:
            candidate.ask("apply", Asking(kind, NOWHERE), {}, {})
            raises = False
        except Failed:
            raises = True
        message = (
            f"the adapter takes {NOWHERE!r} for a known {kind}; look the words of a case up in a table "
            "(vocabulary.words.Words), where another one raises"
        )
        judgements[f"unknown {kind}"] = clause(raises, message)
    candidate.conclude(judgements)


@pytest.mark.quantity("version")
def test_version(candidate):
    """The version that the adapter states is that of the framework which it has imported."""
    description = candidate.describe()
    engine, stated, place = (description[name] for name in ("engine", "version", "places"))
    measured = {name: version for name, version in description["measured"].items() if version}
    measured = {engine: measured[engine]} if engine in measured else measured
    installed = ", ".join(f"{name} {version}" for name, version in measured.items())
    message = (
        f"the adapter states version {stated} in {place['version']}; installed: {installed}; "
        "leave `version` to the framework, as backends/torch does"
    )
    if measured and stated == UNKNOWN:
        candidate.conclude({"version": Judgement(UNINFORMATIVE, f"the adapter states no version; installed: {installed}")})
        return
    judgement = clause(any(is_installed(stated, version) for version in measured.values()), message)
    # Of an engine of its own nothing but this is known: the report calls it stated.
    candidate.conclude({"version": judgement} if measured else {})


@pytest.mark.quantity("modes")
def test_modes(candidate):
    """Eager: each of several computations of the same shapes calls the formula. Compiled: only the first calls it."""
    points = [{"w": np.array([factor, -factor / 2], candidate.dtype)} for factor in (1, 2, 3)]

    def loss(ops, params, data):
        return ops.sum(params["w"] * data["x"])

    calls, engines = candidate.call("calls", loss, points, {"x": np.array([0.5, 4], candidate.dtype)}, 0.125)
    description = candidate.describe()
    judgements = {}
    for stage, (first, *others) in calls.items():
        found = EAGER if all(others) else COMPILED if not any(others) else "neither eager nor compiled"
        # What was compiled for the gradient may serve training too.
        if not any(map(any, calls.values())):
            found = "no mode at all: the adapter never calls the formula that it is given"
        stated, place = description["modes"][stage], description["places"]["modes"]
        message = (
            f"got {[first, *others]} calls of the formula in {1 + len(others)} computations ({stage}), which is {found}; "
            f"expected {stated!r}, as `modes` states in {place}; correct `modes`, or compute the formula that is given"
        )
        judgements[f"{stage} mode"] = clause(found == stated, message)
    # The suite itself brings its tape, with what it sends.
    late = {*engines} - {*description["measured"], "numpy"}
    message = (
        f"{', '.join(sorted(late))} was first imported during a computation, after the engines of the backend were recorded; "
        "import it at the top of the adapter's file"
    )
    candidate.conclude(judgements | {"engine": clause(not late, message)})


@pytest.mark.quantity("parameters in place")
def test_parameters_in_place(candidate):
    """At every level with layers, parameters that no step has changed come back as they were given, each in its place."""
    network = Network(tuple(Dense(f"w{n}", f"b{n}", "tanh") for n in range(4)), "squared error", "sum")
    rows = np.arange(1, 25, dtype=candidate.dtype).reshape(4, 6) / 8  # layers of the same shapes, and no number twice
    params = {f"w{n}": row[:4].reshape(2, 2) for n, row in enumerate(rows)} | {f"b{n}": row[4:] for n, row in enumerate(rows)}
    data = {"X": np.eye(2, dtype=candidate.dtype), "y": np.zeros((2, 2), candidate.dtype)}
    standing = Optimizer("sgd", 0.0)
    judgements = {}
    for level in LEVELS[1:]:
        if level not in candidate.unsupported_levels:
            run = Training(network.loss, params, data, standing, 1, np.arange(1), level, network=network)
            after = {name: array[0] for name, array in candidate.call("path", run).after.items()}
            wrong = {name: array.tolist() for name, array in after.items() if not np.array_equal(array, params[name])}
            given = {name: params[name].tolist() for name in wrong}
            message = (
                f"after a step with the learning rate 0: got {wrong}, expected {given}; "
                "look at the order in which the adapter reads the parameters of its model"
            )
            judgements[f"parameters in place: {level}"] = clause(not wrong, message)
    candidate.conclude(judgements)
