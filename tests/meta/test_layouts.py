"""A result of another dtype or shape than asked for deviates in every test that takes it, and ends none in an exception."""

import pytest

from tests.meta.fleet import adapter

LAYOUTS = "tests.meta.layouts:"
# What numpy calls the dtype of each, in a run of float64.
FOREIGN = {
    "Extended": "float128", "Complex": "complex128", "Text": "<U32", "Objects": "object", "Records": "[('x', '<f8')]",
    "Whole": "int64", "Half": "float16", "Swapped": ">f8",
}  # fmt: skip
# Adapters whose gradients change their layout in the middle of a run, and the message that each gets.
LATE = {
    "LateFlat": "got shape (4,) at kept step 3, at the first (2, 2), in the gradient of w",
    "LateDurations": "got dtype timedelta64[s], expected float64, in the gradient of w",
}
# A classifier with figures, in few steps.
CASES = """
import numpy as np

from cases import Batches, Case, Dense, Figure, Network, shuffled


def predict(ops, params, data):
    p = ops.exp(data["X"] @ params["w"])
    return p / (p @ data["ones"])


def loss(ops, params, data):
    return -ops.sum(data["y"] * ops.log(predict(ops, params, data)))


X, Y = np.array([[0.3, 1], [-0.7, 1], [1.3, 1], [0.2, 1]]), np.eye(2)[[0, 1, 0, 1]]
CLASSIFIER = Case(
    name="classifier", title="t", source="s", loss=loss, predict=predict, params={"w": [[0.3, -0.2], [0.1, 0.4]]},
    data={"X": X, "y": Y, "ones": np.ones((2, 1))}, held_out={"X": X + [0.1, 0], "y": Y, "ones": np.ones((2, 1))},
    rate=0.1, batches=Batches(2, shuffled(4, 2, 1)), goal=lambda *run: True,
    network=Network((Dense("w"),), "softmax cross-entropy", "sum"),
    figures=(
        Figure("loss", "2.3225"), Figure("final loss", "2.078"),
        Figure("prediction", "0.463 0.537 0.343 0.657 0.587 0.413 0.45 0.55"),
    ),
)


def product(ops, params, data):
    return ops.sum(params["a"] * params["b"])


EXPAND = Case(
    name="expand", title="t", source="s", loss=product, params={"a": [1.0], "b": [[1.0, 1.0]]},
    figures=(Figure("gradient a", "2"),),
)
"""


@pytest.fixture(scope="module")
def run(shared_suite, shared_file):
    """Return a run of all of them over a classifier and a graph with figures."""
    file = shared_file(CASES)
    names = [LAYOUTS + name for name in (*FOREIGN, "Masked", "GradientsOnly", *LATE)] + [adapter("NotSummedBack"), "numpy"]
    options = [option for name in names for option in ("--backend", name)]
    chosen = [option for name in ("classifier", "expand") for option in ("--case", name)]
    return shared_suite(
        *options, "--cases", file, *chosen, "--dtype", "float64", "--level", "autodiff", "--random", "1", "-n", "2"
    )


# What looks at no number that the backend answers.
APART = ("version", "modes", "training repeats itself", "numeric modes", "declarations", "optimizer")
# What is put together by numpy before it is answered, in the order of bytes of the machine; records it refuses to.
STACKED = ("each step", "goal", "classification", "model")


@pytest.mark.parametrize(("name", "dtype"), FOREIGN.items())
def test_a_dtype_that_no_run_asks_for_deviates(run, name, dtype):
    """Whatever is judged, it is one message, which names both dtypes; no value is looked at, and nothing raises."""
    apart = (*APART, *STACKED) if name in ("Records", "Swapped") else APART
    checks = [check for check in run.checks(backend=LAYOUTS + name) if check["test"] not in apart]
    assert len({(check["case"], check["test"]) for check in checks}) == len(checks) > 20
    words = f"got dtype {dtype}, expected float64"
    others = [(check["test"], check["verdict"], check["message"]) for check in checks if words not in check["message"]]
    assert not others
    assert {check["verdict"] for check in checks} == {"deviates"}


@pytest.mark.parametrize(("name", "words"), LATE.items())
def test_a_layout_that_changes_in_a_run_deviates(run, name, words):
    """The steps of a run are held to one layout, whichever of them has another; points by themselves are not concerned."""
    [check] = run.checks(backend=LAYOUTS + name, case="classifier", test="each step")
    assert (check["verdict"], check["message"]) == ("deviates", words)
    assert run.verdicts(backend=LAYOUTS + name, case="classifier", test="gradient") == {"conforms"}


def test_an_answer_is_one(run):
    """Where the gradient alone is of a wrong dtype, the test of the loss, which comes with it, says so as well."""
    checks = run.checks(backend=LAYOUTS + "GradientsOnly", case="expand")
    assert {(check["test"], check["verdict"]) for check in checks} >= {("loss", "deviates"), ("gradient", "deviates")}
    assert {check["message"] for check in checks if check["test"] in ("loss", "gradient")} == {
        "got dtype float128, expected float64, in the gradient of a"
    }


def test_memory_is_no_part_of_the_layout(run):
    """Subclasses of arrays, read-only and strided ones are taken for the numbers that they hold."""
    assert run.verdicts(backend=LAYOUTS + "Masked") == run.verdicts(backend="numpy") == {"conforms"}


def test_a_wrong_shape_beside_a_printed_figure_deviates(run):
    """The message says which shape came and which is that of the quantity."""
    [check] = run.checks(backend=adapter("NotSummedBack"), case="expand", quantity="printed gradient a")
    assert (check["verdict"], check["message"]) == ("deviates", "got shape (1, 2), expected (1,)")
