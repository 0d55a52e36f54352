"""Rules of optimisers, batches and the objectives of layers, in balls: true, and wide enough for all who write them."""

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from backends import exact
from backends.base import Optimizer, Training
from backends.exact import Exact, balls
from backends.numpy import Numpy
from oracle.judge import Oracle, Steps
from oracle.rules import Adam
from oracle.run import exact_run
from oracle.verdict import CONFORMS, DEVIATES, UNINFORMATIVE
from tests.test_classification import compare, counted

CONVENTIONS = ("epsilon", "epsilon hat")
RULE = Optimizer("adam", 0.1)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def half_square(ops, params, data):
    """A loss whose gradient is w * slope, so that a run of Adam sees the gradients that a test wants."""
    return ops.sum(params["w"] * params["w"] * data["slope"]) * 0.5


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_adam_is_the_published_rule(convention):
    """Twenty steps agree to 250 bits with the algorithm as printed, sums written out."""
    numbers = Exact(300)
    gradients = np.random.default_rng(1).normal(size=20)
    with numbers.precision():
        rule = Adam(numbers, RULE, convention)
        [*after] = rule.updated("w", balls(np.zeros((20, 1))), balls(gradients[:, np.newaxis]))[:, 0]
        b1, b2, rate, epsilon = (arb(x) for x in (RULE.beta1, RULE.beta2, RULE.rate, RULE.epsilon))
        for t, got in enumerate(after, start=1):
            m = sum((1 - b1) * b1 ** (t - i) * arb(gradients[i - 1]) for i in range(1, t + 1))
            v = sum((1 - b2) * b2 ** (t - i) * arb(gradients[i - 1]) ** 2 for i in range(1, t + 1))
            if convention == "epsilon":
                change = rate * m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + epsilon)
            else:
                change = rate * (1 - b2**t).sqrt() / (1 - b1**t) * m / (v.sqrt() + epsilon)
            assert got.overlaps(-change)
            assert abs(got + change) < arb(2) ** -250


def exact_training(optimizer, start, slopes, steps=5, **options):
    """A run of ``half_square`` of which every step is kept."""
    return Training(
        half_square, {"w": np.array(start)}, {"slope": np.array(slopes)}, optimizer, steps, np.arange(steps), **options
    )


@pytest.mark.parametrize("optimizer", [RULE, Optimizer("sgd", 0.1)], ids=lambda optimizer: optimizer.name)
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_exact_runs_side_by_side_know_nothing_of_each_other(optimizer, convention):
    """Several exact runs made at once end where each ends on its own: what Adam remembers belongs to one run."""
    runs = [
        exact_training(optimizer, start, slopes) for start, slopes in (([0.31, -1.7], [1.3, 0.7]), ([0.3, 2.5], [0.2, 1.1]))
    ]
    together = exact_run(runs, convention)
    for run, path in zip(runs, together, strict=True):
        [alone] = exact_run([run], convention)
        assert alone["w"].shape == (5, 2)
        assert (path["w"] == alone["w"]).all()


def linear(ops, params, data):
    """A loss whose gradient is the same at every point."""
    return ops.sum(params["w"] * data["slope"])


def adam_run(dtype, convention, slopes, start, steps, *, lerp, narrow=False, constant=False):
    """Run Adam in ``dtype`` on ``half_square``; return points, gradients and the parameters after each step.

    ``narrow`` passes hyperparameters through float32, ``constant`` runs on ``linear``.
    """
    number = np.dtype(dtype).type
    rate, b1, b2, epsilon = (number(np.float32(x) if narrow else x) for x in (0.1, 0.9, 0.999, 1e-8))
    w = np.array(start, dtype)
    m, v = np.zeros_like(w), np.zeros_like(w)
    points, gradients, after = [], [], []
    for t in range(1, steps + 1):
        g = slopes if constant else (w * slopes).astype(dtype)
        points.append({"w": w.copy()})
        gradients.append(g)
        if lerp:
            m, v = m + (1 - b1) * (g - m), v + (1 - b2) * (g * g - v)
        else:
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        one, two = (number(1) - b ** number(t) for b in (b1, b2))
        if convention == "epsilon":
            w = w - rate * (m / one) / (np.sqrt(v / two) + epsilon)
        else:
            w = w - rate * np.sqrt(two) / one * m / (np.sqrt(v) + epsilon)
        w = np.asarray(w, dtype)
        after.append(w.copy())
    return points, gradients, after


def judged(dtype, convention, slopes, run, loss=half_square):
    points, _, after = run
    oracle = Oracle(loss, {"slope": slopes}, dtype, (), Steps(RULE, convention))
    return oracle.judge(points, {"updated w": after}, row="step")["updated w"]


@every_dtype
@pytest.mark.parametrize("lerp", [False, True], ids=["sum", "difference"])
@pytest.mark.parametrize("convention", CONVENTIONS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_adams_bound_holds(dtype, lerp, convention, seed):
    """Moments as a sum or as a difference, from gradients of all sizes: no alarm in two hundred steps."""
    random = np.random.default_rng(seed)
    slopes = np.exp(random.uniform(-6, 6, 5)).astype(dtype)
    start = random.normal(size=5)
    judgement = judged(dtype, convention, slopes, adam_run(dtype, convention, slopes, start, 200, lerp=lerp))
    assert judgement.verdict == CONFORMS, judgement.message


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_adams_bound_is_sharp(convention):
    """In float64 hyperparameters that have passed through float32 are found, and so is the other convention."""
    slopes = np.array([1.3, 0.7])
    run = adam_run("float64", convention, slopes, [0.31, -1.7], 50, lerp=False)
    [other] = set(CONVENTIONS) - {convention}
    assert judged("float64", convention, slopes, run).verdict == CONFORMS
    assert judged("float64", other, slopes, run).verdict == DEVIATES
    narrow = adam_run("float64", convention, slopes, [0.31, -1.7], 50, lerp=False, narrow=True)
    assert judged("float64", convention, slopes, narrow).verdict == DEVIATES


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("shape", [(), (1,), (2, 3)], ids=str)
@pytest.mark.parametrize("loss", [half_square, linear], ids=lambda loss: loss.__name__)
def test_adam_steps_parameters_of_every_shape(loss, shape, convention):
    """Scalars, vectors and matrices take the same step, also where all points have one gradient in common."""
    random = np.random.default_rng(2)
    slopes = np.asarray(random.normal(size=shape))
    run = adam_run("float64", convention, slopes, random.normal(size=shape), 5, lerp=False, constant=loss is linear)
    judgement = judged("float64", convention, slopes, run, loss)
    assert (judgement.verdict, judgement.entries) == (CONFORMS, 5 * slopes.size)


def test_adam_after_a_point_that_is_not_finite():
    """A run that leaves the numbers gets no verdict from there on, and no exception."""
    slopes = np.array([1.3, 0.7])
    points, gradients, after = adam_run("float64", "epsilon", slopes, [0.31, -1.7], 10, lerp=False)
    points[5] = {"w": np.array([np.inf, 0.3])}
    judgement = judged("float64", "epsilon", slopes, (points[:6], gradients[:6], after[:6]))
    assert (judgement.verdict, judgement.uninformative) == (CONFORMS, 1)


def test_large_products_are_small_products():
    """Arb's own product of matrices and ours enclose the same numbers, for one point and for many."""
    random = np.random.default_rng(5)
    a, b = balls(random.normal(size=(3, 9, 11))), balls(random.normal(size=(1, 11, 7)))
    ctx.prec, before = 200, ctx.prec
    try:
        assert exact.LARGE < 9 * 11 * 7
        for x, y in zip(exact._product(a, b).ravel(), (a @ b).ravel(), strict=True):
            assert x.overlaps(y)
            assert abs(x - y) < arb(2) ** -180
    finally:
        ctx.prec = before


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# As PyTorch, TensorFlow, Optax and Chainer write a cross-entropy of logits, and its derivative.
BINARY = {
    "torch": lambda z, y: ((1 - y) * z - (np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z)))), 1 / (1 + np.exp(-z)) - y),
    "tensorflow": lambda z, y: (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))), 1 / (1 + np.exp(-z)) - y),
    "optax": lambda z, y: (
        -y * -softplus(-z) - (1 - y) * -softplus(z),
        -y * np.exp(-z - softplus(-z)) + (1 - y) * np.exp(z - softplus(z)),
    ),
}


@every_dtype
@pytest.mark.parametrize("form", BINARY.values(), ids=BINARY)
def test_every_way_to_write_a_cross_entropy_conforms(dtype, form):
    """From saturated logits too, one by one, no stable form is outside the bound."""
    random = np.random.default_rng(7)
    z = np.concatenate([random.uniform(-80, 80, 60), random.normal(size=60)]).astype(dtype)
    y = random.integers(2, size=120).astype(dtype)
    conforming = 0
    for logit, label in zip(z, y, strict=True):
        loss, slope = (np.asarray(x, dtype).reshape(shape) for x, shape in zip(form(logit, label), ((), (1, 1)), strict=True))
        judgements = Oracle(
            lambda ops, p, d: ops.sum(ops.binary_cross_entropy(p["z"], d["y"])), {"y": np.array([[label]], dtype)}, dtype
        ).judge([{"z": np.array([[logit]], dtype)}], {"value": [loss], "gradient z": [slope]})
        verdicts = [judgement.verdict for judgement in judgements.values()]
        assert set(verdicts) <= {CONFORMS, UNINFORMATIVE}
        conforming += verdicts.count(CONFORMS)
    assert conforming > len(z), "most of a loss and a slope for every logit: bounds that say nothing hold too"


@every_dtype
def test_every_way_to_write_a_softmax_conforms(dtype):
    """Probabilities as a quotient or as exponentials of their logarithms, from logits of all sizes."""
    random = np.random.default_rng(8)
    for scale in (0.01, 1, 30):
        z, y = (scale * random.normal(size=(4, 5))).astype(dtype), np.eye(5, dtype=dtype)[random.integers(5, size=4)]
        shifted = z - z.max(axis=1, keepdims=True)
        total = np.exp(shifted).sum(axis=1, keepdims=True)
        logs = shifted - np.log(total)
        for p in (np.exp(shifted) / total, np.exp(logs)):
            judgements = Oracle(lambda ops, p, d: ops.sum(ops.softmax_cross_entropy(p["z"], d["y"])), {"y": y}, dtype).judge(
                [{"z": z}], {"value": [-(y * logs).sum(dtype=dtype)], "gradient z": [p - y]}
            )
            assert {judgement.verdict for judgement in judgements.values()} == {CONFORMS}, scale
            wrong = judgements["gradient z"].bound.max()
            assert wrong < 1e-3 * abs(p - y).max()


def test_points_of_one_run_may_see_different_data():
    """Each step is judged on its own batch, batches of different length among them."""
    batches = [np.array([1.1, 0.3, 2.7]), np.array([0.9, 1.9, 0.2]), np.array([1.7])]
    data = [{"slope": slope} for slope in batches]
    points = [{"w": np.full(slope.shape, 0.37)} for slope in batches]
    numpy = Numpy()
    results = []
    for point, seen in zip(points, data, strict=True):
        inside = ({name: numpy.tensor(array) for name, array in arrays.items()} for arrays in (point, seen))
        results.append(np.asarray(half_square(numpy, *inside).value))
    steps = Steps(Optimizer("sgd", 0.1), data=data, numbers=[3, 70, 900])
    judgement = Oracle(half_square, {}, "float64", (), steps).judge(points, {"value": results}, row="step")["value"]
    assert (judgement.verdict, judgement.rows) == (CONFORMS, 3)
    results[2] = results[2] * 3
    judgement = Oracle(half_square, {}, "float64", (), steps).judge(points, {"value": results}, row="step")["value"]
    assert judgement.verdict == DEVIATES
    assert "value at step 900" in judgement.message
    assert "1 of 3 steps are outside, the first is 900" in judgement.message


def test_counts_that_a_drifted_path_explains_are_no_verdict():
    """Equal to the exact run is right; else right at the backend's own weights is nothing, and anything else is wrong."""
    verdicts = [compare(got, own, expected).verdict for got, own, expected in ((1, 2, 1), (2, 2, 1), (3, 2, 1))]
    assert verdicts == [CONFORMS, UNINFORMATIVE, DEVIATES]


def test_counts_are_those_of_the_scores():
    """Accuracy, confusion matrix and the hard and easy examples of three images, by hand."""
    scores = np.array([[[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]])
    counts = counted("all", scores, np.array([0, 1, 1]), normalised=True)
    assert counts["all accuracy"] == [2 / 3]
    assert counts["all confusion matrix"] == [[1, 0], [1, 1]]
    assert (counts["all easiest"], counts["all hardest"]) == ([0, 1, 2], [2, 1, 0])
    assert counts["all precision"] == [0.5, 1]
    assert counts["all recall"] == [1, 0.5]
