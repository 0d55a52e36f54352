"""Leaves no results of an earlier run where an environment has not run.

tox goes on after an environment that fails, as one whose interpreter is missing. What it left the last time must not pass for
a result, now or when the report is made again: its results file (``RESULTS`` in tox.ini) is empty then, which the report reads
as "not run". The earlier one is kept, as ``NAME.json.old``.
"""

from __future__ import annotations

import time
from pathlib import Path

from tox.execute.api import Outcome
from tox.plugin import impl
from tox.tox_env.api import ToxEnv

STARTED = time.time()
SOUND: set[str] = set()


@impl
def tox_after_run_commands(tox_env: ToxEnv, exit_code: int, outcomes: list[Outcome]) -> None:
    if exit_code == 0:  # as of pytest --collect-only, which writes nothing
        SOUND.add(tox_env.name)


@impl
def tox_env_teardown(tox_env: ToxEnv) -> None:
    settings = tox_env.conf["set_env"]
    words = [word for command in tox_env.conf["commands"] for word in command.args]
    # tox run --notest and tox exec run other commands, or none.
    if "RESULTS" not in settings or f"--results={settings.load('RESULTS')}" not in words:
        return
    if tox_env.name in SOUND or tox_env.options.no_test or tox_env.options.package_only:
        return
    results = Path(tox_env.core["tox_root"], settings.load("RESULTS"))
    if results.exists() and results.stat().st_mtime >= STARTED:
        return
    if results.exists() and results.stat().st_size:
        results.replace(f"{results}.old")
    results.parent.mkdir(parents=True, exist_ok=True)
    results.touch()
