"""numpy with sums and products in other orders."""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar

import numpy as np

from arithmetic.tape import Array, Taped
from backends.numpy import Numpy

# Sums and products of matrices: gamma(n - 1) and gamma(n) hold for every order of the additions.


class _Order(Numpy):
    """Sums, those inside products of matrices as well, are made by ``added`` of terms along the first axis."""

    def added(self, terms: Array) -> Array:
        return functools.reduce(np.add, terms)

    def summed(self, terms: Array, axes: tuple[int, ...]) -> Array:
        first = np.moveaxis(terms, axes, range(len(axes)))
        total = self.added(first.reshape(-1, *first.shape[len(axes) :]))
        return self.boxed(total).astype(terms.dtype)

    def product(self, a: Array, b: Array) -> Array:
        return self.summed(a.T[:, :, np.newaxis] * b[:, np.newaxis, :], (0,))


class InOrder(_Order):
    """Sums from the first term to the last, as a loop in C has them: each term takes part in at most n - 1 additions."""


class Reversed(_Order):
    """Sums from the last term to the first: each term takes part in at most n - 1 additions."""

    def added(self, terms: Array) -> Array:
        return super().added(terms[::-1])


class SmallestFirst(_Order):
    """Sums of the terms sorted by size: another order, in which each term takes part in at most n - 1 additions."""

    def added(self, terms: Array) -> Array:
        return super().added(np.take_along_axis(terms, np.argsort(np.abs(terms), axis=0, kind="stable"), axis=0))


class Pairwise(_Order):
    """Sums of two halves, and so on: a term takes part in about log2 n additions."""

    def added(self, terms: Array) -> Array:
        half = len(terms) // 2
        return self.added(terms[:half]) + self.added(terms[half:]) if half else terms[0]


class Blocks8(_Order):
    """Sums of consecutive blocks, which are then added: a term takes part in fewer than 8 + n / 8 <= n - 1 additions."""

    block = 8

    def added(self, terms: Array) -> Array:
        blocks = np.split(terms, range(self.block, len(terms), self.block))
        return super().added([super(Blocks8, self).added(block) for block in blocks])


class Blocks32(Blocks8):
    """The same in blocks of 32, as of a wider register that is unrolled."""

    block = 32


class Lanes16(_Order):
    """Every 16th term goes to the same of 16 sums, as in a vector register: again an order of the same additions."""

    def added(self, terms: Array) -> Array:
        return super().added([super(Lanes16, self).added(terms[lane::16]) for lane in range(min(16, len(terms)))])


class Cumulative(_Order):
    """Sums are the last of numpy.cumsum, which has no order but the one from the first."""

    def added(self, terms: Array) -> Array:
        return np.cumsum(terms, axis=0)[-1]


class Compensated(_Order):
    """Neumaier's sums carry what each addition loses: an error of about u, whatever n is, and n - 1 of them are granted."""

    def added(self, terms: Array) -> Array:
        total, lost = terms[0], np.zeros_like(terms[0])
        for term in terms[1:]:
            new = total + term
            lost = lost + np.where(np.abs(total) >= np.abs(term), (total - new) + term, (term - new) + total)
            total = new
        return np.where(np.isfinite(total), total + lost, total)  # inf - inf is no loss


class Fsum(_Order):
    """Sums by math.fsum are those of infinite precision, rounded to float64 and then to the dtype: at most 2 u."""

    def added(self, terms: Array) -> Array:
        return np.apply_along_axis(math.fsum, 0, terms)


class SumsByProducts(Numpy):
    """Sums are products with a vector of ones, whose products are exact; BLAS chooses the order."""

    def summed(self, terms: Array, axes: tuple[int, ...]) -> Array:
        first = np.moveaxis(terms, axes, range(len(axes)))
        inner = first.shape[len(axes) :]
        columns = first.reshape(-1, math.prod(inner))
        return np.asarray(np.ones(len(columns), terms.dtype) @ columns).reshape(inner)


class Einsum(Numpy):
    """Products and sums by numpy.einsum, in loops of its own: the same products, added in some order."""

    def product(self, a: Array, b: Array) -> Array:
        return np.einsum("ij,jk->ik", a, b)

    def summed(self, terms: Array, axes: tuple[int, ...]) -> Array:
        kept = [axis for axis in range(terms.ndim) if axis not in {axis % terms.ndim for axis in axes}]
        return np.asarray(np.einsum(terms, list(range(terms.ndim)), kept))


class Loops(Numpy):
    """Products of matrices by three nested loops in Python: the definition, term by term."""

    def product(self, a: Array, b: Array) -> Array:
        result = np.zeros((len(a), b.shape[1]), a.dtype)
        for i in range(len(a)):
            for k in range(b.shape[1]):
                total = result[i, k]
                for j in range(len(b)):
                    total = total + a[i, j] * b[j, k]
                result[i, k] = total
        return result


class DotOfRows(Numpy):
    """Products of matrices by numpy.dot of each row with each column."""

    def product(self, a: Array, b: Array) -> Array:
        return np.array([[np.dot(row, column) for column in b.T] for row in a])


class Transposed(Numpy):
    """A B as the transpose of B^T A^T: the same products, and BLAS may add them in another order."""

    def product(self, a: Array, b: Array) -> Array:
        return (b.T @ a.T).T


class BlockedProducts(Numpy):
    """Products of blocks of 16 along the inner axis, added: a product still takes part in at most n - 1 additions."""

    def product(self, a: Array, b: Array) -> Array:
        blocks = range(0, len(b), 16)
        return functools.reduce(np.add, [a[:, start : start + 16] @ b[start : start + 16] for start in blocks])


class _Wide(Numpy):
    """Every operation is computed in ``wide`` and rounded once, at its end, to the dtype of the run."""

    wide: ClassVar[type] = np.float64
    dtype = np.dtype(np.float64)

    def tensor(self, array: np.ndarray) -> Taped:
        self.dtype = array.dtype
        return super().tensor(array)

    def round(self, x: Any) -> Array:
        return np.asarray(x, dtype=self.dtype)

    def aligned(self, a: Taped, b: Taped) -> tuple[Array, Array]:
        return a.value.astype(self.wide), b.value.astype(self.wide)

    def function(self, name: str, x: Array) -> Array:
        return self.round(super().function(name, x.astype(self.wide)))

    def product(self, a: Array, b: Array) -> Array:
        return self.round(a.astype(self.wide) @ b.astype(self.wide))

    def summed(self, terms: Array, axes: tuple[int, ...]) -> Array:
        return self.round(terms.astype(self.wide).sum(axis=axes))


class Float64Inside(_Wide):
    """Every operation in float64 and rounded once: in float32 as good as correctly rounded, as 53 >= 2 * 24 + 2 bits are."""


class LongDouble(_Wide):
    """Every operation in long double and rounded once, as a processor with wide registers does.

    Functions, sums and products are more accurate for it. A float64 sum, difference, product or quotient is rounded twice,
    which in one case of 2^12 moves it, to at most (1 + 2^-11) u from the exact one, and beyond u only beside a power of two.
    """

    wide = np.longdouble
