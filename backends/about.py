"""What is known of a framework without importing it: the file about.toml in its folder, which makes the folder a framework."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path

from vocabulary.words import unknown


@dataclasses.dataclass(frozen=True)
class About:
    """The packages of a framework, and the settings that it reads when it is imported.

    ``layers`` are packages that its users take for layers, losses and optimisers, where it brings none; ``parts`` hold a part
    of it and have versions of their own; ``brings`` are other frameworks that it imports by itself where they are installed,
    without computing with them. ``settings`` are variables of the environment and their values. ``cache`` is the variable that
    names a folder in which it keeps what it has compiled, for later processes.
    """

    layers: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    cache: str = ""


def read(folder: Path) -> dict[str, About]:
    """Return what is known of each framework that has a folder in ``folder``, sorted by name.

    Raises ValueError for a file that says what nobody knows, and where two have different values for one setting.
    """
    found = {path.parent.name: _read(path) for path in sorted(folder.glob("*/about.toml"))}
    said: dict[str, str] = {}
    for name, about in found.items():
        for setting, value in about.settings.items():
            if said.setdefault(setting, value) != value:
                path, other = folder / name / "about.toml", said[setting]
                raise ValueError(f"{path} sets {setting} to {value!r}, another framework to {other!r}")
    return found


def _read(path: Path) -> About:
    stated = tomllib.loads(path.read_text())
    known = [field.name for field in dataclasses.fields(About)]
    for key in stated:
        if key not in known:
            raise unknown(f"key in {path}:", key, known)
    layers, parts, brings = (tuple(stated.get(key, ())) for key in ("layers", "parts", "brings"))
    return About(layers, parts, brings, stated.get("settings", {}), stated.get("cache", ""))
