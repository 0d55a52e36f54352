"""An operator is its forms: the first at many bits is the truth, and the ball holds what each of them may give."""

import numpy as np
import pytest
from flint import arb

from arithmetic.balls import Balls
from arithmetic.floats import Floats
from arithmetic.precision import rounding
from arithmetic.tape import Taped
from vocabulary.operators import builtin, forms, named, operator, public
from vocabulary.operators.record import Operator
from vocabulary.registry import found_in

X = np.array([[0.3, -1.7, 2.9]], "float32")


def by_product(ops, x, y):
    return (x + y) * (x - y)


@operator(by_product)
def squares(ops, x, y):
    """x^2 - y^2."""
    return x * x - y * y


@operator(by_product, other_adjoints=(forms(lambda ops, g, x, y, result: g * (x + x)), None))
def squares_and_more(ops, x, y):
    """x^2 - y^2, of which the derivative by x has a form of its own."""
    return x * x - y * y


def gradient(numbers, record, operands, form=None):
    """Return the value of the sum of what an operator makes of operands, and its gradient, entry by entry."""

    def loss(ops, params, data):
        made = form(ops, *params.values()) if form else ops.apply(record, list(params.values()), {})
        return ops.sum(made)

    value, gradient = numbers.value_and_grad(loss, {name: numbers.tensor(x) for name, x in operands.items()}, {})
    return [value.value.ravel(), *(g.value.ravel() for g in gradient.values())]


def same(balls, others):
    """Whether midpoints and radii are equal."""
    return all((x.mid(), x.rad()) == (y.mid(), y.rad()) for x, y in zip(balls, others, strict=True))


OPERANDS = {"x": X, "y": X + np.float32(0.125)}


@pytest.mark.parametrize("record", [squares, squares_and_more], ids=lambda record: record.name)
@pytest.mark.parametrize("form", [squares.value.definition, by_product], ids=["definition", "product"])
def test_a_ball_holds_every_form_and_its_derivative(record, form):
    """What floats make of either form, forward and backward, is inside; and the truth is that of the definition."""
    numbers = Balls(128, rounding("float32"))
    with numbers.precision():
        found, exact = gradient(numbers, record, OPERANDS), gradient(Balls(), record, OPERANDS)
        computed = gradient(Floats(), record, OPERANDS, form)
        for balls, truths, floats in zip(found, exact, computed, strict=True):
            for ball, truth, value in zip(balls, truths, floats.tolist(), strict=True):
                assert ball.contains(truth.mid())
                assert ball.contains(arb(value))


def test_a_second_form_widens_the_ball_and_not_the_truth():
    """The union is wider than the ball of one form; at many bits there is the definition alone."""
    numbers, alone = (Balls(128, rounding("float32")) for _ in range(2))
    one = operator(name="one")(squares.value.definition)
    with numbers.precision():
        both, single = gradient(numbers, squares, OPERANDS), gradient(alone, one, OPERANDS)
        assert all(float(b.rad()) > float(s.rad()) for b, s in zip(both[1], single[1], strict=True))
        exact = gradient(Balls(), squares, OPERANDS), gradient(Balls(), one, OPERANDS)
        assert all(same(b, s) for b, s in zip(*exact, strict=True))


def test_a_form_beside_those_of_the_tape_is_inside():
    """What a framework writes by hand widens the ball of that adjoint, and of no other."""
    numbers = Balls(128, rounding("float32"))
    with numbers.precision():
        plain, more = (gradient(numbers, record, OPERANDS) for record in (squares, squares_and_more))
        assert all(m.contains(p) for m, p in zip(more[1], plain[1], strict=True))
        assert same(plain[2], more[2])


def test_a_form_may_be_none_of_its_own():
    """A form that returns None for some operands adds nothing there."""
    absent = operator(lambda ops, x, y: None)(squares.value.definition)
    one = operator(name="one")(squares.value.definition)
    numbers = Balls(128, rounding("float32"))
    with numbers.precision():
        for found, expected in zip(*(gradient(numbers, record, OPERANDS) for record in (absent, one)), strict=True):
            assert same(found, expected)


def test_every_operator_of_formulas_can_be_swept():
    """A record that draws no operands, or has none of the sizes that it lists, would be judged by no sweep."""
    for name, record in public().items():
        for size in record.sizes:
            drawn = record.drawn(np.random.default_rng(1), "float32", size, 8)
            assert drawn, name
            assert all(np.isfinite(array).all() for array in drawn.values()), name


def test_a_hand_written_derivative_states_its_reason():
    """The tape makes derivatives; whoever writes one by hand says why."""
    assert [name for name, record in builtin().items() if bool(record.adjoints) != bool(record.reason)] == []


def test_operators_have_names_of_their_own():
    """A name that stands twice in the folder is an error, and every named operator is a method of the tape."""
    import vocabulary.operators

    with pytest.raises(ValueError, match="is defined twice"):
        found_in(vocabulary.operators, Operator, lambda record: "one")
    assert all(callable(getattr(Floats, name)) for name in named())


def test_an_axis_is_counted_from_the_last():
    """Along the first axis of balls stand points, so that no axis of a tensor has a number from the first."""
    numbers = Floats()
    with pytest.raises(ValueError, match="counted from the last, as -1, got 0"):
        numbers.sum(Taped(X, numbers), 0)
    assert numbers.sum(Taped(X, numbers), -1).shape == (1,)
    assert numbers.sum(Taped(X, numbers), -2, keepdims=True).shape == (1, 3)
