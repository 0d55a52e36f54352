"""autograd, imported as it has to be."""

from __future__ import annotations

from backends.legacy import removed_names

with removed_names():
    import autograd
    import autograd.numpy as anp
    from autograd.misc import optimizers
    from autograd.scipy import special

__all__ = ["anp", "autograd", "optimizers", "special"]
