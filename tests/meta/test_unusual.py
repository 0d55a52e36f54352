"""No check of a sound but unusual adapter is red; some adapters of each framework and each kind are judged here.

``python -m tests.meta.unusual`` judges all of them on all cases.
"""

import pytest

import backends
from backends import FRAMEWORKS
from report.table import is_red
from tests.meta.unusual import unusual
from tests.meta.unusual.__main__ import judged

ADAPTERS = {adapter.name: adapter for adapter in unusual()}
BOTH = ("float32", "float64")
# Those of numpy in both precisions; of the other frameworks, which take longer, each in one of them.
PARTS = [
    (("numpy.Reversed", "numpy.Pairwise", "numpy.Lanes16", "numpy.Compensated", "numpy.Einsum", "numpy.Loops",
      "numpy.Float64Inside", "numpy.LongDouble"), BOTH),
    (("numpy.Branches", "numpy.OtherForms", "numpy.SquareFirst", "numpy.OnAtZero", "numpy.Strided", "numpy.ReadOnly",
      "numpy.ManyPoints", "numpy.DualNumbers"), BOTH),
    (("autograd.MakeJvp", "autograd.Primitives", "torch.Jacfwd", "torch.Fused", "jax.CustomRules", "chainer.Closures"),
     ("float32",)),
    (("autograd.Flat", "autograd.FlatOptimizer", "torch.DoubleInside", "torch.ClosureAndGroups", "tensorflow.Persistent",
      "mxnet.Hybridized"), ("float64",)),
]  # fmt: skip
QUICK = [name for names, _ in PARTS for name in names]
CASES = ("line-generic", "nand-saturated", "relu-generic", "square-generic", "tanh-neuron-generic")
SHORT = """
from cases import Batches, nand, shuffled

NAND = nand.NAND.but("nand-short", steps=10)
ADAM = nand.ADAM.but("nand-adam-short", steps=10)
BATCHES = nand.BATCHES.but("nand-batches-short", batches=Batches(4, shuffled(5, epochs=6, seed=1)), reaches_goal=True)
"""


def test_the_adapters_are_many_and_say_why_they_are_sound():
    """A hundred and more, two dozen of them in the quick test, of every framework, each with a name and a reason of its own."""
    assert len(ADAPTERS) > 100
    assert len(QUICK) >= 24
    assert set(QUICK) <= set(ADAPTERS)
    assert {ADAPTERS[name].framework for name in QUICK} == set(FRAMEWORKS)
    assert len(ADAPTERS) == len(unusual())
    assert all(":" in adapter.title or "." in adapter.title for adapter in ADAPTERS.values())


@pytest.mark.parametrize(("names", "dtypes"), PARTS, ids=[" ".join(names) for names, _ in PARTS])
def test_sound_adapters_raise_no_alarm(names, dtypes, tmp_path):
    """By the whole contract and on a case of each kind, numbers are judged and none of them is red."""
    gone = {name: reason for name in names if (reason := backends.missing(ADAPTERS[name].framework))}
    part = [ADAPTERS[name] for name in names if name not in gone]
    (tmp_path / "short.py").write_text(SHORT)
    cases = [*CASES, "nand-short", "nand-adam-short", "nand-batches-short"]
    options = ["--cases", str(tmp_path / "short.py"), *(word for name in cases for word in ("--case", name))]
    options += [word for dtype in dtypes for word in ("--dtype", dtype)]
    checks = judged(part, options)
    for adapter in part:
        mine = [check for check in checks if check["backend"] == adapter.adapter]
        alarms = [check for check in mine if is_red(check)]
        assert not alarms, [f"{check['dtype']} {check['case']} {check['quantity']}: {check['message']}" for check in alarms]
        for dtype in dtypes:
            assert sum(check.get("entries", 0) for check in mine if check["dtype"] == dtype) > 0
            assert {check["case"] for check in mine if check["dtype"] == dtype} == {"contract", *cases}
    if gone:
        pytest.skip(f"adapters not judged: {gone}")
