"""Unusual adapters that are sound: each computes to the rounding of its dtype, in a way that no built-in adapter does.

A check of one of them that is red is a false alarm. Each is a class whose docstring says why it is sound, in a file of its
framework: torch.py or torch_THEME.py. They are listed by reading their files: whether a framework is installed does not matter
to the list. What begins with an underscore is a part of others.

Not among them, since their error is no rounding of each operation:

- products of matrices by Strassen: the error of an entry grows with the norms of both matrices, and not with its own row and
  column (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM 2002, section 23.2.2);
- sigmoid as (1 + tanh(x / 2)) / 2, or tanh as 2 sigmoid(2 x) - 1: the error does not shrink with the value;
- sigmoid as exp(-log(1 + exp(-x))), and exp as 2^(x log2 e) by one product: the error of the argument grows with |x|;
- derivatives by a complex step: an exact zero becomes the square of the step, and small derivatives underflow;
- relu as (x + |x|) / 2: the sum overflows where the result does not.
"""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

from backends import FRAMEWORKS

FOLDER = Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Unusual:
    """A sound adapter: what --backend takes, the framework that it needs, and why it is sound."""

    adapter: str
    framework: str
    title: str

    @property
    def name(self) -> str:
        """The framework and the class, as in ``torch.Jacfwd``."""
        return f"{self.framework}.{self.adapter.partition(':')[2]}"


def unusual() -> list[Unusual]:
    """Return all of them, by framework and in the order of their files. Imports no framework."""
    return [
        Unusual(f"{__name__}.{path.stem}:{node.name}", framework, ast.get_docstring(node) or "")
        for framework in FRAMEWORKS
        for path in (FOLDER / f"{framework}.py", *sorted(FOLDER.glob(f"{framework}_*.py")))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
