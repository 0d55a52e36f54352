"""The table and the sentences below it say what the records say."""

import pytest

from report.table import agreement, counts, is_red, judged_share, slack
from report.validity import claims


def check(backend, verdict="conforms", case="xor", **more):
    return {
        "kind": "check",
        "backend": backend,
        "case": case,
        "level": "autodiff",
        "dtype": "float64",
        "verdict": verdict,
        "declared": None,
    } | more


MEASURED = {"error_ulp": (7.0).hex(), "used": (0.5).hex(), "used_median": (0.25).hex()}


def test_a_cell_shows_the_worst():
    """The worst verdict, the worst error, the worst fraction of a bound and the least share judged are the cell's."""
    small = {name: (0.125).hex() for name in MEASURED}
    checks = [check("a", **MEASURED), check("a", **small, rows=10, uninformative=6), check("b", "crashed"), check("b")]
    [table] = agreement(checks)
    assert table.heading == ["case", "a", "b"]
    assert table.rows == [["xor", "✓ 7 ulp 50%, 40% judged", "crashed"]]


def test_a_cell_says_how_a_backend_ended():
    """Behind the worst verdict stand the signals, statuses and limits of that verdict, each once, and no others."""
    ended = [check("a", "crashed", cause="SIGSEGV"), check("a", "timed out", cause="6 s")]
    [table] = agreement([*ended, check("a", "crashed", cause="SIGABRT"), ended[0], check("a")])
    assert table.rows == [["xor", "crashed SIGSEGV, SIGABRT"]]


def test_what_was_not_run_is_said():
    """A case that one backend lacks is no empty cell."""
    [table] = agreement([check("a"), check("b", case="nand")])
    assert table.rows == [["nand", "not run", "✓"], ["xor", "✓", "not run"]]


@pytest.mark.parametrize("verdict", ["deviates", "failed", "crashed", "timed out", "missing"])
def test_red_verdicts(verdict):
    """Every word but four fails a run; a deviation that is declared does not."""
    assert is_red(check("a", verdict))
    assert not any(is_red(check("a", word)) for word in ("conforms", "uninformative", "unsupported"))
    assert not is_red(check("a", "deviates", declared="sigmoid"))


def test_agreement_is_claimed_only_where_all_conform():
    """A pair of case and dtype is agreed on when every backend that ran conforms in each of its checks."""
    checks = [check("a"), check("b"), check("a", case="nand"), check("b", case="nand"), check("b", "deviates", case="nand")]
    checks += [check("a", level="class"), check("b", "unsupported", level="class")]
    assert claims(checks) == [
        "agreement of all 2 backends (a, b), as far as they have the level, on 1 of 2 programs "
        "(case, level and dtype) that two or more of them have, 1 with a deviation",
        "6 cells of backend and program: 5 judged, 1 unsupported, 0 uninformative in every check, 0 without an answer",
    ]
    assert counts(checks) == {"conforms": 5, "deviates": 1, "unsupported": 1}


def modes(backend, **probed):
    stated = {"float64 matmul": "53 bits", "float32 matmul": "24 bits"}
    return {"kind": "backend", "name": backend, "numeric": stated, "probed": stated | probed}


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([check("a")], "no agreement is claimed: 1 backend ran"),
        ([check("a"), check("b", "crashed")], "no agreement is claimed: 1 backend ran"),
        ([check("a"), check("b"), check("c", "missing")], "no agreement is claimed: c was asked for and is missing"),
        ([check("a"), check("b", "uninformative")], "no agreement is claimed: 1 backend ran"),
        ([check("a"), check("b"), check("b", "uninformative")], "on 0 of 1 programs"),
        ([check("a"), check("b"), check("b", "uninformative")], ", 1 without a verdict in some check"),
        ([check("a"), check("b"), check("c", "failed")], ", 1 with a backend that gave no answer"),
        ([check("a"), check("b"), check("b", "deviates", declared="x")], ", 1 with a declared deviation"),
        ([check("a"), check("b"), modes("b", **{"float64 matmul": "24 bits"})], ", 1 computed in another numeric mode"),
        (
            [check("a"), check("b"), modes("b", **{"float64 matmul": "24 bits"})],
            "float64 matmul: 24 bits found, 53 bits stated",
        ),
        ([check("a"), check("b"), modes("b", **{"float32 matmul": "11 bits"})], "on 1 of 1 programs"),
        (
            [check("a"), check("b", "uninformative"), check("c")],
            "3 cells of backend and program: 2 judged, 0 unsupported, 1 un",
        ),
    ],
)
def test_no_agreement_is_claimed_where_none_can_be(records, words):
    """Backends that gave no verdict or no answer, are missing or compute in other modes end the claim, and are counted."""
    assert words in "\n".join(claims(records))


def test_slack_is_bound_over_error():
    """The median is that of the checks' medians, the least that of their worst errors."""
    assert slack([check("a", **MEASURED)]) == [
        "float64: the bound is 4.0 times the error in the median check, 2.00 times in the tightest"
    ]
    assert slack([check("a", case="contract", **MEASURED)]) == []


def test_share_of_a_check_without_rows():
    """What is judged as a whole is judged wholly."""
    assert judged_share(check("a")) == 1
