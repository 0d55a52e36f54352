"""A loss is a record: its formula is what its words say, and it belongs to an objective."""

import numpy as np
import pytest
from flint import arb

from arithmetic.balls import Balls
from arithmetic.floats import Floats
from oracle.graph import evaluated
from vocabulary import losses
from vocabulary.losses import LOSSES, OBJECTIVES, REDUCTIONS, possible

BINARY, SQUARED = OBJECTIVES["binary cross-entropy"], OBJECTIVES["squared error"]


def value(loss, objective, z, y):
    """Return the loss of outputs z and targets y, one an example, as numpy computes it."""
    columns = {"z": np.array(z)[:, np.newaxis]}, {"y": np.array(y)[:, np.newaxis]}
    return evaluated(Floats(), loss.formula(objective), *columns).value


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(losses.SUM, 13.0), (losses.MEAN, 3.25), (losses.HALF_OF_SUM, 6.5), (losses.HALF_OF_MEAN, 1.625)],
    ids=lambda case: getattr(case, "words", ""),
)
def test_a_reduction_is_what_its_words_say(loss, expected):
    """Of the squared errors 1, 4, 4 and 4, exact in floats."""
    assert value(loss, SQUARED, [1.0, 2.0, 3.0, -1.0], [0.0, 0.0, 1.0, 1.0]) == expected


@pytest.mark.parametrize(("target", "wrong"), [(0.0, 50.0), (1.0, -50.0)])
@pytest.mark.parametrize(
    ("loss", "argument"), [(losses.CLIPPED_MEAN, 0.25), (losses.CLIPPED_AND_ADDED_MEAN, 0.5)], ids=["clipped", "added"]
)
def test_a_clipped_loss_has_an_end(loss, argument, target, wrong):
    """However wrong a sure output is, the loss is -log of the limit, and of twice the limit where this is added as well."""
    numbers = Balls()
    with numbers.precision():
        params = {"z": numbers.tensor(np.array([[wrong]]))}
        data = {name: numbers.tensor(np.array(array)) for name, array in (("y", [[target]]), ("limit", 0.25))}
        [got] = loss.formula(BINARY)(numbers, params, data).value.ravel()
        assert got.overlaps(-arb(argument).log())
        assert not got.overlaps(-arb(argument / 2).log())


@pytest.mark.parametrize(
    ("loss", "expected"),
    [(losses.SUM_WITHOUT_SLOPE_AT_0, [-1.0, 0.0]), (losses.MEAN_WITHOUT_SLOPE_AT_0, [-0.5, 0.0])],
    ids=["sum", "mean"],
)
def test_a_loss_without_slope_keeps_that_of_the_target(loss, expected):
    """At a logit of 0 its value is that of the reduction, its slope -y instead of 1/2 - y."""
    points = {"z": np.zeros((2, 1))}, {"y": np.array([[1.0], [0.0]])}
    ops = Floats()
    params, data = ({name: ops.tensor(array) for name, array in arrays.items()} for arrays in points)
    got, gradient = ops.value_and_grad(loss.formula(BINARY), params, data)
    plain = REDUCTIONS[loss.words.split()[0]]
    assert got.value == evaluated(Floats(), plain.formula(BINARY), *points).value
    assert gradient["z"].value.ravel().tolist() == expected


def test_every_objective_has_its_own_losses():
    """Those of any objective come first, in one order for all; and each record is of one objective or of any."""
    general = [losses.SUM, losses.MEAN, losses.HALF_OF_SUM, losses.HALF_OF_MEAN]
    assert {name: possible(name)[: len(general)] == general for name in OBJECTIVES} == dict.fromkeys(OBJECTIVES, True)
    assert {loss for name in OBJECTIVES for loss in possible(name)} == {*LOSSES.values()}


def test_what_is_no_objective_or_of_another_raises():
    """The message names what was asked for and what is known."""
    with pytest.raises(ValueError, match="unknown objective 'hinge'; known: binary cross-entropy, softmax"):
        possible("hinge")
    with pytest.raises(ValueError, match="belongs to 'binary cross-entropy', got 'squared error'"):
        losses.CLIPPED_MEAN.formula(SQUARED)
