"""Names that numpy and Python have removed, for the import of frameworks that are old or no longer developed.

MXNet, Chainer and autograd up to 1.4 look the names up while they are imported; what our programs use, they do not look up
afterwards. The names are taken away again at once: numpy with ``numpy.bool`` set is not numpy.
"""

from __future__ import annotations

import inspect
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


def _removed(name: str) -> Any:
    def raises(*args: Any, **kwargs: Any) -> None:
        raise AttributeError(f"{name} has been removed")

    return raises


def _aliases() -> list[tuple[types.ModuleType, str, Any]]:
    """Module, name and stand-in of all that is missing."""
    aliases: dict[str, Any] = {
        "bool": bool, "int": int, "float": float, "complex": complex, "object": object, "str": str,
        "long": int, "unicode": str,
    }  # fmt: skip
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        aliases |= {
            "PZERO": 0.0, "NZERO": -0.0, "PINF": np.inf, "NINF": -np.inf, "Inf": np.inf, "Infinity": np.inf,
            "infty": np.inf, "NAN": np.nan, "NaN": np.nan,
            "alltrue": np.all, "sometrue": np.any, "product": np.prod, "cumproduct": np.cumprod,
            "round_": np.round, "row_stack": np.vstack, "trapz": getattr(np, "trapezoid", None), "in1d": np.isin,
            "msort": np.sort, "asfarray": np.asarray, "mat": np.asmatrix, "find_common_type": np.result_type,
            "float_": np.float64, "complex_": np.complex128, "cfloat": np.complex128, "singlecomplex": np.complex64,
            "longcomplex": np.clongdouble, "longfloat": np.longdouble, "unicode_": np.str_, "string_": np.bytes_,
            "sctypes": {
                "int": [np.int8, np.int16, np.int32, np.int64], "uint": [np.uint8, np.uint16, np.uint32, np.uint64],
                "float": [np.float16, np.float32, np.float64], "complex": [np.complex64, np.complex128],
                "others": [bool, object, bytes, str, np.void],
            },
        }  # fmt: skip
        # MXNet re-exports these without calling them.
        aliases |= {name: _removed(name) for name in ["mirr", "npv", "pmt", "ppmt", "pv", "rate", "nper", "ipmt", "irr", "fv"]}
    everywhere = [(np, name, value) for name, value in aliases.items()]
    everywhere.append((inspect, "getargspec", _removed("inspect.getargspec")))  # by autograd up to 1.4
    return [(module, name, value) for module, name, value in everywhere if name not in vars(module)]


@contextmanager
def removed_names() -> Iterator[None]:
    """Give modules their removed names, a stand-in for numpy's removed distutils, and no warnings, within the block."""
    aliases = _aliases()
    # Chainer asks numpy.distutils about macOS only; beside a newer setuptools that module dies on import.
    stand_in = "numpy.distutils.system_info"
    known = sys.modules.get(stand_in)
    sys.modules[stand_in] = types.ModuleType(stand_in)
    for module, name, value in aliases:
        setattr(module, name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for module, name, _ in aliases:
            delattr(module, name)
        del sys.modules[stand_in]
        if known is not None:
            sys.modules[stand_in] = known
