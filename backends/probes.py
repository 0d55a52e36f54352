"""Numeric modes as a backend really runs them, probed by computing rather than by asking."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backends.base import Backend


def probe(backend: Backend) -> dict[str, str]:
    """Return what float64, float32 matrix products and subnormal numbers turn into in ``backend``."""
    probes = {"float64": _kept_float64, "float32 matmul": _matmul_bits, "float32 subnormals": _subnormals}
    return {name: _answer(probed, backend) for name, probed in probes.items()}


def _answer(probed: Callable[[Backend], str], backend: Backend) -> str:
    try:
        return probed(backend)
    except Exception as error:  # a backend need not have float64, or matrices
        return f"raises {type(error).__name__}"


def _through(backend: Backend, array: np.ndarray) -> np.ndarray:
    """``array`` after a multiplication by one in the framework."""
    return np.asarray(backend.array(backend.tensor(array) * backend.tensor(np.ones_like(array))))


def _kept_float64(backend: Backend) -> str:
    above_one = np.array([1 + 2.0**-52])
    kept = _through(backend, above_one)
    return "float64" if kept.dtype == np.float64 and kept[0] == above_one[0] else f"{kept.dtype.name}: float64 is not kept"


def _matmul_bits(backend: Backend) -> str:
    """Bits of the significand that survive a product; TF32 keeps 11, bfloat16 keeps 8."""
    for bits in range(24, 1, -1):
        a = np.diag(np.full(16, 1 + 2.0 ** (1 - bits))).astype(np.float32)
        product = np.asarray(backend.array(backend.tensor(a) @ backend.tensor(np.eye(16, dtype=np.float32))))
        if (product == a).all():
            return f"{bits} bits"
    return "less than 2 bits"


def _subnormals(backend: Backend) -> str:
    half_smallest = np.full(4, np.finfo(np.float32).tiny / 2, dtype=np.float32)
    return "kept" if (_through(backend, half_smallest) == half_smallest).all() else "flushed to zero"
