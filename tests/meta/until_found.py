"""A plugin for runs over faulty adapters, ``-p tests.meta.until_found``: of each backend given as ``--until-found BACKEND`` it
skips the other tests once one has found its fault.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from report.table import is_red
from runner.recorder import RECORD
from vocabulary.words import DEVIATES

FOUND = pytest.StashKey[set[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    words = "judge it no further once a fault is found"
    parser.addoption("--until-found", action="append", default=[], metavar="BACKEND", help=words)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FOUND] = set()


def pytest_runtest_setup(item: pytest.Function) -> None:
    if hasattr(item, "callspec") and item.callspec.params.get("backend") in item.config.stash[FOUND]:
        pytest.skip("found before")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    records = [json.loads(value) for name, value in report.user_properties if name == RECORD and report.when == "call"]
    found = {each["backend"] for each in records if each["kind"] == "check" and is_red(each) and each["verdict"] == DEVIATES}
    item.config.stash[FOUND] |= found & {*item.config.getoption("--until-found")}
    return report
