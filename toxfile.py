"""What tox.ini cannot say: which environments there are, and that one that did not run has no results.

``requirements/frameworks.in`` lists the frameworks, and nothing else that tox reads does. The names and labels of the
environments are made of it, what the report comes after, and what tox.ini takes for an environment's ``{framework}`` and
``{requirements}``.

tox goes on after an environment that fails, as one whose interpreter is missing. What it left the last time must not pass for
a result, now or when the report is made again: its results file (``RESULTS`` in tox.ini) is empty then, which the report reads
as "not run". The earlier one is kept, as ``NAME.json.old``.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from tox.config.loader.memory import MemoryLoader
from tox.config.sets import ConfigSet, EnvConfigSet
from tox.config.types import EnvList
from tox.execute.api import Outcome
from tox.plugin import impl
from tox.session.state import State
from tox.tox_env.api import ToxEnv

STARTED = time.time()
SOUND: set[str] = set()
VERSIONS = ("oldest", "pinned", "latest")


def frameworks(root: Path) -> list[str]:
    """Return the frameworks in the order of requirements/frameworks.in below ``root``."""
    return re.findall(r"^-r (\w+)\.in$", (root / "requirements" / "frameworks.in").read_text(), re.MULTILINE)


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    names = frameworks(core_conf["tox_root"])
    matrix = [f"{name}-{version}" for name in names for version in VERSIONS]
    python = [f"{python}-{name}-pinned" for python in ("py312", "py313") for name in names]
    groups = {version: [f"{name}-{version}" for name in names] for version in VERSIONS} | {"matrix": matrix, "python": python}
    labels = {group: EnvList([*members, "report"]) for group, members in groups.items()}
    labels["lock"] = EnvList(["lock-old", "lock-pins", "lock-new"])
    core_conf.loaders.append(MemoryLoader(env_list=EnvList(["all", *matrix, *python, "report"]), labels=labels))
    state.conf.memory_seed_loaders["report"].append(MemoryLoader(depends=EnvList([*matrix, *python])))


@impl
def tox_add_env_config(env_conf: EnvConfigSet, state: State) -> None:
    root = state.conf.core["tox_root"]
    names = (
        frameworks(root) if env_conf.name == "all" else [name for name in frameworks(root) if name in env_conf.name.split("-")]
    )
    # The suite itself needs numpy.
    files = [f"-r {root / 'requirements' / name}.in" for name in names if name != "numpy"]
    env_conf.add_constant("framework", "its framework, or all of them", " ".join(names))
    env_conf.add_constant("requirements", "what its frameworks need", "\n".join(files))


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
