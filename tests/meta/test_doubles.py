"""Balls of doubles enclose: held against Arb, operation by operation and program by program."""

import itertools
import math

import flint
import numpy as np
import pytest
from flint import arb
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import cases
from arithmetic import doubles
from arithmetic.balls import Balls
from arithmetic.doubles import SLICED, U2, Beyond, Doubles, U
from arithmetic.elementary import ELEMENTARY
from arithmetic.fast import FastBalls
from arithmetic.precision import rounding
from oracle.expected import BOUND_BITS
from vocabulary.functions import FUNCTIONS

BITS = 2500  # more than any sum of two words here needs
# Where functions are computed: their arguments, of both signs where they have them.
ARGUMENTS = {
    "exp": (-150.0, 150.0), "log": (1e-60, 1e60), "log1p": (0.0, 1.0), "sigmoid": (-150.0, 150.0), "tanh": (-80.0, 80.0),
    "sech2": (-80.0, 80.0), "softplus": (-100.0, 100.0), "reciprocal": (1e-60, 1e60),
}  # fmt: skip
numbers = st.builds(
    math.ldexp,
    st.floats(0.5, 1, exclude_max=True).flatmap(lambda m: st.sampled_from([m, -m])),
    st.integers(-150, 150),
)


def of(hi, share, radius=0.0):
    """Return a ball around hi + lo, where lo is ``share`` times half an ulp of hi."""
    hi = np.array([hi])
    lo = hi * U * share
    total = hi + lo
    radii = np.abs(hi) * radius
    return Doubles(total, lo - (total - hi), radii, radii)


def ball(x, radius="r", at=0):
    parts = (getattr(x, part).ravel()[at] for part in ("hi", "lo", radius))
    hi, lo, r = map(float, parts)
    return arb(hi) + arb(lo) + arb(0, r)


@settings(max_examples=500, deadline=None)
@given(
    a=numbers,
    b=numbers,
    near=st.booleans(),
    shares=st.tuples(*[st.floats(-0.9, 0.9)] * 2),
    radius=st.sampled_from([0, 1e-20, 1e-6]),
)
@pytest.mark.parametrize("sign", ["+", "-", "*", "/"])
def test_arithmetic_encloses(sign, a, b, near, shares, radius):
    """The ball of a result holds the results of all ends of the balls that it is made of, nearly equal ones that cancel too."""
    b, x_radius = (a * (1 + b * 2.0**-200) if near else b), radius
    x, y = of(a, shares[0], radius), of(b, shares[1], radius)
    operation = {"+": lambda p, q: p + q, "-": lambda p, q: p - q, "*": lambda p, q: p * q, "/": lambda p, q: p / q}[sign]
    try:
        got = operation(x, y)
    except Beyond:
        assume(False)
    with flint.ctx.workprec(BITS):
        for p, q in itertools.product(ends(x), ends(y)):
            for radius in ("e", "r"):
                assert ball(got, radius).contains(operation(p, q).mid())
    # The radius is at most the error of the operands, passed on, and a few units U2 of rounding.
    sizes = {"*": np.abs(a * b), "/": np.abs(a / b)}.get(sign, np.abs(a) + np.abs(b))
    assert (got.r <= sizes * (4 * x_radius + 32 * U2)).all()


def ends(x):
    """Return both ends and the middle of a ball."""
    middle, reach = ball(x).mid(), arb(float(x.r[0]))
    return middle - reach, middle, middle + reach


@pytest.mark.parametrize("name", ELEMENTARY)
@pytest.mark.parametrize("radius", [0.0, 1e-18, 1e-9])
def test_functions_enclose(name, radius):
    """At arguments of all sizes: the exact value is inside, at the ends of the ball too, and the ball is not wide."""
    random = np.random.default_rng([*name.encode()])
    least, most = ARGUMENTS[name]
    if least > 0:
        hi = np.exp(random.uniform(math.log(least), math.log(most), 300))
    else:
        sizes = most * np.exp(random.uniform(-40, 0, 300))
        hi = sizes if least == 0 else sizes * random.choice([-1, 1], 300)
    radii = np.minimum(np.abs(hi) * radius, 2.0**-9)
    x = Doubles(hi, hi * U * random.uniform(-0.4, 0.4, 300), radii, radii)
    y = ELEMENTARY[name](x)
    exactly = FUNCTIONS[name].exactly
    with flint.ctx.workprec(BITS):
        for k in range(300):
            middle = arb(float(x.hi[k])) + arb(float(x.lo[k]))
            for at in (middle - arb(float(radii[k])), middle, middle + arb(float(radii[k]))):
                if name in ("log", "log1p", "reciprocal") and not at > 0:
                    continue
                assert ball(y, at=k).contains(exactly(at).mid()), (name, float(middle))
            if not radius:
                assert y.e[k] <= 2.0**-80 * abs(float(exactly(middle))) or name in ("log", "log1p", "softplus")


@pytest.mark.parametrize("shape", [(1,), (2,), (3,), (17,), (64,), (5, 7)], ids=str)
def test_sums_enclose(shape):
    """Of terms of all sizes, and of some that cancel."""
    random = np.random.default_rng(3)
    terms = np.exp(random.uniform(-30, 30, (4, *shape))) * random.choice([-1, 1], (4, *shape))
    terms[-1].ravel()[1::2] = -terms[-1].ravel()[0::2][: len(terms[-1].ravel()[1::2])]
    x = Doubles.of(terms)
    total = x.sum(tuple(range(1, terms.ndim)))
    with flint.ctx.workprec(4 * BITS):
        for row in range(4):
            exact = sum((arb(term) for term in terms[row].ravel().tolist()), arb(0))
            assert ball(total, "e", row).contains(exact)


@pytest.mark.parametrize("terms", [0, SLICED], ids=["in slices", "as sums"])
@pytest.mark.parametrize(
    "shapes", [((2, 3), (3, 4)), ((2, 5, 40), (1, 40, 3)), ((1, 1, 1), (2, 1, 1)), ((3, 300), (300, 2))], ids=str
)
@pytest.mark.parametrize("spread", [1, 40, 140])
def test_products_of_matrices_enclose(spread, shapes, terms, monkeypatch):
    """Of numbers of all sizes, with both words and radii, rows of zeros and products that cancel."""
    monkeypatch.setattr(doubles, "SLICED", terms)
    random = np.random.default_rng(spread)

    def made(shape):
        hi = np.ldexp(random.uniform(0.5, 1, shape) * random.choice([-1, 1], shape), random.integers(-spread, spread, shape))
        hi[..., 0, :] = 0 if shape[-2] > 2 else hi[..., 0, :]
        lo = hi * U * random.uniform(-0.4, 0.4, shape)
        radii = [np.abs(hi) * 2.0**-k for k in (70, 30)]
        return Doubles(hi, lo, *radii)

    x, y = map(made, shapes)
    cancels = x.shape[-1] > 2
    if cancels:  # the last two terms of each sum but for a small part
        for words in (x.hi, x.lo):
            words[..., -1] = -words[..., -2]
        for words in (y.hi, y.lo):
            words[..., -1, :] = words[..., -2, :]
    product = x @ y
    a, b = (np.broadcast_to(each, product.shape[:-2] + each.shape[-2:]) for each in (x, y))
    with flint.ctx.workprec(4 * BITS):
        for at in np.ndindex(product.shape):
            *lead, i, j = at
            row, column = a[(*lead, i)], b[(*lead, slice(None), j)]
            for sign in (-1, 0, 1):  # ends of the balls that go the same way
                for radius in ("e", "r"):
                    parts = (end(row, k, radius, sign) * end(column, k, radius, sign) for k in range(row.shape[0]))
                    assert ball(product[at], radius).contains(sum(parts, arb(0)).mid())
    assert (product.e <= product.r).all()
    if spread == 1:  # where no row has numbers of very different sizes, the radius is little more than what is passed on
        own = 64 * x.shape[-1] * U2 * (np.abs(x.hi) @ np.abs(y.hi))
        assert (product.r <= 2 * (np.abs(x.hi) @ y.r + x.r @ np.abs(y.hi)) + own).all()
        assert ((Doubles.exact(x.hi, x.lo) @ Doubles.exact(y.hi, y.lo)).e <= own).all()


def end(x, at, radius, sign):
    hi, lo, reach = (float(getattr(x, part)[at]) for part in ("hi", "lo", radius))
    return arb(hi) + arb(lo) + sign * arb(reach)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", [case for case in cases.builtin().values() if not case.long], ids=lambda case: case.name)
def test_programs_have_the_bounds_of_arb(case, dtype):
    """Loss and gradient around the start: the truth of Arb is inside, and the bound is Arb's, at most one per cent wider."""
    random = np.random.default_rng(1)
    params, data = case.at(dtype)
    points = {
        name: np.stack([np.asarray(array * (1 + 0.2 * random.standard_normal(array.shape)), dtype) for _ in range(4)])
        for name, array in params.items()
    }
    seen = {name: array[None] for name, array in data.items()}
    numbers = rounding(dtype)
    doubles, exact, bounds = FastBalls(numbers), Balls(), Balls(BOUND_BITS, numbers)
    for formula in filter(None, (case.loss, case.network and case.network.loss)):
        found = gradients(doubles, formula, points, seen)
        widest = gradients(bounds, formula, points, seen)
        for quantity, truth in gradients(exact, formula, points, seen).items():
            wide = widest[quantity]
            got = np.broadcast_to(found[quantity], (4, *found[quantity].shape[1:]))
            truth, wide = (np.broadcast_to(array, got.shape).ravel().tolist() for array in (truth, wide))
            with flint.ctx.workprec(BITS):
                for k, (true, reach) in enumerate(zip(truth, wide, strict=True)):
                    assert ball(got, "e", k).contains(true.mid()), quantity
                    assert got.r.ravel()[k] <= float((reach - true).abs_upper()) * 1.01, quantity


def gradients(numbers, formula, points, seen):
    with numbers.precision():
        inside = ({name: numbers.points(array) for name, array in arrays.items()} for arrays in (points, seen))
        value, gradient = numbers.value_and_grad(formula, *inside)
    return {"value": value.value} | {name: g.value for name, g in gradient.items()}


@pytest.mark.parametrize("number", [2.0**-301, 2.0**301, -(2.0**-400), math.inf, math.nan])
def test_what_doubles_do_not_hold_is_left_to_arb(number):
    """Numbers at the ends of the range, and what is no number, raise; 0 does not."""
    with pytest.raises(Beyond):
        Doubles.of(np.array([1.0, number]))
    assert Doubles.of(np.zeros(2)).r.tolist() == [0.0, 0.0]
