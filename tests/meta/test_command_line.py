"""Bad input gets a clear error before work starts."""

import os

import pytest

STATUS_USAGE = 4
IMPORTS = "import time:"  # what PYTHONPROFILEIMPORTTIME writes


@pytest.fixture
def refused(suite, monkeypatch):
    """Return a function that runs the suite, expects a usage error before any framework is imported, and returns it."""

    def run(*options):
        monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
        outcome = suite(*options)
        lines = outcome.text.splitlines()
        assert outcome.status == STATUS_USAGE, outcome.text
        imported = {line.rpartition("|")[2].strip() for line in lines if line.startswith(IMPORTS)}
        assert "numpy" in imported, "imports are not seen"
        assert not imported & {"torch", "tensorflow", "jax", "mxnet", "chainer", "autograd"}
        return "\n".join(line for line in lines if not line.startswith(IMPORTS))

    return run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--backend", "pytorch"),
            "unknown backend 'pytorch'; known: numpy, chainer, mxnet, autograd, torch, jax, tensorflow",
        ),
        (
            ("--backend", "no.such.module:Class"),
            "backend 'no.such.module:Class': no module 'no.such.module' can be found on PYTHONPATH",
        ),
        (("--backend", "tests.meta.adapters:"), "after ':' stands the name of a class, got ''"),
        (("--case", "nor"), "unknown case 'nor'; known: blobs, blobs-mean, "),
        (("--level", "layers"), "unknown level 'layers'; known: autodiff, modules, optimizer, class"),
        (("--dtype", "float8"), "unknown dtype 'float8'; known: float32, float64, float16"),
        (("--time-limit", "0"), "--time-limit=0.0: must be a number above 0"),
        (("--memory-limit", "0"), "--memory-limit=0.0: must be a number above 0"),
        (("--memory-limit", "-1"), "--memory-limit=-1.0: must be a number above 0"),
        (("--memory-limit", "nan"), "--memory-limit=nan: must be a number above 0"),
        (("--memory-limit", "inf"), "--memory-limit=inf: must be a number above 0"),
        (("--memory-limit", "much"), "argument --memory-limit: invalid float value: 'much'"),
        (("--seed", "-1"), "--seed=-1: must be a whole number, 0 or more"),
        (("--results=",), "--results=: the name of a file is missing"),
        (("--time-limit", "soon"), "argument --time-limit: invalid float value: 'soon'"),
        (("--random", "-5"), "--random=-5: must be a whole number, 0 or more"),
        (("--cases", "no_such_file.py"), "no_such_file.py: no such Python file of cases"),
        (("--results=/proc/no/such.json",), "--results=/proc/no/such.json cannot be written: "),
    ],
)
def test_bad_options_are_usage_errors(refused, options, words):
    """Exit status 4, and the known values."""
    assert words in refused(*options)


CASE = """
from cases import Case

def loss(ops, params, data):
    {body}

MINE = Case(name="mine", title="a case of my own", source="here", loss=loss, params={params}, data={data})
"""


@pytest.mark.parametrize(
    ("body", "params", "data", "words"),
    [
        ("return params['w']", "{'w': float('nan')}", "{}", "case 'mine': params['w'] is not finite: nan"),
        (
            "return params['w'] + ops.sum(data['x'])",
            "{'w': 1.5}",
            "{'x': []}",
            "case 'mine': data['x'] is empty, of shape (0,)",
        ),
        ("return params['w']", "{'w': 'one'}", "{}", "case 'mine': params['w'] is not an array of numbers"),
        ("return params['w']", "{}", "{}", "case 'mine' has no parameters"),
        (
            "return params['w']",
            "{'w': [1.5, 2.5]}",
            "{}",
            "case 'mine': a loss is a scalar tensor of shape (), this one is (2,)",
        ),
        ("return 1.5", "{'w': 1.5}", "{}", "this one is float"),
        ("params['w'] = 2", "{'w': 1.5}", "{}", "case 'mine': its formula raises TypeError"),
        ("x = data['x']; x -= 1; return ops.sum(x)", "{'w': 1.5}", "{'x': 2}", "must not write into a tensor"),
        ("return ops.gamma(params['w'])", "{'w': 1.5}", "{}", "ops has no operator 'gamma'; known: exp, "),
        ("return params['b']", "{'w': 1.5}", "{}", "params has no 'b'; it has w"),
        ("return params['w'] ** 2", "{'w': 1.5}", "{}", "mine.py, line 5); a formula is made of + - * / @ and the operators"),
        ("return params['w'] + 0", "{'w': '1.5'}", "{}", "case 'mine': params['w'] is not an array of numbers: got '1.5'"),
        ("return ops.sum(data['x'])", "{'w': 1.5}", "{'x': 2}", "case 'mine': its loss does not use the parameters ['w']"),
        ("return data['x'] @ params['w']", "{'w': [1.5]}", "{'x': [2]}", "@ takes two matrices, got shapes (1,) and (1,)"),
        ("raise SystemExit('bye')", "{'w': 1.5}", "{}", "case 'mine': its formula raises SystemExit: bye"),
        ("return params['w'] * 0 + ops.sum(data['x'])", "{'w': 1.5}", "{'x': 1e39}", "case 'mine': 'x' overflows float32"),
    ],
)
def test_bad_cases_are_named(refused, tmp_path, body, params, data, words):
    """A case that cannot be judged is refused with its name."""
    file = tmp_path / "mine.py"
    file.write_text(CASE.format(body=body, params=params, data=data))
    assert words in refused("--cases", str(file))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"x = 1", "broken.py defines no case"),
        (b"from cases.xor import XOR", "broken.py defines no case"),
        (b"from cases.xor import XOR; MINE = XOR.but('nand')", "case 'nand' is defined twice"),
    ],
)
def test_case_files_that_do_not_fit_are_named(refused, tmp_path, text, words):
    """A file without a case of its own, or with a name that is taken, is refused."""
    file = tmp_path / "broken.py"
    file.write_bytes(text)
    assert words in refused("--cases", str(file))


BROKEN = [
    (b"\n1 / 0", 2, "failed to run: ZeroDivisionError: division by zero"),
    (b"def f():\n    raise OSError('f')\n\nf()", 2, "failed to run: OSError: f"),
    (b"import json\n\njson.loads('[')", 3, "failed to run: JSONDecodeError: "),
    (b"import sys; sys.exit(3)", 1, "failed to run: SystemExit: 3"),
    (b"from cases.xor import XOR\nMINE = XOR.but('My case')", 2, "case 'My case': a name is lower-case words"),
    (b"x = 1\ndef f(:\n", 2, "failed to run: SyntaxError: invalid syntax"),
    (b"x = 1\n\ny = '\0'\n", 3, "source code string cannot contain null bytes"),
    (b"x = 1\n\ny = '\xff'\n", 3, "'utf-8' codec can't decode byte 0xff"),
    (b"# coding: klingon\n", 1, "unknown encoding: klingon"),
]


def test_broken_case_files_are_all_named(refused, tmp_path):
    """One usage error says of each file which line of it fails, and why."""
    options, expected = [], []
    for number, (text, line, words) in enumerate(BROKEN):
        file = tmp_path / f"broken_{number}.py"
        file.write_bytes(text)
        options += ["--cases", str(file)]
        expected.append((f"{file}, line {line}: ", words))
    (tmp_path / "folder.py").mkdir()
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "cases.txt").write_text("x = 1")
    for name in ("folder.py", "pipe.py", "cases.txt"):
        options += ["--cases", str(tmp_path / name)]
        expected.append((f"{tmp_path / name}: ", "no such Python file of cases; give a regular file whose name ends in .py"))
    lines = refused(*options).splitlines()
    for place, words in expected:
        assert [line for line in lines if place in line and words in line], place


def test_a_case_from_outside_is_judged(suite, tmp_path):
    """A case in a file of the user's is judged like those that come with the suite."""
    file = tmp_path / "mine.py"
    file.write_text(
        CASE.format(body="return ops.sum(ops.exp(params['w'] * data['x']))", params="{'w': 0.31}", data="{'x': [1, 2.5]}")
    )
    outcome = suite("--cases", str(file), "--case", "mine", "--backend", "numpy", "--backend", "autograd")
    assert outcome.status == 0, outcome.text
    assert outcome.verdicts(case="mine") == {"conforms"}


def test_a_missing_backend_is_an_error(suite, tmp_path, monkeypatch):
    """A framework that is asked for and not installed is reported as missing, by package, and is no skip."""
    blocker = tmp_path / "sitecustomize.py"
    blocker.write_text(
        "import importlib.util as u\nreal = u.find_spec\nu.find_spec = lambda n, *a: None if n == 'mxnet' else real(n, *a)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = suite("--backend", "mxnet", "--backend", "numpy", "--case", "line", "--dtype", "float32")
    assert outcome.status == 1
    assert "missing: mxnet (package 'mxnet' is not installed in this environment)" in outcome.text
    assert outcome.verdicts(backend="mxnet") == {"missing"}
    assert outcome.verdicts(backend="numpy") == {"conforms"}
    assert " skipped" not in outcome.text
    everything = suite("--case", "line", "--dtype", "float32", "-k", "loss")
    assert "not judged: mxnet, package 'mxnet' is not installed" in everything.text


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ("tests.meta.adapters:Absent", "tests.meta.adapters has no class Absent; its adapters are "),
        ("tests.meta.adapters:NotABackend", "tests.meta.adapters:NotABackend is not a subclass of backends.base.Backend"),
        ("tests.meta.adapters:Incomplete", "tests.meta.adapters:Incomplete lacks the methods "),
    ],
)
def test_what_is_no_adapter_is_refused(suite, adapter, words):
    """In one sentence, before any test runs."""
    outcome = suite("--backend", adapter, "--backend", "numpy", "--case", "line", "--dtype", "float32")
    assert outcome.status == pytest.ExitCode.USAGE_ERROR
    assert outcome.text.count(words) == 1
    assert f"ERROR: backend {adapter!r}: {words}" in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ("tests.meta.broken_import:Any", "ImportError: libframework.so.1: cannot open shared object file"),
        ("tests.meta.dies_at_construction:Any", "ValueError: no licence"),
    ],
)
def test_a_backend_that_cannot_be_loaded_fails(suite, adapter, words):
    """The original message, for every check, and the other backends are judged."""
    outcome = suite("--backend", adapter, "--backend", "numpy", "--case", "line", "--dtype", "float32")
    assert outcome.status == 1
    assert f"backend '{adapter}' cannot be loaded" in outcome.text
    assert words in outcome.text
    assert outcome.verdicts(backend=adapter) == {"failed"}
    assert outcome.verdicts(backend="numpy") == {"conforms"}
