"""loss(w) = -log sigmoid(x.w), and the same loss as a graph of elementary operations."""

from cases.case import Case, Figure


def loss(ops, params, data):
    return -ops.log(ops.sigmoid(ops.sum(data["x"] * params["w"])))


THREE = Case(
    name="logistic-three",
    title="-log sigmoid(x.w) with the bias inside x",
    source="one logistic loss in every framework, first start",
    loss=loss,
    params={"w": (1, 1, -1.5)},
    data={"x": (1, 1, 1)},
    axes={"w": "f", "x": "f"},
    figures=(
        Figure("loss", "0.47407698418010663"),
        Figure("loss", "0.47407696", "float32"),
        Figure("gradient w", "-0.37754067 -0.37754067 -0.37754067"),
    ),
)
THREE_GENERIC = THREE.but(
    "logistic-three-generic", params={"w": (1.0471, 0.9153, -1.4877)}, data={"x": (1.1039, -0.8971, 0.9713)}
)
TWO = THREE.but(
    "logistic-two",
    title="-log sigmoid(x.w)",
    source="one logistic loss in every framework, second start",
    params={"w": (1, 0.5)},
    data={"x": (1, -1)},
    figures=(
        Figure("loss", "0.47407698418010663"),
        Figure("loss", "0.47407696", "float32"),
        Figure("gradient w", "-0.37754067 0.37754067"),
    ),
)
TWO_GENERIC = TWO.but("logistic-two-generic", params={"w": (0.9137, 0.5719)}, data={"x": (1.0733, -0.9341)})


def graph_loss(ops, params, data):
    mu = params["w1"] * params["x1"] + params["w2"] * params["x2"]
    return -ops.log(1 / (1 + ops.exp(-mu)))


GRAPH = Case(
    name="logistic-graph",
    title="-log(1 / (1 + exp(-(w1*x1 + w2*x2))))",
    source="computation graphs, second worked example",
    loss=graph_loss,
    params={"w1": 1, "w2": 0.5, "x1": 1, "x2": -1},
    nodes=("alpha", "beta", "mu", "nu", "xi", "pi", "rho", "phi", "l"),
    figures=(
        # The notebook goes on from roundings to 4 digits; where it prints 0.4740, 0.6224 or -0.1887, 3 digits are right.
        Figure("node 1", "1"),  # alpha = w1 * x1
        Figure("node 2", "-0.5"),  # beta = w2 * x2
        Figure("node 3", "0.5"),  # mu = alpha + beta
        Figure("node 4", "-0.5"),  # nu = -mu
        Figure("node 5", "0.6065"),  # xi = exp(nu)
        Figure("node 6", "1.6065"),  # pi = 1 + xi
        Figure("node 7", "0.6225"),  # rho = 1 / pi
        Figure("node 8", "-0.474"),  # phi = log(rho)
        Figure("loss", "0.474"),
        Figure("adjoint 8", "-1"),
        Figure("adjoint 7", "-1.6065"),
        Figure("adjoint 6", "0.622"),
        Figure("adjoint 5", "0.622"),
        Figure("adjoint 4", "0.3775"),
        Figure("adjoint 3", "-0.3775"),
        Figure("adjoint 2", "-0.3775"),
        Figure("adjoint 1", "-0.3775"),
        Figure("gradient w1", "-0.3775"),
        Figure("gradient x1", "-0.3775"),
        Figure("gradient w2", "0.3775"),
        Figure("gradient x2", "-0.189"),
    ),
)
GRAPH_GENERIC = GRAPH.but("logistic-graph-generic", params={"w1": 1.0471, "w2": 0.5719, "x1": 0.9713, "x2": -1.1039})
