"""The contract of backends/base.py, clause by clause."""

import numpy as np
import pytest

from backends.base import DTYPES, MATMUL, OPERATIONS, SCALARS_KEEP_DTYPE
from backends.process import Failed
from oracle.verdict import CONFORMS, DEVIATES, UNSUPPORTED, Judgement


def clause(holds, message):
    return Judgement(CONFORMS) if holds else Judgement(DEVIATES, message)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.quantity("repeatable")
def test_called_twice(subject, case):
    """The same tensors give the same bits twice, and are afterwards what they were before."""
    (first, second), after = subject.call("gradients_twice", case.loss, subject.params, subject.data)
    flat = [{"loss": value} | gradient for value, gradient in (first, second)]
    changed = [name for name in flat[0] if not same_bits(flat[0][name], flat[1][name])]
    before = {f"params[{name!r}]": array for name, array in subject.params.items()}
    before |= {f"data[{name!r}]": array for name, array in subject.data.items()}
    written = [name for name in before if not same_bits(before[name], after[name])]
    subject.conclude(
        {
            "repeatable": clause(not changed, f"a second call from the same tensors gives other bits in {changed}"),
            "inputs untouched": clause(not written, f"evaluating the gradient has changed {written}"),
        }
    )


@pytest.mark.quantity("round trip")
def test_round_trip(subject):
    """An array that becomes a tensor and an array again keeps its bits, shape and dtype."""
    arrays = {
        "scalar": np.array(1 / 3, subject.dtype),
        "vector": np.array([-0.0, 1 / 3, np.inf], subject.dtype),
        "matrix": np.array([[1, 1e-4], [np.finfo(subject.dtype).max, -7]], subject.dtype),
        "non-contiguous": np.arange(12).reshape(3, 4).astype(subject.dtype).T[::2],
    }
    broken = [
        name for name, x in arrays.items() if not same_bits(x, subject.call("apply", lambda ops, p, d: p["x"], {"x": x}, {}))
    ]
    subject.conclude({"round trip": clause(not broken, f"not what went in: {broken}")})


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
    """Each operation and its derivative keep to the accuracy that the bounds grant them; what is declared is so."""
    formula, loss, params, data = sweep(operation, subject.dtype, subject.lab.plan)
    lacking = {(dtype, name): reason for dtype, name, reason in subject.description["unsupported"]}
    if reason := lacking.get((subject.dtype, operation)):
        check_unsupported(subject, operation, reason, formula, params, data)
        return
    value = subject.call("apply", formula, params, data)
    judged, excused = judge_twice(subject, formula, params, data, value)
    _, gradient = subject.call("gradients", loss, [params], data)[0]
    derivative = subject.oracle(loss, data).judge([params], {"gradient x": [gradient["x"]]})["gradient x"]
    subject.conclude(
        {operation: declared_or_stale(subject, operation, judged, excused), f"derivative of {operation}": derivative}
    )


def judge_twice(subject, formula, params, data, value):
    """Judge a value as if nothing were declared, and with what is."""
    return [
        subject.oracle(formula, data, excuse=excuse).judge([params], {"value": [value]})["value"] for excuse in (False, True)
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
    random = np.random.default_rng([plan.seed, OPERATIONS.index(operation) if operation in OPERATIONS else 99])
    half = 500 + 50 * plan.random_starts
    reach = 0.9 * float(np.log(np.finfo(dtype).max))  # exp of this is near the largest number
    sizes = np.exp(random.uniform(-0.9 * reach, 0.0, half)) * random.choice([-1, 1], half)
    x = np.concatenate([random.uniform(-reach, reach, half), sizes])
    data = {"weight": random.uniform(0.5, 1.5, x.shape)}
    if operation == "log":
        x = np.concatenate([np.exp(random.uniform(-reach, reach, half)), 1 + 0.1 * sizes])
    elif operation == "tanh":
        x[:half] *= 20 / reach
    elif operation in ("sum", "mean"):
        x, data = random.normal(size=60), {"weight": np.array(1.25)}
    elif operation == MATMUL:
        x, data = random.normal(size=(17, 33)), {"y": random.normal(size=(33, 5)), "weight": random.normal(size=(17, 5))}

    def formula(ops, params, data):
        return params["x"] @ data["y"] if operation == "@" else getattr(ops, operation)(params["x"])

    def loss(ops, params, data):
        return ops.sum(formula(ops, params, data) * data["weight"])

    params, data = ({name: np.asarray(array, dtype) for name, array in arrays.items()} for arrays in ({"x": x}, data))
    return formula, loss, params, data


@pytest.mark.quantity("declarations")
def test_declarations(subject):
    """Every declared deviation and unsupported operation names things that exist."""
    subjects = (*OPERATIONS, MATMUL, SCALARS_KEEP_DTYPE)
    named = [(deviation.subject, dtype) for deviation in subject.deviations for dtype in deviation.dtypes]
    named += [(operation, dtype) for dtype, operation, _ in subject.description["unsupported"]]
    unknown = [pair for pair in named if pair[0] not in subjects or pair[1] not in DTYPES]
    subject.conclude({"declarations": clause(not unknown, f"nothing is called {unknown}; known: {subjects}, {DTYPES}")})
