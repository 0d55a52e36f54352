"""The environments of tox: each framework that there is an adapter of, at each of its releases, and no other."""

import os
import re
import shutil
import subprocess

import pytest

import backends
from tests.meta.conftest import ROOT

REQUIREMENTS = ROOT / "requirements"
LISTED = re.findall(r"^-r (\w+)\.in$", (REQUIREMENTS / "frameworks.in").read_text(), re.MULTILINE)


@pytest.fixture
def tox(tmp_path):
    """Return a function that runs tox on the suite's own tox.ini, with a work folder of its own."""
    command = shutil.which("tox", path=f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}")
    if not command:
        pytest.skip("there is no tox: neither sh conform made an environment of it nor is it installed")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TOX_", "PYTEST_"))}

    def run(*words):
        options = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True, "check": False}
        return subprocess.run([command, "--workdir", tmp_path, *words], **options)

    return run


def test_every_adapter_has_requirements():
    """tox reads the list of requirements and the suite its folder of adapters: both have the same frameworks."""
    assert sorted(LISTED) == sorted(backends.FRAMEWORKS)


@pytest.mark.parametrize("name", LISTED)
def test_every_framework_has_its_releases(name):
    """A framework has a file of what it needs, and its oldest and its pinned release are stated."""
    assert (REQUIREMENTS / f"{name}.in").is_file()
    for file in ("oldest", "pinned"):
        stated = re.findall(rf"^{name}(?:-cpu)?==\S+", (REQUIREMENTS / f"{file}.in").read_text(), re.MULTILINE)
        assert stated, f"requirements/{file}.in has no line {name}==VERSION"


@pytest.mark.parametrize(
    ("label", "patterns"),
    [
        ("oldest", ["{}-oldest"]),
        ("pinned", ["{}-pinned"]),
        ("latest", ["{}-latest"]),
        ("matrix", ["{}-oldest", "{}-pinned", "{}-latest"]),
        ("python", ["py312-{}-pinned", "py313-{}-pinned"]),
    ],
)
def test_a_label_runs_every_framework_and_reports(tox, label, patterns):
    """And so does a framework that is added to the list, since nothing else names them."""
    found = tox("list", "--quiet", "--no-desc", "-m", label).stdout.split()
    assert sorted(found) == sorted(["report", *(pattern.format(name) for name in LISTED for pattern in patterns)])


def test_an_environment_has_its_framework_and_no_other(tox):
    """What it installs and what it judges, at its release; the environment of all has them all."""
    shown = tox("config", "-e", "torch-latest", "-k", "deps", "commands").stdout
    assert re.findall(r"-[rc] .*/requirements/(.*)", shown) == ["report.in", "suite.in", "torch.in", "latest.txt"]
    assert re.findall(r"--backend (\S+)", shown) == ["numpy", "torch"]
    shown = tox("config", "-e", "all", "-k", "deps").stdout
    others = [f"{name}.in" for name in LISTED if name != "numpy"]  # which the suite itself needs
    assert re.findall(r"-[rc] .*/requirements/(.*)", shown) == [
        "report.in", "suite.in", *others, "site.in", "browser.in", "pinned.txt",
    ]  # fmt: skip


def test_the_report_comes_last(tox):
    """It waits for every environment that writes results, also where they run side by side."""
    shown = tox("config", "-e", "report", "-k", "depends").stdout
    written = tox("list", "--quiet", "--no-desc", "-m", "matrix", "python").stdout.split()
    assert re.findall(r"[\w-]+-(?:oldest|pinned|latest)", shown) == [name for name in written if name != "report"]


@pytest.mark.parametrize("name", ["torsch-pinned", "torch-newest", "frameworks", "py311-torsch-pinned"])
def test_an_unknown_environment_is_refused(tox, name):
    """By name: a word that no environment has makes none."""
    outcome = tox("run", "-e", name)
    assert outcome.returncode != 0
    assert f"provided environments not found in configuration file:\n{name}" in outcome.stdout + outcome.stderr
