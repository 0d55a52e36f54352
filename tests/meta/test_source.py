"""Rules that the source keeps to."""

import json
import re

import pytest

from tests.meta.conftest import ROOT
from tests.meta.tolerances import small_constants, tolerances

JUDGING = sorted(
    path
    for folder in ("vocabulary", "arithmetic", "cases", "backends", "oracle", "runner", "tests")
    for path in (ROOT / folder).rglob("*.py")
)


CONSTANTS = {".".join(path.relative_to(ROOT).with_suffix("").parts): small_constants(path.read_text()) for path in JUDGING}
# Comparisons with small numbers that decide no verdict: file, comparison as Python prints it, reason.
ALLOWED = (
    (
        "cases/nand.py",
        "loss < 0.0004",
        "the goal of a run, as its source has it: whether it converged, not whether it is right",
    ),
    ("tests/meta/fleet/rounding.py", "x.value >= self.least", "the fault that is planted: log clipped below this number"),
    ("tests/meta/fleet/layers.py", "p.value > self.least", "the fault that is planted: probabilities clipped here"),
    ("tests/meta/fleet/layers.py", "p.value < 1 - self.least", "the fault that is planted: probabilities clipped here"),
    ("tests/meta/rivals.py", "assert_clos" + "e", "runs other tools, which have tolerances"),
    ("tests/meta/rivals.py", "allclos" + "e", "runs other tools, which have tolerances"),
    (
        "tests/meta/test_rounding.py",
        "0 <= judged.bound[0] - allowed < unit * allowed + allowed * 2.0 ** (-20)",
        "a bound is printed rounded up; this says how far up",
    ),
    (
        "tests/meta/test_ways.py",
        "wrong < 0.001 * abs(p - y).max()",
        "what an extrapolation of two runs leaves beside the error that it takes away: three digits show the mechanism",
    ),
    ("tests/meta/test_truth.py", "round(float.fromhex(measured['worst']), 6) == 2", "a drift in digits, made up as 10 ** -2"),
    ("tests/meta/test_truth.py", "round(float.fromhex(measured['end']), 6) == 3", "a drift in digits, made up as 10 ** -3"),
    ("oracle/expected.py", "x.e <= SHARP * x.r", "where it does not hold, the truth is computed with more bits"),
    ("arithmetic/doubles.py", "radius >= LEAST_RADIUS", "where it does not hold, doubles are left and Arb is asked"),
    ("arithmetic/elementary.py", "size < 2.0 ** (-40)", "where it does not hold, doubles are left and Arb is asked"),
    ("arithmetic/elementary.py", "x.r <= WIDEST", "where it does not hold, doubles are left and Arb is asked"),
    ("arithmetic/fast.py", "np.abs(x.hi) * (1 - 4 * U) > x.r", "whether the sign of a ball is sure, its own rounding counted"),
    (
        "tests/meta/test_doubles.py",
        "y.e[k] <= 2.0 ** (-80) * abs(float(exactly(middle)))",
        "how sharp a function is in doubles; one that is less so leaves more to Arb, and decides no verdict",
    ),
    (
        "tests/meta/test_comparison.py",
        "size < got < size + size * 2.0 ** (-27)",
        "the test makes this number",
    ),
)


@pytest.mark.parametrize("path", JUDGING, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_tolerance_literals(path):
    """A tolerance is a rounding bound or it does not exist; what looks like one and is none is named with its reason."""
    allowed = [text for file, text, _ in ALLOWED if file == str(path.relative_to(ROOT))]
    assert sorted(tolerances(path.read_text(), CONSTANTS)) == sorted(allowed)


def test_exceptions_are_of_files_that_are_looked_at():
    """An exception of a file that is gone would stand for nothing."""
    assert {file for file, *_ in ALLOWED} <= {str(path.relative_to(ROOT)) for path in JUDGING}


@pytest.mark.parametrize(
    "source",
    [
        "assert abs(x - y) < 1e-6",
        "assert 1e-6 > abs(x - y)",
        "assert -1e-6 < x - y < 1e-6",
        "assert not abs(x - y) >= 0.05",
        "assert abs(x / y - 1) <= 10 ** -6",
        "assert abs(x - y) < 2.0 ** -20 * abs(y)",
        "assert x / y < 1 + 1e-6",
        "assert abs(x - y) < x.dtype.type(1e-6)",
        "assert abs(x - y) < 1 / 1000",
        "assert (abs(x - y) < 1e-6).all()",
        "assert np.less(abs(x - y), 1e-6).all()",
        "np.testing.assert_array_less(abs(x - y), 1e-6)",
        "EPS = 1e-6\nassert abs(x - y) < EPS",
        "EPS: float = 1e-6\nassert abs(x - y) < EPS",
        "EPS = np.float32(1e-6)\nassert EPS > abs(x - y)",
        "EPS = {'float32': 1e-6, 'float64': 1e-12}\nassert abs(x - y) < EPS[dtype]",
        "from module import EPS\nassert abs(x - y) < EPS",
        "from module import EPS as little\nassert abs(x - y) < little",
        "class Near:\n    eps = 1e-6\n    def near(self, x, y):\n        return abs(x - y) < self.eps",
        "def near(x, y, eps=1e-6):\n    return abs(x - y) < eps",
        "def near(x, y, *, eps=1e-6):\n    return abs(x - y) < eps",
        "for eps in (1e-6, 1e-3):\n    assert abs(x - y) < eps",
        "assert round(x, 6) == round(y, 6)",
        "assert x == y.round(6)",
        "assert np.around(x, decimals=6) == y",
        "assert math.isclos" + "e(x, y)",
        "from math import isclos" + "e as same",
        "assert x == pytest.appro" + "x(y)",
        "same = functools.partial(np.allclos" + "e, equal_nan=True)",
        "compare(x, y, rto" + "l=0)",
        "def compare(x, y, ato" + "l): ...",
        "np.testing.assert_almost_equa" + "l(x, y)",
        "np.testing.assert_array_max_ul" + "p(x, y, 4)",
    ],
)
def test_a_tolerance_is_seen(source):
    """However it is written: as a literal, a constant, a default or an attribute, by its name, or by rounding."""
    assert tolerances(source, {"module": {"EPS"}})


@pytest.mark.parametrize(
    "source",
    [
        "assert x == 1e-6",
        "assert abs(x - y) <= bound",
        "assert 0 <= share < 1",
        "assert share < 0.5",
        "step = x - 1e-6 * gradient",
        "assert judge(1e-7) == DEVIATES",
        "RATE = 1e-3\nassert train(RATE) == path",
        "values = np.array([1e-6, 0.7])\nassert (values < bound).all()",
        "from module import OTHER\nassert abs(x - y) < OTHER",
        "from elsewhere import EPS\nassert abs(x - y) < EPS",
        "assert exact.round(x) == y",
        "print(round(seconds, 1))",
        "assert f'{x:.4f}' == '0.5000'",
        "def closest(approximate): ...",
    ],
)
def test_what_is_no_tolerance_is_let_pass(source):
    """Exact comparisons, bounds, data, learning rates and what is rounded for a reader."""
    assert tolerances(source, {"module": {"EPS"}}) == []


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_states_its_claim(path):
    """Every test has a docstring."""
    functions = re.findall(r"^def (test_\w+)\([^)]*\):\n    (.{3})", path.read_text(), re.MULTILINE)
    assert [name for name, start in functions if start != '"""'] == []


def test_every_kind_of_record_has_a_definition():
    """A kind that the schema lists and does not define would be read unseen."""
    schema = json.loads((ROOT / "report" / "results.schema.json").read_text())
    items = schema["properties"]["records"]["items"]
    defined = {rule["if"]["properties"]["kind"]["const"]: rule["then"]["$ref"] for rule in items["allOf"]}
    assert defined == {kind: f"#/$defs/{kind}" for kind in items["properties"]["kind"]["enum"]}
    assert all(schema["$defs"][kind]["properties"]["kind"] == {"const": kind} for kind in defined)
