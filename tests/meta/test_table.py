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
        "mode": "eager",
        "dtype": "float64",
        "test": "loss",
        "quantity": "loss",
        "verdict": verdict,
        "declared": None,
    } | more


MEASURED = {"error_ulp": (7.0).hex(), "share": (0.5).hex(), "share_median": (0.25).hex()}


def test_a_cell_shows_the_worst():
    """The worst verdict, the worst error, the worst fraction of a bound and the least share judged are the cell's."""
    small = {name: (0.125).hex() for name in MEASURED}
    checks = [
        check("a", **MEASURED),
        check("a", **small, points=10, points_without_verdict=6),
        check("b", "crashed"),
        check("b"),
    ]
    [table] = agreement(checks)
    assert table.heading == ["case", "a", "b"]
    assert table.rows == [["xor", "✓ 7 ulp 50%, 40% judged", "crashed"]]


def test_a_cell_says_how_a_backend_ended():
    """Behind the worst verdict stand the signals, statuses and limits of that verdict, each once, and no others."""
    ended = [check("a", "crashed", cause="SIGSEGV"), check("a", "timed out", cause="6 s")]
    [table] = agreement([*ended, check("a", "crashed", cause="SIGABRT"), ended[0], check("a")])
    assert table.rows == [["xor", "crashed SIGSEGV, SIGABRT"]]


def test_modes_of_one_quantity_have_rows_of_their_own():
    """And only they: elsewhere eager gradients and compiled training of a program stand in one row."""
    compiled = {"mode": "compiled"}
    both = [check("a"), check("a", "deviates", **compiled), check("b")]
    mixed = [check("a", case="nand"), check("a", case="nand", quantity="gradient w", **compiled), check("b", case="nand")]
    [table] = agreement([*both, *mixed])
    assert table.rows == [["nand", "✓", "✓"], ["xor compiled", "deviates", "not run"], ["xor eager", "✓", "✓"]]


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


def judged(backend, verdict="conforms", **more):
    """Return checks of loss and gradient of a backend, both with this verdict."""
    return [
        check(backend, verdict, test=name, quantity=f"{name} w", points=1, points_without_verdict=0, **more)
        for name in ("loss", "gradient")
    ]


def described(backend, engine="", measured=None, modules=(), **probed):
    stated = {"float64 matmul": "53 bits", "float32 matmul": "24 bits"}
    facts = {} if measured is None else {"measured": dict.fromkeys(measured, "1.0"), "modules": modules}
    facts |= {"engine": engine or backend, "version": "2.0", "numeric": stated, "probed": stated | probed}
    return {"kind": "backend", "name": backend, **facts}


def test_agreement_is_claimed_only_where_all_conform():
    """A pair of case and dtype is agreed on when every backend that ran conforms in each of its checks."""
    checks = [
        *judged("a"),
        *judged("b"),
        *judged("a", case="nand"),
        *judged("b", case="nand"),
        *judged("b", "deviates", case="nand"),
    ]
    checks += [*judged("a", level="class"), check("b", "unsupported", level="class")]
    assert claims(checks) == [
        "agreement of all 2 backends (a, b), as far as they have the level, on 1 of 2 programs "
        "(case, level and dtype) that two or more engines have, 1 with a deviation",
        "6 cells of backend and program: 5 judged, 1 unsupported, 0 without any verdict on a number, 0 without an answer",
    ]
    assert counts(checks) == {"conforms": 10, "deviates": 2, "unsupported": 1}


A, B, C = judged("a"), judged("b"), judged("c")
# Two of three that share an engine.
SHARED = (("a", ["x"]), ("b", ["y"]), ("c", ["y"]))
ALIKE = "no agreement is claimed: no two of the backends that ran have separate engines"
COARSE = described("b", **{"float64 matmul": "24 bits"})


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (A, "no agreement is claimed: one backend ran: a computes"),
        ([*A, check("b", "crashed")], "no agreement is claimed: one backend ran: a computes"),
        ([*A, *B, check("c", "missing")], "no agreement is claimed: asked for and missing or not judged: c"),
        ([*A, *judged("b", "uninformative")], "no agreement is claimed: one backend ran: a computes"),
        (
            [*A, *B, described("a", "numpy"), described("b", "numpy")],
            ALIKE + ": a computes with numpy; b computes with numpy",
        ),
        (
            [*A, *B, described("a", "x", ["numpy"]), described("b", "y", ["numpy"])],
            ALIKE + ": a",
        ),
        (
            [*A, *B, described("a", "x", ["torch"]), described("b", "y", ["jax", "torch"])],
            ALIKE + ": a computes with torch; b computes with jax, torch",
        ),
        # Each shares one with each other, and none is shared by all.
        (
            [*A, *B, *C, *(described(n, n, e) for n, e in (("a", ["x", "y"]), ("b", ["y", "z"]), ("c", ["z", "x"])))],
            ALIKE,
        ),
        (
            [*A, *B, *C, *(described(n, n, e) for n, e in (("a", ["x"]), ("b", ["x", "y"]), ("c", ["y"])))],
            "agreement of all 3 backends (a, b, c), as far as they have the level, on 1 of 1 programs",
        ),
        (
            [*A, *judged("b", case="nand"), *judged("c", case="nand"), *(described(n, n, e) for n, e in SHARED)],
            "no agreement, as far as they have the level, on 0 of 0 programs",
        ),
        (
            [*A, *B, described("a", "x", []), described("b", "x", ["x"])],
            ALIKE,
        ),
        ([*A, *B, described("a", "x", [], ["m"]), described("b", "y", [], ["n"])], "on 1 of 1 programs"),
        (
            [*A, *B, described("a", "x", [], ["m"]), described("b", "y", [], ["n", "m"])],
            ALIKE + ": a computes with m, x; b computes with m, n, y",
        ),
        ([*A, *B, described("a", "x", ["torch"], ["m"]), described("b", "y", ["jax"], ["m"])], "on 1 of 1 programs"),
        (
            [*A, *B, described("a", "x", []), described("b", "y", ["y"])],
            "a: its engine is stated as x 2.0 and cannot be measured: of the known frameworks it uses none, ",
        ),
        ([check("a"), check("b")], "no agreement is claimed: 0 engines ran"),
        ([*A, *B, check("b", "uninformative")], "no agreement, as far as they have the level, on 0 of 1 programs"),
        ([*A, *B, check("b", "uninformative")], ", 1 without a verdict in some check"),
        ([*A, B[0]], ", 1 of which loss and gradient were not judged in every backend alike"),
        ([A[0], B[0]], ", 1 of which loss and gradient were not judged in every backend alike"),
        ([*A, *B, check("c", "failed")], ", 1 with a backend that gave no answer"),
        ([*A, *B, check("b", "deviates", declared="x")], ", 1 with a declared deviation"),
        ([*A, *B, check("b", "deviates", case="contract")], ", 1 with a backend that breaks the contract"),
        ([*A, *B, check("b", "deviates", case="contract", dtype="float32")], "on 1 of 1 programs"),
        ([*A, *B, COARSE], ", 1 in numeric modes that are not those stated, or not probed"),
        ([*A, *B, COARSE], "float64 matmul: 24 bits found, 53 bits stated"),
        ([*A, *B, described("b", **{"float32 matmul": "11 bits"})], "on 1 of 1 programs"),
        ([*judged("a", dtype="float16"), *judged("b", dtype="float16"), described("a")], ", 1 in numeric modes"),
        (
            [*A, *judged("b", "uninformative"), *judged("c")],
            "3 cells of backend and program: 2 judged, 0 unsupported, 1 without any",
        ),
    ],
)
def test_no_agreement_is_claimed_where_none_can_be(records, words):
    """Backends that gave no verdict or no answer, are missing, one engine, or in other modes end the claim, and are counted."""
    assert words in "\n".join(claims(records))


def test_modes_of_a_dtype_that_is_not_judged_are_not_told():
    """Nobody asked for them; those of a dtype that is judged are."""
    other = described("b", **{"float32 matmul": "11 bits", "float64 matmul": "24 bits"})
    for dtypes, told in ((("float64",), 1), (("float32",), 1), (("float32", "float64"), 2)):
        checks = [one for dtype in dtypes for name in "ab" for one in judged(name, dtype=dtype)]
        lines = [line for line in claims([*checks, described("a"), other]) if line.startswith("b ")]
        assert [line.split(":")[0] for line in sorted(lines)] == [f"b {dtype}" for dtype in dtypes]
        assert len(lines) == told


def test_a_backend_without_a_check_is_not_passed_over():
    """A backend that was asked for and of which no number was judged ends the claim."""
    assert claims([*A, *B], ["a", "b", "c"])[0] == "no agreement is claimed: asked for and missing or not judged: c"


def test_slack_is_bound_over_error():
    """The median is that of the checks' medians, the least that of their worst errors."""
    assert slack([check("a", **MEASURED)]) == [
        "float64: the bound is 4.0 times the error in the median check, 2.00 times in the tightest"
    ]
    assert slack([check("a", case="contract", **MEASURED)]) == []


def test_share_of_a_check_without_points():
    """What is judged as a whole is judged wholly."""
    assert judged_share(check("a")) == 1
