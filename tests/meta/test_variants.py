"""Random variants of cases are of the same kind, find what is planted, and come back shrunk as a file of cases."""

import re

import hypothesis
import numpy as np
import pytest

import cases
from cases import CaseError
from runner.validation import validate
from runner.variants import STEPS, variants
from tests.meta.fleet import adapter

BUILTIN = cases.builtin()
QUICK = hypothesis.settings(max_examples=15, deadline=None, database=None, derandomize=True)


@pytest.mark.parametrize(
    "name", ["nand", "xor", "digits", "digits-hidden", "thermometer", "relu", "logistic-two", "line", "nand-batches"]
)
def test_variants_are_cases(name):
    """Every variant is a case that can be judged: its layers fit, its labels are labels, its columns of ones are kept."""

    @QUICK
    @hypothesis.given(variants(BUILTIN[name]))
    def explore(variant):
        validate(variant, ["float64"])
        assert variant.steps == (STEPS if BUILTIN[name].steps else 0)
        if "y" in variant.data:
            assert np.isin(variant.data["y"], (0, 1)).all()
        if name == "nand":
            assert (variant.data["X"][:, -1] == 1).all()

    explore()


def test_variants_have_other_shapes():
    """Axes that a case names have other sizes, the same wherever the name stands."""
    found = set()

    @QUICK
    @hypothesis.given(variants(BUILTIN["xor"]))
    def explore(variant):
        (n, f), (g, h) = variant.data["X"].shape, variant.params["w1"].shape
        assert (f, h, n) == (g, len(variant.params["w2"]), len(variant.data["y"]))
        found.add((n, f, h))

    explore()
    assert len(found) > 5


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        ({"w": "f"}, r"axes gives 'w' 1 names, 'f', and its shape \(3, 1\) has 2 axes"),
        ({"X": "n f", "w": "n 1"}, r"axes gives 'w' of shape \(3, 1\) the names 'n 1'; n is 4 elsewhere"),
        ({"w": "f 2"}, r"axes gives 'w' of shape \(3, 1\) the names 'f 2'; 2 is 2 elsewhere"),
        ({"v": "n"}, r"axes has 'v', which is no parameter and no data; it has \['X', 'w', 'y'\]"),
    ],
)
def test_axes_that_do_not_fit_are_refused(axes, words):
    """Names of axes have to be those of the arrays, and of one size."""
    with pytest.raises(CaseError, match=words):
        BUILTIN["nand"].but("mine", axes=axes)


def test_an_alarm_is_shrunk_and_comes_back(suite, tmp_path):
    """What a random variant shows is shown again by the file of cases in its message, which is small."""
    options = ("--backend", adapter("SigmoidSlope"), "--dtype", "float64")
    outcome = suite(*options, "--case", "nand", "--level", "autodiff", "--random", "30", "-k", "random")
    [check] = outcome.checks(quantity="gradient w of random variants")
    assert check["verdict"] == "deviates"
    path = tmp_path / "shrunk.py"
    path.write_text(re.search(r"from cases import builtin\n.*", check["message"], re.DOTALL)[0].partition("; all values")[0])
    assert path.stat().st_size < 400
    again = suite(*options, "--cases", str(path), "--case", "shrunk", "--level", "autodiff")
    assert again.verdicts(quantity="gradient w") == {"deviates"}


def test_a_sound_adapter_raises_no_alarm(suite):
    """Random variants of every family, with layers and optimisers, conform; families are judged once."""
    outcome = suite(
        "--backend", "tests.meta.layered:Layered", "--random", "3", "--seed", "7", "-k", "random", "--dtype", "float64"
    )
    assert outcome.status == 0, outcome.text
    assert {"xor", "xor-adam", "nand", "thermometer"} <= {check["case"] for check in outcome.checks()}
    assert not outcome.checks(case="xor-golden")


@pytest.mark.parametrize(("name", "verdict", "words"), [("Raises", "failed", "no logarithm"), ("Aborts", "crashed", "SIGABRT")])
def test_what_gives_no_answer_is_shrunk_too(suite, name, verdict, words):
    """A variant that raises or kills the backend comes back as a file of cases as well, one check of it."""
    outcome = suite(
        "--backend",
        f"tests.meta.adapters:{name}",
        "--case",
        "nand",
        "--random",
        "5",
        "-k",
        "random",
        "--dtype",
        "float64",
        "--level",
        "autodiff",
    )
    [check] = outcome.checks(verdict=verdict)
    assert words in check["message"]
    assert "SHRUNK = " in check["message"]


def test_variants_of_own_cases_come_back(suite, tmp_path):
    """The file of a shrunk variant names the file that its case is from."""
    mine = tmp_path / "mine.py"
    mine.write_text('from cases import nand\nMINE = nand.NAND.but("mine")\n')
    options = ("--backend", adapter("SigmoidSlope"), "--dtype", "float64", "--level", "autodiff")
    outcome = suite(*options, "--cases", str(mine), "--case", "mine", "--random", "5", "-k", "random")
    [check, *_] = outcome.checks(verdict="deviates")
    shrunk = tmp_path / "shrunk.py"
    shrunk.write_text(re.search(r"from cases import from_file\n.*", check["message"], re.DOTALL)[0])
    again = suite(*options, "--cases", str(shrunk), "--case", "shrunk")
    assert again.verdicts(quantity="gradient w") == {"deviates"}
    assert again.verdicts(quantity="goal") == {"conforms"}
