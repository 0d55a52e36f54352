"""A word that nobody knows raises wherever it enters, and is never taken for another one."""

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import backends
from arithmetic.balls import Balls, balls
from backends.numpy import Numpy
from backends.training import Training
from backends.transport.process import Failed, Process
from cases import Dense, Network
from oracle.rules import Stepping
from vocabulary import layers, rules
from vocabulary.losses import OBJECTIVES, REDUCTIONS, objective
from vocabulary.rules import Optimizer
from vocabulary.words import DTYPES, LEVELS, Words

LAYERED = "tests.meta.layered:Layered"
SGD = Optimizer("sgd", 0.5)
NATIVE = LEVELS[1:]
ACTIVATIONS = [word for word in layers.ACTIVATIONS if word]


class Strange(Dense):
    """A layer that no adapter knows."""

    word = "convolution"


def strange(ops, level):
    ops.model(level, [Strange(np.ones((2, 2)), np.ones(2))])(ops.tensor(np.ones((2, 2))))


def dense(activation=""):
    return [Dense(np.ones((2, 2)), np.ones(2), activation)]


def model(ops, level="modules", activation=""):
    ops.model(level, dense(activation))(ops.tensor(np.ones((2, 2))))


def loss(ops, name="squared error", reduction="sum"):
    ops.objective(name, reduction)(ops.tensor(np.ones((2, 1))), ops.tensor(np.zeros((2, 1))))


def half_square(ops, params, data):
    return ops.sum(params["w"] * params["w"]) * 0.5


def fit(ops, level="optimizer", optimizer=SGD, activation="", name="softmax cross-entropy", reduction="sum"):
    network = Network((Dense("w", "b", activation),), name, reduction)
    params, data = {"w": np.ones((2, 2)), "b": np.ones(2)}, {"X": np.ones((2, 2)), "y": np.eye(2)}
    next(ops.fit(Training(half_square, params, data, optimizer, 1, np.arange(1), level, network=network)))


def fit_heavy(ops, name, level):
    """Ask for a rule that has come to have a momentum, which the adapter does not pass on."""
    usual = rules.builtin()[name]
    try:
        rules.builtin()[name] = dataclasses.replace(usual, hyperparameters={**usual.hyperparameters, "momentum": 0.9})
        fit(ops, level, Optimizer(name, 0.5))
    finally:
        rules.builtin()[name] = usual


# What is asked of every adapter that has a level: the word that is unknown, and those that are known. Many a framework has
# something of the name.
RULE_QUESTIONS = {
    f"{words} at {level}": (partial(question, level=level), word, known)
    for level in NATIVE
    for words, question, word, known in (
        ("lars", partial(fit, optimizer=Optimizer("lars", 0.5)), "lars", rules.builtin()),
        ("nag", partial(fit, optimizer=Optimizer("nag", 0.5)), "nag", rules.builtin()),
        (
            "beta1 of sgd",
            partial(fit, optimizer=Optimizer("sgd", 0.5, beta1=0.5)),
            "beta1",
            rules.builtin()["sgd"].hyperparameters,
        ),
        ("momentum of sgd", partial(fit_heavy, name="sgd"), "momentum", ["rate"]),
    )
} | {
    f"momentum of adam at {level}": (
        partial(fit_heavy, level=level, name="adam"),
        "momentum",
        rules.builtin()["adam"].hyperparameters,
    )
    for level in ("optimizer", "class")
}
# And what is asked of those that have layers.
QUESTIONS = (
    RULE_QUESTIONS
    | {
        "model at no level": (partial(model, level="nowhere"), "nowhere", NATIVE),
        "fit at no level": (partial(fit, level="nowhere"), "nowhere", NATIVE),
        "adam by hand": (partial(fit, level="modules", optimizer=Optimizer("adam", 0.5)), "adam", rules.by_hand()),
        "objective": (partial(loss, name="hinge"), "hinge", OBJECTIVES),
        "reduction": (partial(loss, reduction="max"), "max", REDUCTIONS),
        "no reduction": (partial(loss, reduction="none"), "none", REDUCTIONS),
    }
    | {
        f"{words} at {level}": (partial(question, level=level), word, known)
        for level in NATIVE
        for words, question, word, known in (
            ("layer", strange, "convolution", layers.LAYERS),
            ("activation of a model", partial(model, activation="softsign"), "softsign", ACTIVATIONS),
            ("activation", partial(fit, activation="softsign"), "softsign", ACTIVATIONS),
            ("objective", partial(fit, name="hinge"), "hinge", OBJECTIVES),
            ("reduction", partial(fit, reduction="max"), "max", REDUCTIONS),
        )
    }
)
WITHOUT_LAYERS = ("numpy", "autograd")
WITH_LAYERS = (*(name for name in backends.FRAMEWORKS if name not in WITHOUT_LAYERS), LAYERED)


@pytest.fixture(scope="module")
def process():
    """Return a function that gives the process of an adapter, one for all questions."""
    processes = {}

    def of(name):
        if reason := backends.missing(name):
            pytest.skip(f"{name}: {reason}")
        return processes.setdefault(name, Process(name, 300.0))

    yield of
    for each in processes.values():
        each.stop()


def refusal(process, question):
    """Return the type and the first line of the error with which an adapter refuses ``question``."""

    def asked(ops, params, data):
        question(ops)
        return ops.tensor(np.zeros(()))

    with pytest.raises(Failed) as error:
        process.call("apply", asked, {}, {})
    return error.value.kind, str(error.value).splitlines()[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [(name, words) for name in WITH_LAYERS for words in QUESTIONS]
    + [("autograd", words) for words in RULE_QUESTIONS if words.endswith("optimizer")],
)
def test_an_adapter_refuses_a_word_that_it_does_not_know(process, name, words):
    """Whatever it is given to, the error names the word and those that are known."""
    question, word, known = QUESTIONS[words]
    kind, message = refusal(process(name), question)
    named, _, listed = message.partition("; known: ")
    assert (kind, repr(word) in named, set(listed.split(", "))) == ("UnknownWord", True, set(known))


@pytest.mark.parametrize("words", ["model at no level", "fit at no level", "objective", "reduction", "activation at modules"])
@pytest.mark.parametrize("name", WITHOUT_LAYERS)
def test_an_adapter_without_layers_refuses_all_of_them(process, name, words):
    """What a framework lacks altogether is an error too, which says what it lacks."""
    question, word, _ = QUESTIONS[words]
    kind, message = refusal(process(name), question)
    lacking = "level 'modules'; it has: autodiff" if words == "activation at modules" else repr(word)
    assert (kind, f": {name} has no " in message, lacking in message) == ("NotImplementedError", True, True)


@pytest.mark.parametrize("dtype", ["int32", "bool", "complex64", "longdouble", "uint16"])
@pytest.mark.parametrize("name", backends.FRAMEWORKS)
def test_no_adapter_takes_a_dtype_for_another(process, name, dtype):
    """A tensor has the dtype of its array, or there is none."""
    array = np.ones(2, dtype)
    try:
        got = process(name).call("apply", lambda ops, params, data: params["x"], {"x": array}, {})
    except Failed:
        return
    assert got.dtype == array.dtype


def test_layers_of_another_dtype_are_refused():
    """Frameworks make layers of whole numbers without a word."""
    for kernel, bias in ((np.ones((2, 2), "int32"), np.ones(2)), (np.ones((2, 2)), np.ones(2, "int32"))):
        with pytest.raises(ValueError, match=f"unknown dtype of a layer: 'int32'; known: {', '.join(DTYPES)}"):
            Dense(kernel, bias)


def test_the_folder_of_layers_is_the_registry():
    """Each file beside that of the base holds one layer; a record names each of its parameters once, in canonical shapes."""
    files = [path.stem for path in Path(layers.__file__).parent.glob("*.py") if path.stem not in ("__init__", "layer")]
    assert sorted(files) == sorted(layers.LAYERS)
    for word, kind in layers.LAYERS.items():
        fields = [field.name for field in dataclasses.fields(kind)]
        assert (kind.word, [*kind.parameters, "activation"]) == (word, fields)


@pytest.mark.parametrize("bias", ["b", ""])
def test_a_layer_has_names_in_a_case_and_arrays_in_an_adapter(bias):
    """What comes back in canonical shapes is the parameter that went in, in its own shape, whatever stands for the bias."""
    params = {"w": np.arange(6.0).reshape(3, 2)} | ({"b": np.ones((1, 2))} if bias else {})
    layer = Dense("w", bias)
    at = layer.at(params)
    rows = 3 if bias else 2
    assert [array.shape for array in at.arrays] == [(rows, 2), (2,)]
    back = layer.packed(at.arrays, params)
    assert {name: array.tolist() for name, array in back.items()} == {name: array.tolist() for name, array in params.items()}


@pytest.mark.parametrize("name", ["sinh", "zeros_like", "softplus"])
def test_numpy_knows_the_functions_of_the_contract(name):
    """What numpy has beside them is not taken for one of them."""
    with pytest.raises(ValueError, match=f"unknown function '{name}'; known: exp, log, tanh, reciprocal, log1p, sigmoid"):
        Numpy().function(name, np.ones(2))


def test_the_exact_backend_refuses_functions_that_it_does_not_know():
    """There is no other function in its place."""
    with pytest.raises((KeyError, ValueError), match="'sinh'"):
        Balls().function("sinh", balls(np.ones(2)))


@pytest.mark.parametrize(
    ("optimizer", "conventions", "words"),
    [
        (Optimizer("lars", 0.5), {}, "unknown rule 'lars'; known: "),
        (SGD, {"sgd": "epsilon"}, "unknown convention of sgd: 'epsilon'; known: "),
        (
            Optimizer("adam", 0.5),
            {"adam": "epsilon tilde"},
            "unknown convention of adam: 'epsilon tilde'; known: epsilon, epsilon hat",
        ),
        (Optimizer("adam", 0.5), {"adam": ""}, "unknown convention of adam: ''; known: epsilon, epsilon hat"),
        (Optimizer("sgd", 0.5, epsilon=0.1), {}, "unknown hyperparameter of sgd: 'epsilon'; known: rate"),
        (Optimizer("adam", 0.5, momentum=0.8), {}, "hyperparameter of adam: 'momentum'; known: rate, beta1, beta2"),
    ],
)
def test_the_oracle_knows_published_rules_alone(optimizer, conventions, words):
    """A rule, a convention or a hyperparameter that it does not know is an error, and not gradient descent."""
    with pytest.raises(ValueError, match=words):
        Stepping(Balls(), optimizer, conventions)


@pytest.mark.parametrize(
    ("rule", "convention", "name"),
    [
        (rule, convention, name)
        for rule in rules.builtin().values()
        for convention in rule.conventions
        for name in rule.hyperparameters
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_rule_heeds_every_hyperparameter(rule, convention, name):
    """A hyperparameter of another value makes another path: no record has one that its step forgets."""
    numbers = Balls()
    ends = []
    for value in (0.3, 0.4):
        with numbers.precision():
            stepping = Stepping(numbers, Optimizer(rule.name, **({"rate": 0.5} | {name: value})), {rule.name: convention})
            w, g = (balls(np.array(column)[:, np.newaxis]) for column in ([0.1, 0.2, 0.3], [0.4, -0.5, 0.6]))
            ends.append(float(stepping.updated({"w": w}, {"w": g})["w"][-1, 0]))
    assert ends[0] != ends[1]


@pytest.mark.parametrize(
    ("name", "reduction", "words"),
    [
        ("exp", "sum", "unknown objective 'exp'; known: binary cross-entropy, softmax cross-entropy, squared error"),
        ("squared error", "exp", "unknown reduction 'exp'; known: sum, mean"),
    ],
)
def test_a_formula_takes_no_operation_for_an_objective(name, reduction, words):
    """Names of operations are no names of objectives or reductions."""
    ops = Numpy()
    with pytest.raises(ValueError, match=words):
        objective(ops, name, reduction, ops.tensor(np.ones((2, 1))), ops.tensor(np.ones((2, 1))))


def test_a_formula_takes_no_operation_for_an_activation():
    """Exp is an operation and no activation."""
    ops = Numpy()
    network = Network((Dense("w", activation="exp"),), "squared error", "sum")
    with pytest.raises(ValueError, match="unknown activation 'exp'; known: sigmoid, tanh, relu"):
        network.loss(
            ops, {"w": ops.tensor(np.ones((2, 1)))}, {"X": ops.tensor(np.ones((3, 2))), "y": ops.tensor(np.ones((3, 1)))}
        )


def test_one_rule_is_written_by_hand():
    """`train` of the contract is told a rate and no rule: a second rule by hand would be judged and not made."""
    assert rules.by_hand() == ("sgd",)


def test_a_table_of_words_is_a_mapping():
    """Words that are known are looked up and listed as in any other."""
    table = Words("colour", {"red": 1, "": 2})
    assert (table["red"], table[""], list(table), table.get("blue"), "blue" in table) == (1, 2, ["red", ""], None, False)
    with pytest.raises(ValueError, match=r"^unknown colour 'blue'; known: red$"):
        table["blue"]


HEAVY = """
import dataclasses

from cases import nand
from vocabulary.rules import builtin
from vocabulary.rules.sgd import SGD

builtin()["heavy"] = dataclasses.replace(SGD, name="heavy", by_hand=False)  # a record, and no adapter that knows of it
HEAVY = nand.NAND.but("heavy", optimizer="heavy")
"""


def test_a_rule_that_nobody_knows_is_never_green(suite, tmp_path):
    """A case with a rule that is a record and that no adapter knows is unsupported everywhere, by name, and has to raise."""
    file = tmp_path / "heavy.py"
    file.write_text(HEAVY)
    options = ("--cases", str(file), "--case", "heavy", "--dtype", "float64", "-k", "every_step or goal")
    run = suite("--backend", "all", "--backend", LAYERED, *options)
    assert run.status in (0, 1), run.text  # 1 where a framework is missing
    found = {name: run.verdicts(backend=name) for name in (*backends.FRAMEWORKS, LAYERED)}
    assert found == {name: {"missing"} if backends.missing(name) else {"unsupported"} for name in found}
    named = run.checks(backend=LAYERED) + run.checks(backend="torch")
    words = "has no optimiser for 'heavy'; it has some for 'sgd', 'momentum', 'adam'"
    assert all(check["message"].endswith("it raises UnknownWord") for check in named if check["verdict"] == "unsupported")
    assert [
        check["message"] for check in run.checks(backend="torch", verdict="unsupported") if words not in check["message"]
    ] == []


@pytest.mark.parametrize(
    ("adapter", "case", "words"),
    [
        (
            "Lacking",
            "thermometer-raw",
            "unknown objective 'squared error'; known: binary cross-entropy, softmax cross-entropy; it",
        ),
        ("Lacking", "deep", "unknown activation 'tanh'; known: sigmoid, relu; it raises UnknownWord"),
        ("WithoutMomentum", "nand-momentum", "has no optimiser for 'momentum'; it has some for 'sgd', 'adam'; it raises Unkn"),
    ],
)
def test_what_an_adapter_lacks_is_unsupported(suite, adapter, case, words):
    """A loss, an activation and a rule that an adapter has not got are unsupported, by name, and nothing is red."""
    options = ("--case", case, "--dtype", "float64", "-k", "every_step or goal or test_optimizer")
    run = suite("--backend", f"tests.meta.lacking:{adapter}", *options)
    assert run.status == 0, run.text
    checks = run.checks(case=case, level="optimizer")
    assert {check["verdict"] for check in checks} == {"unsupported"}
    assert all(words in check["message"] for check in checks), checks
    if adapter == "WithoutMomentum":  # of which the contract asks it too
        [rule] = run.checks(case="contract", quantity="optimizer momentum")
        assert (rule["verdict"], "has no optimiser for 'momentum'" in rule["message"]) == ("unsupported", True)


def test_an_adapter_that_takes_any_word_deviates(suite):
    """The contract asks every adapter with layers for words that nobody knows, and names the kinds that it takes."""
    options = ("--case", "nand", "--dtype", "float64", "-k", "unknown_words")
    run = suite("--backend", "tests.meta.lacking:TakesAnyWord", "--backend", LAYERED, *options)
    found = {check["quantity"]: check["verdict"] for check in run.checks(backend="tests.meta.lacking:TakesAnyWord")}
    assert found == {
        "unknown level": "conforms",
        "unknown activation": "conforms",
        "unknown objective": "deviates",
        "unknown reduction": "deviates",
    }
    assert run.verdicts(backend=LAYERED) == {"conforms"}
