"""The message says where a fault is, or what to look at where no node of the graph has it."""

import pytest

from runner.locating import LEFT_BY_HAND, LEFT_TO_LEVELS
from tests.meta.fleet import fleet

ADAPTERS = {fault.name: fault.adapter for fault in fleet()}
INSIDE = "; computed again at this point, every node of the graph is inside its bound; look at "
LEVEL = (
    "; by automatic differentiation every node of the graph is inside its bound at this point; "
    "look at what the level 'modules' adds, namely "
)
UNTRACED = "; the gradient cannot be traced: the adapter returns "
BY_HAND, TO_LEVELS = (
    {
        "loss": left[frozenset({"loss"})],
        "gradient": left[frozenset({"gradient"})],
        "both": left[frozenset({"loss", "gradient"})],
    }
    for left in (LEFT_BY_HAND, LEFT_TO_LEVELS)
)
# Adapter, level, quantity that is wrong, and what the message says beside it.
LOCATED = (
    ("WrongLoss", "autodiff", "loss", INSIDE + BY_HAND["loss"]),
    ("WrongLoss", "autodiff", "loss each step", INSIDE + BY_HAND["loss"]),
    (
        "HalfTheLoss",
        "autodiff",
        "gradient w",
        "of node 10 = -(node 9), used by no other node: it is the loss itself, and every gradient is affected",
    ),
    (
        "ParametersOff",
        "autodiff",
        "gradient w",
        "; the values and adjoints of all nodes are right; the gradient of a parameter, which is put together from ",
    ),
    ("ZeroForProbes", "autodiff", "gradient w", UNTRACED + "0.0 for each probe"),
    ("OneForProbes", "autodiff", "gradient w", UNTRACED + "1.0 for each probe"),
    (
        "LeavesProbesOut",
        "autodiff",
        "gradient w",
        "; the fault cannot be traced to a node: the trace adds a parameter at every node of the formula",
    ),
    ("ReportsLoss", "autodiff", "loss each step", INSIDE + BY_HAND["loss"]),
    ("ReportsGradient", "autodiff", "gradient w each step", INSIDE + BY_HAND["gradient"]),
    ("ReportsBoth", "autodiff", "loss each step", INSIDE + BY_HAND["both"]),
    ("ReportsBoth", "autodiff", "gradient w each step", INSIDE + BY_HAND["both"]),
    ("ReportsLoss", "modules", "loss each step", LEVEL + TO_LEVELS["loss"]),
    ("ReportsGradient", "modules", "gradient w each step", LEVEL + TO_LEVELS["gradient"]),
    ("ReportsBoth", "modules", "loss each step", LEVEL + TO_LEVELS["both"]),
)


def adapter(name):
    return ADAPTERS.get(name, f"tests.meta.untraced:{name}")


@pytest.fixture(scope="module")
def run(shared_suite):
    """Return a run of all of them."""
    options = [word for name in dict.fromkeys(name for name, *_ in LOCATED) for word in ("--backend", adapter(name))]
    levels = ("--level", "autodiff", "--level", "modules")
    return shared_suite(
        *options, "--case", "nand", "--dtype", "float64", *levels, "-k", "test_loss or test_gradient or every_step"
    )


@pytest.mark.parametrize(("name", "level", "quantity", "words"), LOCATED)
def test_a_message_says_where_to_look(run, name, level, quantity, words):
    """What fits the quantities that leave their bounds: the loss, the gradient or both, or why nothing can be said."""
    [check] = run.checks(backend=adapter(name), level=level, quantity=quantity)
    assert check["verdict"] == "deviates"
    assert words in check["message"]


@pytest.mark.parametrize("name", ["ReportsLoss", "ReportsGradient", "ReportsBoth"])
def test_a_run_is_quoted_where_it_first_parts(run, name):
    """The message, the place and the numbers are those of the third step, from which on the run is wrong."""
    checks = [check for check in run.checks(backend=adapter(name)) if check["verdict"] == "deviates"]
    assert checks
    for check in checks:
        assert check["where"].endswith(" at step 2")
        assert check["message"].startswith(f"{check['where']}: got ")
        assert "; 98 of 100 steps are outside, and this is the first" in check["message"]
