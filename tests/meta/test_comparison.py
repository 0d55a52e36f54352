"""A verdict and its numbers: every field of a judgement, from comparisons that are worked out by hand."""

import dataclasses
import math

import numpy as np
import pytest
from flint import arb, ctx

from arithmetic.doubles import Doubles
from oracle.comparison import Comparison, _discriminates
from oracle.expected import beside
from vocabulary.words import CONFORMS, DEVIATES, UNINFORMATIVE

U = 2.0**-52  # the unit in the last place of float64 in [1, 2)


def is_bound(bound, *sizes):
    """Whether a bound is of these sizes, rounded up: Arb holds a radius in 30 bits, and each operation may add a last one."""
    return all(size < got < size + size * 2.0**-27 for got, size in zip(bound.tolist(), sizes, strict=True))


def add(comparison, index, got, truth, balls, origin=None):
    """Append a row whose exact values and bounds are balls of Arb."""
    origins = None if origin is None else np.array([origin])
    comparison.add([index], np.array([got]), beside(np.array([truth], object), np.array([balls], object)), origins)


def compared(rows, shape=(2,), row="step", row_numbers=None):
    """Return a comparison of ``rows``, which are (results, exact values, bounds)."""
    comparison = Comparison("gradient w", "float64", shape, row, row_numbers)
    for index, (got, truth, bound) in enumerate(rows):
        add(comparison, index, got, [arb(t) for t in truth], [arb(t, b) for t, b in zip(truth, bound, strict=True)])
    return comparison


def test_a_judgement_of_sound_rows():
    """The entry that uses most of its bound decides; the median is that of all entries, the error the worst in ulp."""
    rows = [
        ([1.0, 2.0 + 2 * U], [1.0, 2.0], [8 * U, 8 * U]),
        ([1.5 + 6 * U, 3.0], [1.5, 3.0], [8 * U, 16 * U]),
        ([1.0, 3.0 - 8 * U], [1.0, 3.0], [8 * U, 32 * U]),
    ]
    judgement = compared(rows).judge()
    assert (judgement.verdict, judgement.message, judgement.declared, judgement.first) == (CONFORMS, "", None, None)
    assert (judgement.where, judgement.entry) == ("gradient w[0] at step 1", 0)
    assert [judgement.got.tolist(), judgement.truth.tolist()] == [[1.5 + 6 * U, 3.0], [1.5, 3.0]]
    assert is_bound(judgement.bound, 8 * U, 16 * U)
    assert judgement.error_ulp == 6
    assert judgement.share == 6 * U / judgement.bound[0]
    assert judgement.share_median == 2 * U / judgement.bound[0] / 2  # between 0, of three entries of six, and 2 of 8
    assert (judgement.entries, judgement.too_wide, judgement.points, judgement.points_without_verdict) == (6, 0, 3, 0)


ROWS = {
    "right": ([1.0, 2.0], [1.0, 2.0], [0.25, 0.25]),
    "wrong": ([1.3, 2.5], [1.0, 2.0], [0.25, 0.25]),
    "worst": ([2.0, 2.0], [1.0, 2.0], [0.25, 0.25]),
}
FIRST = "gradient w[1] at step 20: got 2.5, expected 2.0, off by 0.5 (1.13e+15 ulp of float64), allowed 0.25; "
WORST = "gradient w[0] at step 20: got 2.0, expected 1.0, off by 1 (4.5e+15 ulp of float64), allowed 0.25; "


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("right", "wrong", "worst"),
            FIRST + "the error is 2 times the bound; 2 of 3 steps are outside, and this is the first; "
            "the worst is gradient w[0] at step 70, off by 4 times the bound",
        ),
        (
            ("right", "worst", "wrong"),
            WORST + "the error is 4 times the bound; 2 of 3 steps are outside, and this is the first and the worst",
        ),
        (("right", "wrong", "right"), FIRST + "the error is 2 times the bound; no other of 3 steps is outside"),
    ],
    ids=["later ones are worse", "the first is the worst", "one"],
)
def test_a_judgement_of_wrong_rows(words, message):
    """All that is shown is of the first row outside, by its worst entry; how many are outside and the worst come after it."""
    comparison = compared([ROWS[word] for word in words], row_numbers=[10, 20, 70])
    judgement = comparison.judge()
    assert comparison.outside == [k for k, word in enumerate(words) if word != "right"]
    assert (judgement.verdict, judgement.message) == (DEVIATES, message)
    got, truth, _ = ROWS[words[1]]
    entry = 0 if words[1] == "worst" else 1
    assert (judgement.where, judgement.entry) == (f"gradient w[{entry}] at step 20", entry)
    assert (judgement.got.tolist(), judgement.truth.tolist(), judgement.first) == (got, truth, 1)
    assert is_bound(judgement.bound, 0.25, 0.25)


def test_the_numbers_of_wrong_rows_are_over_all():
    """How much of the bound is used and the error in ulp are the largest of all rows, whichever is shown."""
    judgement = compared([ROWS["right"], ROWS["wrong"], ROWS["worst"]]).judge()
    assert (judgement.share, judgement.error_ulp) == (1 / judgement.bound[0], 1 / U)
    assert (judgement.entries, judgement.points_without_verdict) == (6, 0)


def test_what_is_unexplained():
    """A deviation is, unless a declaration explains it."""
    [wrong, right] = (compared([ROWS[word]]).judge() for word in ("wrong", "right"))
    declared = dataclasses.replace(wrong, declared="tanh")
    assert [judgement.unexplained for judgement in (wrong, right, declared)] == [True, False, False]


@pytest.mark.parametrize(
    ("shape", "entry", "row", "where"),
    [
        ((), 0, "", "gradient w"),
        ((), 0, "step", "gradient w at step 0"),
        ((3,), 2, "", "gradient w[2]"),
        ((2, 3), 4, "", "gradient w[1, 1]"),
        ((2, 3), 3, "start", "gradient w[1, 0] at start 0"),
    ],
)
def test_the_place_of_an_error(shape, entry, row, where):
    """An entry is named by its index in the shape of the quantity, a row where rows have a name."""
    truth = np.arange(1.0, 1 + math.prod(shape))
    got = truth + np.eye(truth.size)[entry]
    judgement = compared([(got.tolist(), truth.tolist(), [U] * truth.size)], shape, row).judge()
    assert (judgement.where, judgement.entry) == (where, entry)
    expected = float(truth[entry])
    ulps = 1 / np.spacing(expected)
    assert judgement.message == (
        f"{where}: got {expected + 1!r}, expected {expected!r}, off by 1 ({ulps:.3g} ulp of float64), "
        f"allowed {U:.3g}; the error is {1 / U:.3g} times the bound"
    )


@pytest.mark.parametrize("got", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_outside_every_bound(got):
    """NaN and the infinities are off by infinitely much, and outside any bound that is finite."""
    comparison = compared([([1.0, got], [1.0, 2.0], [U, 1e300])])
    judgement = comparison.judge()
    assert comparison.outside == [0]
    assert (judgement.verdict, judgement.entry, judgement.share, judgement.error_ulp) == (DEVIATES, 1, math.inf, math.inf)


def test_an_infinite_bound_admits_all():
    """An entry without a finite bound is not outside, and its row gives no verdict; others still do."""
    rows = [([math.inf, 1.0], [1.0, 1.0], [math.inf, U]), ([1.0, 1.0 + U], [1.0, 1.0], [2 * U, 2 * U])]
    comparison = compared(rows)
    assert comparison.outside == []
    judgement = comparison.judge()
    assert (judgement.verdict, judgement.where, judgement.share) == (
        CONFORMS,
        "gradient w[1] at step 1",
        U / judgement.bound[1],
    )
    assert (judgement.entries, judgement.points, judgement.points_without_verdict) == (2, 2, 1)
    alone = compared(rows[:1]).judge()
    assert (alone.verdict, alone.message) == (UNINFORMATIVE, "the bound is infinite")
    assert (alone.error_ulp, alone.share, alone.share_median, alone.entries) == (None, None, None, 0)


def test_a_ball_that_is_no_number_is_an_infinite_bound():
    """Where not even a ball comes out, as of a logarithm of what may be negative, everything is admitted."""
    comparison = Comparison("x", "float64", (1,))
    add(comparison, 0, [1.0], [arb(1)], [arb(0, 1).log()])
    assert comparison.outside == []
    judgement = comparison.judge()
    assert (judgement.verdict, judgement.bound.tolist()) == (UNINFORMATIVE, [math.inf])


def test_a_row_that_cannot_tell_hides_no_error():
    """Of a row that admits wrong results an entry outside its bound still deviates, and is all that is judged of it."""
    rows = [([8.0, 1.0], [1.0, 2.0], [4.0, 4.0]), ([1.0, 2.5], [1.0, 2.0], [4.0, 4.0])]
    judgement = compared(rows).judge()
    assert (judgement.verdict, judgement.first, judgement.entries) == (DEVIATES, 0, 1)
    assert judgement.share == judgement.share_median == 7 / judgement.bound[0]
    assert judgement.points_without_verdict == 1
    admits = compared(rows[1:]).judge()
    assert (admits.verdict, admits.message) == (UNINFORMATIVE, "a wrong result would be inside the bound too")
    assert (admits.entry, admits.entries, admits.share) == (1, 0, None)
    unbounded = compared([([1.0, 2.0], [1.0, 2.0], [math.inf, 4.0])]).judge()
    assert (unbounded.verdict, unbounded.message, unbounded.entry) == (UNINFORMATIVE, "the bound is infinite", 1)
    both = compared([rows[1], ([1.0, 2.0], [1.0, 2.0], [math.inf, 4.0])]).judge()
    assert (both.message, both.points_without_verdict) == (admits.message, 2)


def test_a_row_that_cannot_tell_does_not_decide():
    """The place and the numbers shown are of an entry that is judged, whatever another uses of a bound that says nothing."""
    rows = [([2.0, 2.0], [1.0, 2.0], [2.0, 2.0]), ([1.0, 2.0 + 2 * U], [1.0, 2.0], [8 * U, 8 * U])]
    judgement = compared(rows).judge()
    assert (judgement.verdict, judgement.where) == (CONFORMS, "gradient w[1] at step 1")
    assert (judgement.share, judgement.entries, judgement.points_without_verdict) == (2 * U / judgement.bound[1], 2, 1)
    assert judgement.error_ulp == 1


def test_errors_where_zero_is_exact():
    """A bound of zero admits zero alone; the error of nothing is no part of it."""
    assert compared([([0.0, 0.0], [0.0, 0.0], [0.0, 0.0])]).judge().share == 0
    judgement = compared([([0.0, 5e-324], [0.0, 0.0], [0.0, 0.0])]).judge()
    assert (judgement.verdict, judgement.entry, judgement.share) == (DEVIATES, 1, math.inf)


def test_blind_entries():
    """An entry is blind whose bound reaches half its value, unless it is exact or outside; its error does not count."""
    truth, bound = [1.0, 1.0, 8.0, 0.0, 1.0], [0.4375, 0.5, 3.9, 0.0, 0.5]
    got = [1.0 + 2 * U, 1.25, 8.0, 0.0, 2.0]
    judgement = compared([(got, truth, bound)], (5,)).judge()
    assert (judgement.verdict, judgement.too_wide, judgement.error_ulp) == (DEVIATES, 1, 1 / U)
    sound = compared([([*got[:4], 1.0], truth, bound)], (5,)).judge()
    assert (sound.verdict, sound.too_wide, sound.error_ulp) == (CONFORMS, 2, 2)


def test_a_bound_belongs_to_what_it_admits():
    """What is off by the bound exactly is inside it, the next number is not; an entry is blind from the same point on."""
    [bound] = set(compared([([1.0, 2.0], [1.0, 2.0], [0.5, 0.5])]).judge().bound.tolist())
    for got, verdict in ((bound, CONFORMS), (math.nextafter(bound, math.inf), DEVIATES)):
        comparison = compared([([got, 64.0], [0.0, 64.0], [0.5, 0.5])])
        assert comparison.judge().verdict == verdict
        assert comparison.outside == ([] if verdict == CONFORMS else [0])
    judgement = compared([([2 * bound, 64.0], [2 * bound, 64.0], [0.5, 0.5])]).judge()
    assert (judgement.verdict, judgement.too_wide) == (CONFORMS, 1)


def test_numbers_at_the_end_of_the_range():
    """The 1.5-fold of the largest number overflows and is thrown out like any other, without a warning."""
    largest = float(np.finfo("float64").max)
    judgement = compared([([largest, -largest], [largest, -largest], [1.0, 1.0])]).judge()
    assert (judgement.verdict, judgement.too_wide, judgement.error_ulp) == (CONFORMS, 0, 0)
    beyond = Comparison("x", "float64", (1,))
    add(beyond, 0, [math.inf], [arb(10) ** 400], [arb(0, math.inf)])
    assert (beyond.judge().verdict, beyond.judge().message) == (UNINFORMATIVE, "the bound is infinite")


@pytest.mark.parametrize(
    ("truth", "half"),
    [
        ([4.0], 2.0),  # the 1.5-fold result is nearest
        ([-4.0], 2.0),
        ([4.0, 5.0], 1.0),  # the permuted one, in the entry that it changes most
        ([4.0, 5.0, 7.0], 3.0),
        ([1.0, -8.0], 4.0),
    ],
)
def test_the_guard_asks_for_the_nearest_wrong_result(truth, half):
    """A bound below the distance to every wrong result is informative; one that reaches the nearest is not."""
    for size, verdict in ((half - 2.0**-20, CONFORMS), (half, UNINFORMATIVE)):
        comparison = compared([(truth, truth, [size] * len(truth))], (len(truth),))
        assert comparison.judge().verdict == verdict
    # Bounds of balls are rounded up; here the distance itself is one.
    sizes = np.full((2, len(truth)), [[math.nextafter(half, 0)], [half]])
    assert _discriminates(np.array([truth, truth]), sizes).tolist() == [True, False]


def test_a_change_is_judged_from_where_it_starts():
    """The blind entries and the guard are of the change, the error in ulp is of the weight."""
    comparison = Comparison("updated w", "float64", (1,))
    add(comparison, 0, [8.0 + 8 * U], [arb(8)], [arb(8, 2.0**-4)], [7.5])
    judgement = comparison.judge()
    assert (judgement.verdict, judgement.too_wide, judgement.error_ulp) == (CONFORMS, 0, 1)
    comparison = Comparison("updated w", "float64", (1,))
    add(comparison, 0, [8.0], [arb(8)], [arb(8, 2.0**-4)], [8 - 2.0**-4])
    assert comparison.judge().verdict == UNINFORMATIVE


def test_an_unknown_row_is_counted_and_not_judged():
    """Where the point is not finite nothing is said of its results, and the rows around it are judged as ever."""
    comparison = Comparison("gradient w", "float64", (2,), "step", [3, 5, 9])
    add(comparison, 0, [1.0, 2.0], [arb(1), arb(2)], [arb(1, U), arb(2, U)])
    comparison.add_unknown([1], np.array([[math.nan, 1.0]]))
    add(comparison, 2, [1.0, 2.5], [arb(1), arb(2)], [arb(1, U), arb(2, U)])
    judgement = comparison.judge()
    assert comparison.outside == [2]
    assert (judgement.verdict, judgement.where, judgement.first) == (DEVIATES, "gradient w[1] at step 9", 2)
    assert (judgement.points, judgement.entries, judgement.points_without_verdict) == (3, 4, 1)
    alone = comparison.empty()
    alone.add_unknown([1], np.array([[0.0, 1.0]]))
    judgement = alone.judge()
    assert (judgement.verdict, judgement.message, judgement.where) == (
        UNINFORMATIVE,
        "the bound is infinite",
        "gradient w[0] at step 5",
    )
    assert judgement.got.tolist() == [0.0, 1.0]
    assert np.isnan(judgement.truth).all()
    assert np.isinf(judgement.bound).all()


def test_an_empty_comparison_is_of_the_same_quantity():
    """It differs from the one it is made of by its rows alone."""
    full = compared([([1.0, 2.0], [1.0, 2.0], [U, U])], row_numbers=[7])
    empty = Comparison("gradient w", "float64", (2,), "step", [7])
    assert vars(full.empty()) == vars(empty) != vars(full)


def test_rows_are_guarded_one_by_one():
    """Whether a row can tell right from wrong is no matter of the rows beside it."""
    truth = np.array([[1.0, 1.0], [1.25, 1.25], [1.0, 1.25], [0.0, 0.0], [0.0, 0.0], [-8.0, 8.0]])
    bound = np.array([[0.375, 0.375], [0.375, 0.375], [0.375, 0.375], [0.0, 0.0], [0.125, 0.0], [4.0, 4.0]])
    alone = [_discriminates(truth[k : k + 1], bound[k : k + 1]).item() for k in range(6)]
    assert _discriminates(truth, bound).tolist() == alone == [True, True, False, True, False, False]


def test_a_bound_is_rounded_up():
    """Whatever precision flint is set to, a bound is no less than the end of its ball."""
    comparison = Comparison("x", "float64", (1,))
    with ctx.workprec(200):
        end = arb(1) + arb(2) ** -60
        add(comparison, 0, [0.0], [arb(0)], [end])
        assert arb(comparison.judge().bound[0]) > end


@pytest.mark.parametrize("middle", [0.0, 1.0, -3.0])
def test_a_bound_is_from_the_truth_to_the_far_end_of_the_ball(middle):
    """It is no less than the distance to either end, whichever side of the truth the ball is wider on."""
    for shift in (-0.5, 0.5):
        comparison = Comparison("x", "float64", (1,))
        add(comparison, 0, [middle], [arb(middle)], [arb(middle + shift, 0.25)])
        judgement = comparison.judge()
        assert is_bound(judgement.bound, 0.75)
        assert judgement.where == "x[0]"


@pytest.mark.parametrize("short", ["got", "expected", "origin"])
def test_a_row_has_one_length(short):
    """Results, what is right and origins belong together entry by entry: one too few is an error."""
    row = {"got": np.ones((1, 2)), "expected": Doubles.of(np.ones((1, 2))), "origin": np.ones((1, 2)) / 2}
    with pytest.raises(ValueError, match=r"rows of updated w have the shapes "):
        Comparison("updated w", "float64", (2,)).add([0], **row | {short: row[short][:, :1]})


def test_the_error_is_to_the_middle_of_the_truth():
    """The truth is a ball too: its middle is what results are held against, and its width is part of the bound."""
    comparison = Comparison("x", "float64", (1,))
    add(comparison, 0, [1.25], [arb(1, 0.125)], [arb(1, 0.25)])
    judgement = comparison.judge()
    assert (judgement.truth.tolist(), judgement.share) == ([1.0], 0.25 / judgement.bound[0])
    assert is_bound(judgement.bound, 0.375)
