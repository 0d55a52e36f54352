"""The truth is true: exact derivatives, what the sources print, and where the exact runs end."""

import re

import flint
import numpy as np
import pytest
from flint import arb

import cases
from arithmetic.balls import Balls
from arithmetic.precision import rounding
from cases import CaseError, Figure
from oracle.expected import BOUND_BITS
from oracle.graph import graph
from oracle.run import exact_run
from oracle.trace import PROBE, Probed, trace
from runner.figures import printed
from runner.processes import training
from runner.shown import digits_of, drift
from runner.validation import reference_goal, validate
from vocabulary.words import DTYPES

CASES = list(cases.builtin().values())
# Of a case with many examples and parameters, so many are looked at.
FEW, ENTRIES = 6, 20
TRAINED = [case for case in CASES if case.steps]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def at_start(case, bits):
    exact = Balls(bits)
    params, data = ({name: exact.tensor(array) for name, array in arrays.items()} for arrays in (case.params, case.data))
    return exact, params, data


def of_few(case):
    """``case`` on its first few examples: the formula is the same, and 1000 bits are slow."""
    if case.batches is None:
        return case
    data = {name: array[:FEW] if name in case.batches.rows else array for name, array in case.data.items()}
    return case.but(case.name, data=data, batches=None, held_out={}, steps=0)


@every_case
def test_gradient_is_the_central_difference(case):
    """Exact gradients agree with central differences at 1000 bits, which trust no derivative rule."""
    case = of_few(case)
    exact, params, data = at_start(case, 300)
    _, gradient = exact.value_and_grad(case.loss, params, data)
    for name, start in case.params.items():
        for index in list(np.ndindex(start.shape))[:: max(1, start.size // ENTRIES)]:
            fine, coarse = (central_difference(case, name, index, exponent) for exponent in (-301, -300))
            # The error of a central difference is c h^2 + O(h^4): between h and h/2 it shrinks to a quarter.
            truncation = abs(coarse - fine)
            with flint.ctx.workprec(1000):
                distance = abs(gradient[name].value[(0, *index)] - fine)
                assert not distance > truncation, f"{case.name} {name}{index}"
                assert truncation < arb(2) ** -200, "a difference that proves little"


def central_difference(case, name, index, exponent):
    exact, params, data = at_start(case, 1000)
    with exact.precision():
        values = []
        for sign in (1, -1):
            moved = dict(params)
            array = params[name].value.copy()
            array[(0, *index)] += sign * arb(2) ** exponent
            moved[name] = type(params[name])(array, exact)
            values.append(case.loss(exact, moved, data).value[0])
        return (values[0] - values[1]) / (2 * arb(2) ** exponent)


class Numbers(Balls):
    """The bounds of a dtype, which note the numbers in formulas that the dtype does not hold."""

    def __init__(self, dtype):
        super().__init__(BOUND_BITS, rounding(dtype))
        self.rounded = []

    def lift(self, value, like):
        lifted = super().lift(value, like)
        self.rounded += [value for ball in lifted.ravel() if not ball.is_exact()]
        return lifted


@every_case
@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_in_formulas_are_held_by_every_dtype(case, dtype):
    """No case of ours has a number that is rounded: its bounds are those of its data and operations alone."""
    numbers = Numbers(dtype)
    params, data = (
        {name: numbers.tensor(array) for name, array in arrays.items()} for arrays in (case.params, of_few(case).data)
    )
    formulas = [case.loss, case.predict, *((case.network.loss, case.network.outputs) if case.network else ())]
    with numbers.precision():
        for formula in filter(None, formulas):
            formula(numbers, params, data)
    assert numbers.rounded == []


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (Figure("gradient w", "1 2"), "the figure of its gradient w prints 2 numbers, and the gradient w has 3 (shape (3, 1))"),
        (Figure("loss", "1 2"), "the figure of its loss prints 2 numbers, and the loss has 1 (shape ())"),
        (Figure("final w", "1 2 3 4"), "the figure of its final w prints 4 numbers, and the final w has 3 (shape (3, 1))"),
        (Figure("prediction", "1"), "the figure of its prediction prints 1 numbers, and the prediction has 4 (shape (4, 1))"),
        (Figure("node 1", "1"), "the figure of its node 1 prints 1 numbers, and the node 1 has 4 (shape (4, 1))"),
        (Figure("adjoint 10", "1 2"), "the figure of its adjoint 10 prints 2 numbers, and the adjoint 10 has 1 (shape ())"),
        (Figure("node 11", "1"), "it has no node 11 to print; the nodes of its loss are 1 to 10"),
    ],
    ids=lambda value: getattr(value, "quantity", ""),
)
def test_a_figure_prints_its_quantity(figure, words):
    """One number for each of its entries, or the case is refused before any backend is asked."""
    with pytest.raises(CaseError, match=re.escape(f"case 'nand': {words}")):
        validate(cases.builtin()["nand"].but("nand", figures=(figure,)), ["float64"])


@pytest.mark.parametrize(
    "words", [{"runs": ("float46",)}, {"runs": "float64"}, {"runs": ()}, {"runs": None}, {"printed_by": "double"}], ids=str
)
def test_a_figure_is_of_known_dtypes(words):
    """A word that is no dtype would leave the figure unjudged, or end the run: the case is refused."""
    message = r"case 'nand': the figure of its loss has .*; expected a dtype and a tuple of them, of float32"
    with pytest.raises(CaseError, match=message):
        validate(cases.builtin()["nand"].but("nand", figures=(Figure("loss", "2.77", **words),)), ["float64"])


@every_case
def test_printed_figures_are_true(case):
    """What the sources print agrees with the exact answer to every digit that the printing dtype holds."""
    exact, params, data = at_start(case, 300)
    value, gradient = exact.value_and_grad(case.loss, params, data)
    known = {"loss": value} | {f"gradient {name}": tensor for name, tensor in gradient.items()}
    if case.predict:
        with exact.precision():
            known["prediction"] = case.predict(exact, params, data)
    start, rounded = case.at("float64")
    with exact.precision():
        _, nodes = trace(case.loss, exact, params, data)
        known |= {f"node {index}": node.tensor for index, node in enumerate(nodes, start=1)}
    zeros = {node.name: exact.tensor(np.zeros(node.tensor.shape)) for node in graph(case.loss, start, rounded)}
    _, adjoints = exact.value_and_grad(Probed(case.loss), params | zeros, data)
    known |= {f"adjoint {name.removeprefix(PROBE)}": adjoints[name] for name in zeros}
    for figure in case.figures:
        if figure.quantity.startswith("final"):
            continue  # the float64 runs print these, and each of their steps is judged
        centres, balls = printed(figure.text, np.finfo(figure.printed_by).precision)
        for truth, ball in zip(known[figure.quantity].value.ravel(), balls, strict=True):
            assert ball.overlaps(truth), f"{case.name}: {figure} against {truth}"
        assert len(centres) == known[figure.quantity].value.size


@pytest.mark.parametrize("case", TRAINED, ids=lambda case: case.name)
def test_goal_is_what_the_case_says(case):
    """The exact run reaches its goal or not as the case states, and the start does not meet a goal to be reached."""
    [run] = exact_run([training(case, "float64")])
    assert reference_goal(case, {name: array[-1] for name, array in run.after.items()}, "float64") == case.reaches_goal
    assert not reference_goal(case, dict(case.params), "float64")


@pytest.mark.parametrize("case", [case for case in CASES if case.network], ids=lambda case: case.name)
def test_layers_are_the_formula(case):
    """The layers of a case and its formula have the same exact loss and gradient, at the start and elsewhere."""
    case, random = of_few(case), np.random.default_rng(3)
    for shift in (0, 1):
        point = {name: array + shift * random.normal(size=array.shape) for name, array in case.params.items()}
        exact = Balls(300)
        params, data = ({name: exact.tensor(array) for name, array in arrays.items()} for arrays in (point, case.data))
        (one, gradient), (other, same) = (exact.value_and_grad(loss, params, data) for loss in (case.loss, case.network.loss))
        pairs = [(one, other), *((gradient[name], same[name]) for name in gradient)]
        with exact.precision():
            for a, b in pairs:
                for x, y in zip(a.value.ravel(), b.value.ravel(), strict=True):
                    assert x.overlaps(y)
                    assert abs(x - y) < arb(2) ** -200


def test_drift_counts_the_digits_that_agree():
    """Digits are those of the largest distance over the largest parameter; steps that are not finite do not count."""
    truth = {"w": np.array([[1.0, 10.0], [1.0, 10.0], [1.0, 10.0], [1.0, 10.0]]), "b": np.zeros(4)}
    path = {"w": np.array([[1.0, 10.0], [1.0, 10.1], [1.01, 10.0], [np.inf, 10.0]]), "b": np.zeros(4)}
    measured = drift(digits_of(path, truth), np.arange(4))
    assert measured["worst_step"] == 1
    assert round(float.fromhex(measured["worst"]), 6) == 2
    assert round(float.fromhex(measured["end"]), 6) == 3
