"""Numeric modes as a backend really runs them, probed by computing rather than by asking."""

from __future__ import annotations

import numpy as np

from backends.base import Backend
from backends.text import printable
from vocabulary.words import FLUSHED, NUMERIC


def probe(backend: Backend) -> dict[str, str]:
    """Return what matrix products and subnormal numbers of each dtype turn into in ``backend``, by the names in NUMERIC."""
    return {name: _answer(name, backend) for name in NUMERIC}


def _answer(name: str, backend: Backend) -> str:
    dtype, _, what = name.partition(" ")
    try:
        return {"matmul": _matmul_bits, "subnormals": _subnormals}[what](backend, np.dtype(dtype))
    except Exception as error:  # a backend need not have float64, or matrices
        return f"raises {printable(type(error).__name__)}"


def _matmul_bits(backend: Backend, dtype: np.dtype) -> str:
    """Bits of the significand that survive a product; TF32 keeps 11, bfloat16 keeps 8, a float64 that is none 24."""
    identity = backend.tensor(np.eye(16, dtype=dtype))
    for bits in range(np.finfo(dtype).nmant + 1, 1, -1):
        a = np.diag(np.full(16, 1 + 2.0 ** (1 - bits))).astype(dtype)
        if (np.asarray(backend.array(backend.tensor(a) @ identity)) == a).all():
            return f"{bits} bits"
    return "less than 2 bits"


def _subnormals(backend: Backend, dtype: np.dtype) -> str:
    # Made and compared bit by bit: a processor that takes subnormal numbers for zero would do so here as well.
    pattern = 1 << (np.finfo(dtype).nmant - 1)
    half_smallest = np.full(4, pattern, dtype=f"u{dtype.itemsize}").view(dtype)
    through = backend.tensor(half_smallest) * backend.tensor(np.ones_like(half_smallest))
    return "kept" if np.asarray(backend.array(through)).tobytes() == half_smallest.tobytes() else FLUSHED
