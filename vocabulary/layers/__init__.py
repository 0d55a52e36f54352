"""The layers, a file each: the folder is the registry. A file's subclass of Layer says all about its layer."""

from __future__ import annotations

import importlib
import pkgutil

from vocabulary.layers.dense import Dense
from vocabulary.layers.layer import ACTIVATIONS, Layer
from vocabulary.words import Words

__all__ = ["ACTIVATIONS", "LAYERS", "Dense", "Layer"]


def _found() -> dict[str, type[Layer]]:
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    kinds = [kind for module in modules for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Layer)]
    return {kind.word: kind for kind in kinds if kind is not Layer}


# The records of this folder, by their words.
LAYERS: Words[type[Layer]] = Words("layer", _found())
