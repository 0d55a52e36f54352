"""Tells the environment ``report`` which environments a run of tox was to have, and when it began.

tox goes on after an environment that fails, as one whose interpreter is missing; results of an earlier run may still be there.
Neither may pass for a result.
"""

from __future__ import annotations

import datetime
import shlex

from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State
from tox.tox_env.api import ToxEnv

STARTED = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
STATES: list[State] = []


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    STATES.append(state)


@impl
def tox_before_run_commands(tox_env: ToxEnv) -> None:
    if tox_env.name != "report":
        return
    judged = [
        name for name in STATES[-1].envs.iter() if any(name.endswith(f"-{word}") for word in ("oldest", "pinned", "latest"))
    ]
    if judged:
        options = shlex.join(["--since", STARTED, "--expect", *judged])
        tox_env.conf["set_env"].update({"REPORT_OPTIONS": options}, override=True)
