"""Backends are loaded when asked for, keep to the contract, and leave no traces."""

import subprocess
import sys

import numpy as np
import pytest

import backends
from backends import about
from backends.base import Backend
from backends.numpy import Numpy
from backends.probes import probe
from tests.meta.conftest import ROOT


def python(code):
    """Run ``code`` in an interpreter of its own and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("modules", "allowed"),
    [
        ("vocabulary.words, vocabulary.tensors", {"vocabulary", "numpy"}),
        ("arithmetic.floats", {"vocabulary", "arithmetic", "numpy"}),
        ("arithmetic.balls, arithmetic.precision", {"vocabulary", "arithmetic", "numpy", "flint"}),
        ("cases, cases.xor, cases.classifiers", {"vocabulary", "cases", "numpy"}),
        (
            "backends, backends.base, backends.transport.process, backends.training",
            {"vocabulary", "backends", "numpy", "cloudpickle"},
        ),
        (
            "oracle.judge, oracle.comparison",
            {"vocabulary", "arithmetic", "backends", "oracle", "numpy", "flint", "cloudpickle"},
        ),
        ("report.__main__", {"vocabulary", "report", "jinja2", "jsonschema"}),
        (
            "runner.candidate, runner.plan, runner.recorder",
            {
                "vocabulary",
                "arithmetic",
                "cases",
                "backends",
                "oracle",
                "report",
                "runner",
                "numpy",
                "flint",
                "jsonschema",
                "cloudpickle",
                "jinja2",
            },
        ),
    ],
)
def test_imports_go_one_way(modules, allowed):
    """Each room imports only those that stand before it, and no framework."""
    watched = {
        "vocabulary",
        "arithmetic",
        "runner",
        "cases",
        "backends",
        "oracle",
        "report",
        "sklearn",
        "tests",
        "flint",
        "jinja2",
        "jsonschema",
        "cloudpickle",
        *backends.FRAMEWORKS,
    }
    found = set(python(f"import sys, {modules}; print(*{watched!r} & set(sys.modules))").split())
    assert found <= allowed


def test_a_folder_makes_a_framework(tmp_path):
    """One with a file about.toml is a framework, imported after those whose order is known; no table names it."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "abacus").mkdir()
    (tmp_path / "abacus" / "about.toml").write_text('layers = ["beads"]\n[settings]\nWOOD = "oak"\n')
    found = about.read(tmp_path)
    assert found == {"abacus": about.About(layers=("beads",), settings={"WOOD": "oak"})}
    assert backends.in_order(["abacus", "tensorflow", "numpy"]) == ("numpy", "tensorflow", "abacus")
    assert backends.in_order(backends.FRAMEWORKS) == backends.FRAMEWORKS == backends.ORDER


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("package = 1", "unknown key in .*abacus/about.toml: 'package'; known: layers, parts, brings, settings"),
        ('[settings]\nWOOD = "ash"', "zither/about.toml sets WOOD to 'oak', another framework to 'ash'"),
    ],
)
def test_what_a_folder_says_has_a_meaning(tmp_path, text, words):
    """A key that nobody knows, or a setting that two frameworks need otherwise, is an error that names the file."""
    for name, content in (("abacus", text), ("zither", '[settings]\nWOOD = "oak"')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "about.toml").write_text(content)
    with pytest.raises(ValueError, match=words):
        about.read(tmp_path)


def test_a_missing_method_fails_at_construction():
    """An adapter that lacks a part of the contract cannot be made."""
    for name in ("tensor", "array", "value_and_grad"):
        incomplete = type("Lacking", (Numpy,), {name: Backend.__dict__[name]})
        with pytest.raises(TypeError, match=f"abstract method '?{name}"):
            incomplete()


@pytest.mark.parametrize("name", ["autograd", "chainer", "mxnet"])
def test_removed_names_are_removed_again(name):
    """numpy and inspect are the same before and after the import of a framework that needs names of old."""
    if reason := backends.missing(name):
        pytest.skip(reason)
    code = (
        "import inspect, sys, numpy, numpy.linalg, backends; before = set(vars(numpy)) | set(vars(inspect))\n"
        f"backends.load({name!r})\n"
        "new = (set(vars(numpy)) | set(vars(inspect))) - before\n"
        "print(*sorted(n for n in new if f'numpy.{n}' not in sys.modules))"
    )
    assert python(code).splitlines()[-1:] in ([], [""])


def test_all_frameworks_in_one_process():
    """In the loader's order, all that are installed share one process and agree on a gradient."""
    code = """
import os, backends
os.environ.update(backends.SETTINGS)
import cases
from backends.transport.engine import Engine
case = cases.builtin()["xor"]
params, data = case.at("float64")
for name in backends.FRAMEWORKS:
    if not backends.missing(name):
        [(value, gradient)] = Engine(backends.load(name)).gradients(case.loss, [params], data)
        print(name, value.dtype, round(float(gradient["b2"].sum()), 9))
"""
    lines = [line.split() for line in python(code).splitlines()]
    assert [line[0] for line in lines] == [name for name in backends.FRAMEWORKS if not backends.missing(name)]
    assert {tuple(line[1:]) for line in lines} == {tuple(lines[0][1:])}


def test_gradients_of_unused_parameters_are_zero():
    """A parameter that the loss does not use has a gradient of zero, in its own shape."""
    numpy = Numpy()
    params = {"w": numpy.tensor(np.ones(3)), "unused": numpy.tensor(np.ones((2, 2)))}
    _, gradient = numpy.value_and_grad(lambda ops, p, d: ops.sum(p["w"] * p["w"]), params, {})
    assert gradient["unused"].value.tolist() == [[0, 0], [0, 0]]


class Coarse(Numpy):
    """Multiplies matrices with 11 bits as TF32 does, flushes subnormal numbers, and keeps no float64."""

    def tensor(self, array):
        return super().tensor(array.astype(np.float32))

    def round(self, x):
        return np.where(np.abs(x) < np.finfo(np.float32).tiny, np.float32(0), x)

    def product(self, a, b):
        mantissa, exponent = np.frexp(a)
        return np.ldexp(np.round(mantissa * 2**11) / 2**11, exponent).astype(np.float32) @ b


def test_probes_see_what_is_computed():
    """Low precision, flushing to zero and a missing float64 are seen, whatever the backend says of itself."""
    assert probe(Coarse()) == {
        "float32 matmul": "11 bits",
        "float64 matmul": "11 bits",
        "float32 subnormals": "flushed to zero",
        "float64 subnormals": "flushed to zero",
    }
