"""What a run says on the terminal: a table that fits, red programs first, and lines for what has no room in a cell."""

import os
import subprocess
import sys

import pytest
import rich.cells

from report.table import PART, Table, brief
from report.terminal import NARROWEST, deviations, drawn, fitted, legend, unanswered
from tests.meta import CACHE, test_table
from tests.meta.conftest import ROOT


def check(backend="numpy", verdict="conforms", case="nand", **facts):
    return test_table.check(backend, verdict, case, **facts)


def test_programs_with_a_red_cell_come_first():
    """And the others in their order, the contract before them."""
    checks = [
        check(case="contract"),
        check(case="line"),
        check(case="nand"),
        check(case="nand", backend="torch", verdict="deviates"),
    ]
    [table] = brief(checks)
    assert [row[0] for row in table.rows] == ["nand", "contract", "line"]


@pytest.mark.parametrize(
    ("facts", "cell"),
    [
        ({"share": (0.284).hex()}, "✓ 28%"),
        ({"share": (4.53e13).hex(), "verdict": "deviates"}, "✗ 5e13×"),
        ({"share": (3.0).hex(), "verdict": "deviates", "declared": "exp"}, "≈ 3×"),
        ({"verdict": "unsupported"}, "–"),
        ({"verdict": "crashed", "cause": "SIGSEGV"}, "†"),
        ({"share": (0.5).hex(), "points": 4, "points_without_verdict": 1}, f"✓ 50%{PART}"),
    ],
    ids=["conforms", "deviates", "declared", "unsupported", "crashed", "in part"],
)
def test_a_cell_is_a_sign_and_a_share(facts, cell):
    """What does not conform says so by its sign, whatever else in the cell does."""
    [table] = brief([check(**facts)])
    assert table.rows == [["nand", cell]]


def test_the_share_is_of_the_verdict_that_is_shown():
    """The error of a declared deviation is no part of what is unsupported."""
    checks = [
        check(verdict="unsupported"),
        check(share=(9.0).hex(), verdict="deviates", declared="exp"),
        check(share=(0.5).hex()),
    ]
    [table] = brief(checks)
    assert table.rows == [["nand", "– 50%"]]


def test_seven_frameworks_fit_and_more_go_on_below():
    """No line is wider than the terminal; each part names its rows, and names of adapters lose their modules."""
    names = ["autograd", "chainer", "jax", "mxnet", "numpy", "tensorflow", "torch"]
    table = Table("float64: a title", ["case", *names], [["thermometer-generic optimizer", *["✓ 100%*"] * 7]])
    assert fitted(table, 80) == [table]
    more = Table("a title", ["case", *(f"my.adapters:Adapter{k}" for k in range(12))], [["nand", *["✓ 100%*"] * 12]])
    parts = fitted(more, 80)
    assert len(parts) == 2
    assert [name for part in parts for name in part.heading if name != "case"] == [f"Adapter{k}" for k in range(12)]
    for part in (table, *parts):
        assert max(map(rich.cells.cell_len, drawn(part, gap=0).splitlines())) <= NARROWEST


def test_lines_say_what_has_no_room():
    """Which signs occur, who gave no answer and why, and which deviations were declared where."""
    checks = [
        check(),
        check(backend="a.b:C", verdict="crashed", cause="SIGSEGV"),
        check(backend="a.b:C", verdict="timed out", cause="4 s"),
        check(backend="mxnet", verdict="deviates", declared="exp, log"),
        check(backend="mxnet", verdict="deviates", declared="exp"),
    ]
    assert legend(checks) == "✓ conforms, ≈ declared, T timed out, † crashed"
    assert unanswered(checks) == ["† a.b:C: crashed SIGSEGV in 1 checks", "T a.b:C: timed out 4 s in 1 checks"]
    described = {
        "kind": "backend",
        "name": "mxnet",
        "deviations": [{"subject": "exp", "place": "backends/mxnet/deviations.py:7"}],
    }
    assert deviations([described, *checks]) == [
        "≈ mxnet exp: 2 checks in float64, declared in backends/mxnet/deviations.py:7",
        "≈ mxnet log: 1 checks in float64",
    ]


def test_a_workflow_gets_a_summary(tmp_path):
    """Where GitHub asks for one: the counts, and each failure."""
    summary = tmp_path / "summary.md"
    chosen = ["--backend", "tests.meta.fleet.arithmetic:SumIsMean", "--case", "logistic-two", "--dtype", "float64"]
    command = [sys.executable, "-m", "pytest", "tests", "--ignore=tests/meta", *CACHE, *chosen, "-k", "test_loss"]
    subprocess.run(command, cwd=ROOT, env=os.environ | {"GITHUB_STEP_SUMMARY": str(summary)}, capture_output=True, check=False)
    text = summary.read_text()
    assert text.startswith("## Gradient conformance\n")
    assert "deviates" in text
    assert "logistic" in text
