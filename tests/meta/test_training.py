"""Rules of optimisers, batches and the objectives of layers, in balls: true, and wide enough for all who write them."""

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from arithmetic.balls import Balls, balls
from arithmetic.precision import rounding
from arithmetic.tape import Taped
from backends.base import Deviation
from backends.numpy import Numpy
from backends.training import Training
from oracle.judge import Oracle, Steps
from oracle.rules import Stepping
from oracle.run import exact_run
from tests.test_classification import compare, counted
from vocabulary.rules import Optimizer, adam, builtin
from vocabulary.words import CONFORMS, DEVIATES, LEVELS, UNINFORMATIVE

CONVENTIONS = tuple(builtin()["adam"].conventions)
RULE = Optimizer("adam", 0.1)
HELD = ("rate", "beta1", "beta2", "epsilon")
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def half_square(ops, params, data):
    """A loss whose gradient is w * slope, so that a run of Adam sees the gradients that a test wants."""
    return ops.sum(params["w"] * params["w"] * data["slope"]) * 0.5


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_adam_is_the_published_rule(convention):
    """Twenty steps agree to 250 bits with the algorithm as printed, sums written out."""
    numbers = Balls(300)
    gradients = np.random.default_rng(1).normal(size=20)
    with numbers.precision():
        rule = Stepping(numbers, RULE, {"adam": convention})
        made = rule.updated({"w": balls(np.zeros((20, 1)))}, {"w": balls(gradients[:, np.newaxis])})
        [*after] = made["w"][:, 0]
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


@pytest.mark.parametrize("optimizer", [RULE, Optimizer("momentum", 0.1), Optimizer("sgd", 0.1)], ids=lambda each: each.name)
@pytest.mark.parametrize("precise", [Balls(), Balls(128, rounding("float32"))], ids=["truth", "bound"])
def test_steps_in_one_call_are_steps_one_by_one(optimizer, precise):
    """A run makes the same balls whether its steps are asked for at once or each by itself."""
    random = np.random.default_rng(2)
    with precise.precision():
        w, g = balls(random.normal(size=(6, 3))), balls(random.normal(size=(6, 3)))
        at_once = Stepping(precise, optimizer, {}).updated({"w": w}, {"w": g})["w"]
        rule = Stepping(precise, optimizer, {})
        for k in range(6):
            alone = rule.updated({"w": w[k : k + 1]}, {"w": g[k : k + 1]})["w"]
            for each, other in zip(alone[0], at_once[k], strict=True):
                assert (each.mid(), each.rad()) == (other.mid(), other.rad())
            assert not any(before.overlaps(after) for before, after in zip(w[k], at_once[k], strict=True))


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
    together = exact_run(runs, {"adam": convention})
    for run, path in zip(runs, together, strict=True):
        [alone] = exact_run([run], {"adam": convention})
        assert alone.after["w"].shape == (5, 2)
        assert (path.after["w"] == alone.after["w"]).all()


def linear(ops, params, data):
    """A loss whose gradient is the same at every point."""
    return ops.sum(params["w"] * data["slope"])


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_an_exact_run_is_the_published_rule(convention):
    """Each step sees its own batch, goes on from the step before and is kept where asked for, rounded once to float64."""
    slopes, kept = np.array([1.3, 0.7, 2.9]), np.array([1, 3, 4])
    batches = [np.array([step % 3]) for step in range(5)]
    run = Training(half_square, {"w": np.array([0.7])}, {"slope": slopes}, RULE, 5, kept, "autodiff", batches, ("slope",))
    b1, b2, rate, epsilon = (arb(getattr(RULE, name)) for name in ("beta1", "beta2", "rate", "epsilon"))
    w, m, v, path = arb(0.7), arb(0), arb(0), []
    with ctx.workprec(300):
        for t, [example] in enumerate(batches, start=1):
            g = w * arb(slopes[example])
            m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
            if convention == "epsilon":
                w = w - rate * m / (1 - b1**t) / ((v / (1 - b2**t)).sqrt() + epsilon)
            else:
                w = w - rate * (1 - b2**t).sqrt() / (1 - b1**t) * m / (v.sqrt() + epsilon)
            path.append([float(w)])
    [exact_path] = exact_run([run], {"adam": convention})
    assert exact_path.after["w"].tolist() == [path[step] for step in kept]
    assert exact_path.after["w"].dtype == np.float64
    if convention == "epsilon":
        assert (exact_run([run])[0].after["w"] == exact_path.after["w"]).all(), "the published order is the default"


def adam_run(dtype, convention, slopes, start, steps, *, lerp, narrow=(), constant=False):
    """Run Adam in ``dtype`` on ``half_square``; return points, gradients and the parameters after each step.

    ``narrow`` are the parts of the rule that pass through float32, ``constant`` runs on ``linear``.
    """
    number = np.dtype(dtype).type

    def held(x, part):
        return np.float32(x).astype(dtype) if part in narrow else np.asarray(x, dtype)

    rate, b1, b2, epsilon = (held(getattr(RULE, name), name) for name in HELD)
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
        one, two = (number(1) - held(b, "powers") ** number(t) for b in (b1, b2))
        w = held(w, "weights")
        if convention == "epsilon":
            w = w - rate * (m / one) / (np.sqrt(v / two) + epsilon)
        else:
            w = w - rate * np.sqrt(two) / one * m / (np.sqrt(v) + epsilon)
        w = np.asarray(w, dtype)
        after.append(w.copy())
    return points, gradients, after


def judged(dtype, convention, slopes, run, loss=half_square, deviations=(), *, native=False):
    points, _, after = run
    oracle = Oracle(loss, {"slope": slopes}, dtype, deviations, Steps(RULE, {"adam": convention}, native))
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
    """In float64 hyperparameters that have passed through float32 are found, and so is every other convention."""
    slopes = np.array([1.3, 0.7])
    run = adam_run("float64", convention, slopes, [0.31, -1.7], 50, lerp=False)
    for each in CONVENTIONS:
        assert judged("float64", each, slopes, run).verdict == (CONFORMS if each == convention else DEVIATES)
    narrow = adam_run("float64", convention, slopes, [0.31, -1.7], 50, lerp=False, narrow=HELD)
    assert judged("float64", convention, slopes, narrow).verdict == DEVIATES


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("shape", [(), (1,), (2, 3)], ids=str)
@pytest.mark.parametrize("loss", [half_square, linear], ids=lambda loss: loss.__name__)
def test_adam_steps_parameters_of_every_shape(loss, shape, convention):
    """Scalars, vectors and matrices take the same steps, two of them, also where all points have one gradient in common."""
    random = np.random.default_rng(2)
    slopes = np.asarray(random.normal(size=shape))
    run = adam_run("float64", convention, slopes, random.normal(size=shape), 2, lerp=False, constant=loss is linear)
    judgement = judged("float64", convention, slopes, run, loss)
    assert (judgement.verdict, judgement.entries) == (CONFORMS, 2 * slopes.size)


def bounding(beta, dtype="float64"):
    """Return the numbers that bound ``dtype``, and a beta over them."""
    numbers = Balls(128, rounding(dtype))
    with numbers.precision():
        return numbers, numbers.parameter(beta, "beta1")


@pytest.mark.parametrize(("mean", "new"), [(9, -1), (0, 1), (1, 0), (-3, 5)], ids=str)
@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9, 0.999])
def test_a_moments_ball_holds_the_sum_and_the_difference(beta, mean, new):
    """Both ways to write a moving average are inside; where signs differ, the ball is no wider than the two together."""
    numbers, b = bounding(beta)
    mean, new = balls([mean]), balls([new])
    with numbers.precision():
        rest = numbers.round(1 - b)
        plain = numbers.round(numbers.round(b * mean) + numbers.round(rest * new))
        difference = numbers.round(mean + numbers.round(rest * numbers.round(new - mean)))
        averaged = adam._averaged(numbers, *(Taped(x, numbers) for x in (new, mean, b)))
        [ball], [plain], [difference] = averaged.value, plain, difference
        assert ball.contains(plain)
        assert ball.contains(difference)
        assert ball.rad() <= plain.rad() + difference.rad()


@pytest.mark.parametrize("step", [1, 2, 7, 100])
def test_a_powers_ball_holds_a_function_and_a_product(step):
    """A power may come from a function as accurate as exp, or from as many products as there are steps."""
    numbers, b = bounding(0.9)
    with numbers.precision():
        accuracy = int(numbers.rounding.functions["exp"])
        function = b**step * arb(1, accuracy * numbers.rounding.unit)
        product = b
        for _ in range(step - 1):
            product = numbers.round(product * b)
        [ball], [function], [product] = numbers.powers(Taped(b, numbers), [step], "powers").value, function, product
        assert ball.contains(function)
        assert ball.contains(product)


def test_adam_remembers_each_parameter():
    """Two parameters of one run have moments of their own."""
    slopes, random = np.array([1.3, 0.7]), np.random.default_rng(4)
    v, w = (adam_run("float64", "epsilon", slopes, random.normal(size=2), 4, lerp=False) for _ in range(2))
    points = [{"v": one["w"], "w": other["w"]} for one, other in zip(v[0], w[0], strict=True)]
    both = lambda ops, p, d: half_square(ops, {"w": p["v"]}, d) + half_square(ops, {"w": p["w"]}, d)  # noqa: E731
    oracle = Oracle(both, {"slope": slopes}, "float64", (), Steps(RULE))
    judgements = oracle.judge(points, {"updated v": v[2], "updated w": w[2]}, row="step")
    assert {judgement.verdict for judgement in judgements.values()} == {CONFORMS}


def test_adam_after_a_point_that_is_not_finite():
    """A run that leaves the numbers gets no verdict from there on, and no exception."""
    slopes = np.array([1.3, 0.7])
    points, gradients, after = adam_run("float64", "epsilon", slopes, [0.31, -1.7], 10, lerp=False)
    points[5] = {"w": np.array([np.inf, 0.3])}
    judgement = judged("float64", "epsilon", slopes, (points[:6], gradients[:6], after[:6]))
    assert (judgement.verdict, judgement.points_without_verdict) == (CONFORMS, 1)


def test_steps_around_a_point_that_is_not_finite_are_judged():
    """Gradient descent remembers nothing: a step from an infinite point gives no verdict, the steps after it do."""
    w = [np.array([x, 0.3]) for x in (0.5, np.inf, 0.7, -0.2, np.nan, 0.1)]
    after = [0.9 * x for x in w]
    oracle = Oracle(half_square, {"slope": np.ones(2)}, "float64", (), Steps(Optimizer("sgd", 0.1), judged=range(10, 16)))
    points = [{"w": x} for x in w]
    judgement = oracle.judge(points, {"updated w": after}, row="step")["updated w"]
    assert (judgement.verdict, judgement.points, judgement.entries, judgement.points_without_verdict) == (CONFORMS, 6, 8, 2)
    after[3] = 2 * after[3]
    judgement = oracle.judge(points, {"updated w": after}, row="step")["updated w"]
    assert (judgement.verdict, judgement.first) == (DEVIATES, 3)
    assert judgement.where == "updated w[1] at step 13"
    lost = oracle.judge([points[1], points[4]], {"updated w": [after[1], after[4]]}, row="step")["updated w"]
    assert (lost.verdict, lost.message, lost.where) == (UNINFORMATIVE, "the bound is infinite", "updated w[0] at step 10")


def test_a_step_lost_in_rounding_gives_no_verdict():
    """A change that is smaller than the rounding of the weight could as well be none: the weight itself proves nothing."""
    w = np.array([1.0], "float32")
    oracle = Oracle(linear, {"slope": np.array([1.0], "float32")}, "float32", (), Steps(Optimizer("sgd", 2.0**-30)))
    judgement = oracle.judge([{"w": w}], {"updated w": [w]})["updated w"]
    assert judgement.verdict == UNINFORMATIVE


def test_a_run_of_one_step():
    """A run of a single batch is judged on it, its value of any shape and what is declared of its formula included."""
    steps = Steps(Optimizer("sgd", 0.1), data=[{"slope": np.array([2.0, 3.0])}])
    sigmoid = Deviation("sigmoid", ("float64",), "reason", "size", "link", absolute=2.0**20)
    oracle = Oracle(lambda ops, p, d: ops.sigmoid(p["w"] * d["slope"]), {}, "float64", [sigmoid], steps)
    off = 1 / (1 + np.exp(-np.array([2.0, 3.0]))) + 2.0**-40
    judgement = oracle.judge([{"w": np.array(1.0)}], {"value": [off]})["value"]
    assert (judgement.verdict, judgement.declared, judgement.entries) == (DEVIATES, "sigmoid", 2)


def test_points_of_one_run_may_see_different_data():
    """Each step is judged on its own batch, batches of different length among them."""
    batches = [np.array([1.1, 0.3, 2.7]), np.array([0.9, 1.9, 0.2]), np.array([1.7]), np.array([0.6, 2.3])]
    data = [{"slope": slope} for slope in batches]
    points = [{"w": np.full(slope.shape, 0.37)} for slope in batches]
    numpy = Numpy()
    results = []
    for point, seen in zip(points, data, strict=True):
        inside = ({name: numpy.tensor(array) for name, array in arrays.items()} for arrays in (point, seen))
        results.append(np.asarray(half_square(numpy, *inside).value))
    steps = Steps(Optimizer("sgd", 0.1), data=data, judged=[3, 70, 900, 905])
    judgement = Oracle(half_square, {}, "float64", (), steps).judge(points, {"value": results}, row="step")["value"]
    assert (judgement.verdict, judgement.points) == (CONFORMS, 4)
    results[2] = results[2] * 3
    judgement = Oracle(half_square, {}, "float64", (), steps).judge(points, {"value": results}, row="step")["value"]
    assert judgement.verdict == DEVIATES
    assert "value at step 900" in judgement.message
    assert judgement.message.endswith("; no other of 4 steps is outside")


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


@pytest.mark.parametrize("level", LEVELS)
def test_steps_of_a_run_are_those_it_keeps(level):
    """Numbers and data are those of the kept steps; the framework's own optimiser makes the step from its level on."""
    x, y = np.arange(6.0), np.arange(3.0)
    batches = [np.array([0, 1]), np.array([2, 3]), np.array([5])]
    every = Training(half_square, {}, {"x": x, "y": y}, RULE, 3, np.array([0, 2]), level)
    dealt = Training(half_square, {}, {"x": x, "y": y}, RULE, 3, np.array([0, 2]), level, batches, ("x",))
    native = level in ("optimizer", "class")
    steps = Steps.of(every, {"adam": "epsilon hat"})
    assert steps == Steps(RULE, {"adam": "epsilon hat"}, native, None, [0, 2])
    steps = Steps.of(dealt, {})
    assert (steps.optimizer, steps.conventions, steps.native, steps.judged) == (RULE, {}, native, [0, 2])
    seen = [{name: array.tolist() for name, array in data.items()} for data in steps.data]
    assert seen == [{"x": [0, 1], "y": [0, 1, 2]}, {"x": [5], "y": [0, 1, 2]}]
