"""y = x*x, whose derivative 2x needs both uses of the same leaf."""

from cases.case import Case, Figure


def loss(ops, params, data):
    return params["x"] * params["x"]


SQUARE = Case(
    name="square",
    title="y = x*x",
    source="computation graphs, dy/dx at 1, 0 and 10",
    loss=loss,
    params={"x": 1},
    nodes=("y",),
    figures=(Figure("loss", "1"), Figure("gradient x", "2")),
)
ZERO = SQUARE.but("square-zero", params={"x": 0}, figures=(Figure("gradient x", "0"),))
TEN = SQUARE.but("square-ten", params={"x": 10}, figures=(Figure("gradient x", "20"),))
GENERIC = SQUARE.but("square-generic", params={"x": 1.7320508})
