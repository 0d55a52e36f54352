"""y = a*x + b: the smallest graph with a product and a sum."""

from cases.case import Case, Figure


def loss(ops, params, data):
    return params["a"] * params["x"] + params["b"]


LINE = Case(
    name="line",
    title="y = a*x + b, every leaf wants a gradient",
    source="computation graphs, first worked example",
    loss=loss,
    params={"a": -2, "x": 3, "b": 4},
    nodes=("alpha", "y"),
    figures=(
        Figure("node 1", "-6"),  # alpha = a * x
        Figure("adjoint 1", "1"),
        Figure("loss", "-2"),
        Figure("gradient a", "3"),
        Figure("gradient x", "-2"),
        Figure("gradient b", "1"),
    ),
)
GENERIC = LINE.but("line-generic", params={"a": -2.137, "x": 3.071, "b": 4.313})
