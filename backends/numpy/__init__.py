"""numpy: no automatic differentiation of its own, so the tape of this suite, over its floats."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from arithmetic.floats import Floats
from backends.base import Backend


class Numpy(Floats, Backend):
    name = "numpy"
    unsupported_levels: ClassVar = {
        "modules": "numpy has no layers",
        "optimizer": "numpy has no optimisers",
        "class": "numpy has no base class for models",
    }

    train = Backend.train

    @property
    def version(self) -> str:
        return np.__version__
