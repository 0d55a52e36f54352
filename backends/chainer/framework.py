"""Chainer, imported as it has to be."""

from __future__ import annotations

from backends.legacy import removed_names

with removed_names():
    import chainer
    import chainer.functions as F
    import chainer.links as L

__all__ = ["F", "L", "chainer"]
