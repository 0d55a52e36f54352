"""MXNet, imported as it has to be."""

from __future__ import annotations

from backends.legacy import removed_names

with removed_names():
    import mxnet
    from mxnet import autograd, gluon, np, npx

__all__ = ["RELEASE", "autograd", "gluon", "mxnet", "np", "npx"]

npx.set_np()  # scalars of shape (), as everywhere else
RELEASE = tuple(map(int, mxnet.__version__.split(".")[:2]))
if RELEASE < (1, 7):  # where arrays have no @ yet
    np.ndarray.__matmul__ = np.dot
