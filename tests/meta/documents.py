"""A results file with one record of each kind, and what the tests of untrusted files change in it."""

import contextlib
import copy
import json

from report.document import MAX_WORDS, DocumentError
from report.page import build

HERE = "what stands here"


HALF = (0.5).hex()


def counted():
    """What is counted of two epochs, two classes and one example of each sort."""
    facts = {
        "accuracy": [0.5, 1.0], "precision": [1, 0.25], "recall": [1, 0.25], "F1": [1, 0.25],
        "macro averages": [0.5, 0.5, 0.5], "confusion matrix": [[3, 0], [1, 4]], "easiest": [7], "hardest": [2],
    }  # fmt: skip
    return {f"{words} {name}": copy.deepcopy(value) for words in ("training", "held out") for name, value in facts.items()}


WHOSE = {"backend": "numpy", "level": "autodiff", "mode": "eager", "dtype": "float64", "case": "xor"}


TRACED = {"got": [HALF], "truth": [HALF], "verdict": "conforms"}


RECORDS = [
    {
        "kind": "backend", "name": "numpy", "engine": "numpy", "version": "2.0", "measured": {"numpy": "2.0.1"},
        "modules": ["backends.numpy"],
        "modes": {"gradient": "eager", "training": "eager"},
        "unsupported": [["float16", "exp", "a reason"]], "unsupported_levels": {"class": "a reason"}, "loop": "framework",
        "native_losses": [["a loss", "squared error", "sum"]], "rules": ["sgd"],
        "conventions": {"adam": "epsilon"}, "slope_at_kink": 0.0,
        "places": {"unsupported_levels": "a.py"},
        "numeric": {"float64 matmul": "53 bits"}, "probed": {"float64 matmul": "53 bits"},
        "deviations": [{
            "subject": "exp", "dtypes": ["float64"], "reason": "a reason", "size": "3 ulp", "link": "a link", "absolute": 0.5,
            "widens": False, "passes_through": "", "values": ["rate"], "rules": ["adam"], "computes": "",
            "place": "backends/x.py:7",
        }],
        "script": {"template": "$params $loss", "spelled": {"tanh": "np.tanh"}},
    },
    {
        "kind": "case", "name": "xor", "title": "a title", "source": "a source", "levels": {"class": "a reason"},
        "program": [["*", "w", "2"], ["tanh", "node 1"]],
    },
    {
        "kind": "check", **WHOSE, "test": "a test", "quantity": "loss",
        "verdict": "failed", "message": "a message", "declared": None, "duration": 0.25,
    },
    {
        "kind": "check", **WHOSE, "test": "a test", "quantity": "gradient w",
        "verdict": "conforms", "message": "", "declared": "exp", "duration": 0.25, "where": "w[0]",
        "got": [HALF, HALF], "truth": [HALF, HALF], "bound": [HALF, HALF], "error_ulp": HALF, "share": HALF,
        "share_median": HALF, "entries": 4, "too_wide": 1, "points": 3, "points_without_verdict": 1,
        "drift": {"end": HALF, "worst": "nan", "worst_step": 2},
        "bits": "0123456789abcdef", "cause": "status 7",
    },
    *(
        {
            "kind": "classifier", **WHOSE, "backend": backend, "counted": counted(), "exact": counted(),
            "losses": {"training": [HALF, HALF], "held out": [HALF, "inf"]},
            "p": {f"{words} {which}": [HALF] for words in ("training", "held out") for which in ("easiest", "hardest")},
            "pictures": {"shape": [1, 2], "examples": {"7": {"label": 1, "pixels": [0, 100]}}},
        }
        for backend in ("numpy", "torch")
    ),
    {
        "kind": "vector", "case": "xor", "dtype": "float64", "params": {"w": {"shape": [2], "values": [HALF, HALF]}},
        "data": {"X": {"shape": [], "values": [HALF]}},
        "expected": {"loss": {"shape": [], "truth": ["0.5"], "bound": [HALF]}},
    },
    {"kind": "exact_run", "case": "xor", "dtype": "float64", "convention": "", "steps": [0, 1], "loss": [1.5, 0.5]},
    {"kind": "run", **WHOSE, "convention": "", "loss": [1.5, None], "digits": [15.5, None]},
    {
        "kind": "exact_plane", "case": "xor", "dtype": "float64", "convention": "", "x": [0.0, 1.0], "y": [0.0, 1.0],
        "p": [0.1, 0.2, 0.3, None], "points": [[0.5, 0.5]], "labels": [1.0],
    },
    {"kind": "plane", **WHOSE, "convention": "", "off": [1e-16, 0.0, None, 0.0]},
    {
        "kind": "trace", **WHOSE,
        "nodes": [
            {"name": "y", "operation": "*", "operands": ["w", "2"], "value": TRACED, "adjoint": TRACED},
            {"name": "z", "operation": "tanh", "operands": ["node 1"], "value": TRACED, "adjoint": TRACED},
        ],
        "leaves": [{"name": "w", "value": [HALF], "adjoint": TRACED}],
    },
    {"kind": "fault", "name": "Twice", "adapter": "a:Twice", "sound": "numpy", "family": "scale", "title": "a title"},
    {
        "kind": "kill", "judge": "this suite", "fault": "Twice", "case": "xor", "dtype": "float64", "visible": True,
        "caught": ["gradient"], "note": "",
    },
]  # fmt: skip


BACKEND, CASE, PLAIN, FULL, CLASSIFIER, OTHER, VECTOR, EXACT_RUN, RUN, EXACT_PLANE, PLANE, TRACE, FAULT, KILL = range(14)

DOCUMENT = {
    "schema": 3,
    "run": {
        "started": "2025-01-01T00:00:00+00:00", "command": ["pytest"], "backends": ["numpy"],
        "environment": "jax-oldest", "shard": {"number": 1, "of": 1},
        "python": "3.11", "platform": "a platform",
        "cpu": {"model": "a model", "flags": ["fma"]}, "threads": 2, "settings": {"A": "1"}, "packages": {"numpy": "2.0"},
        "made_of": {"numpy": {"numpy": "2.0"}},
        "plan": {
            "dtypes": ["float64"], "levels": ["autodiff"], "random": 0, "seed": 1, "nodes": False, "only": ["--case nand"],
            "tests": ["-k x"],
        },
    },
    "records": RECORDS,
    "complete": True,
}  # fmt: skip


def fault(number):
    """A fault of a family of its own."""
    return RECORDS[FAULT] | {"name": f"F{number}", "family": f"f{number}"}


def places(value, path=()):
    """Every place in a JSON value, as the keys and indices that lead to it."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def at(document, path):
    for key in path:
        document = document[key]
    return document


def put(document, path, value):
    """Return a copy of ``document`` with ``value`` at ``path``; unchanged where there is no such place."""
    if not path:
        return value
    document = copy.deepcopy(document)
    with contextlib.suppress(LookupError, TypeError):
        at(document, path[:-1])[path[-1]] = value
    return document


def written(path, raw):
    """Return the text of the document with the JSON text ``raw`` at ``path``."""
    return json.dumps(put(DOCUMENT, path, HERE)).replace(json.dumps(HERE), raw)


def page_of(folder, content):
    """Return the page of a file of these bytes, or the error, which has to name the file in one short line."""
    path = folder / "untrusted.json"
    path.write_bytes(content)
    try:
        page, *_ = build([path], folder / "out")
    except DocumentError as error:
        words = str(error)
        assert words.startswith(f"{path}: ")
        assert words.isprintable()
        assert len(words) < len(str(path)) + 20 * MAX_WORDS
        return error
    return page.read_text(encoding="utf-8")
