"""Random variants of a case: other sizes, starts and data, drawn so that what deviates can be shrunk and written down."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cases import Case

# Sizes of axes, and how far numbers go in sizes of the case's own: small ones find as much, and shrink sooner.
LARGEST = 6
REACH = 2.0
# Training steps of a variant: the first, from a start without history, and one that has some.
STEPS = 2


@st.composite
def variants(draw: st.DrawFn, case: Case) -> Case:
    """Draw a case with the formula of ``case``: axes of other sizes, and arrays that are of the same kind as its own.

    Labels stay labels, one-hot rows one-hot and columns of ones what they are; all other numbers lie within twice the
    largest of their array, or of 1.
    """
    sizes: dict[str, int] = {}
    arrays = {}
    for key, array in {**case.data, **case.params}.items():  # whose one-hot rows say how many classes there are at least
        names = case.axes.get(key, "").split()
        shape = tuple(
            _size(draw, name, least=2 if _one_hot(array) and axis else 1, sizes=sizes) for axis, name in enumerate(names)
        )
        arrays[key] = _like(draw, array, shape if names else array.shape, constant=key in case.data)
    return case.but(
        "variant",
        params={key: arrays[key] for key in case.params},
        data={key: arrays[key] for key in case.data},
        batches=None,
        held_out={},
        steps=STEPS if case.steps else 0,
    )


def _size(draw: st.DrawFn, name: str, least: int, sizes: dict[str, int]) -> int:
    if name.isdigit():
        return int(name)
    if name not in sizes:
        sizes[name] = draw(st.integers(least, LARGEST), label=name)
    return sizes[name]


def _one_hot(array: np.ndarray) -> bool:
    return array.ndim == 2 and array.shape[1] > 1 and bool((np.sort(array, axis=1) == np.eye(array.shape[1])[-1]).all())


def _like(draw: st.DrawFn, array: np.ndarray, shape: tuple[int, ...], *, constant: bool) -> np.ndarray:
    """Draw an array of another shape; ``constant`` data keep what makes them labels or columns of ones."""
    if constant and (array == 1).all() and array.size > 1:
        return np.ones(shape)
    if constant and _one_hot(array):
        return np.eye(shape[1])[[draw(st.integers(0, shape[1] - 1)) for _ in range(shape[0])]]
    if constant and array.size and np.isin(array, (0, 1)).all() and (array.ndim < 2 or array.shape[1] == 1):
        return draw(hnp.arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0])))
    reach = REACH * max(1.0, float(np.abs(array).max()))
    drawn = draw(hnp.arrays(np.float64, shape, elements=st.floats(-reach, reach, allow_subnormal=False)))
    if constant and array.ndim == 2 and (array[:, -1] == 1).all():
        drawn = np.concatenate([drawn[:, :-1], np.ones((shape[0], 1))], axis=1)
    return drawn


def written(variant: Case, name: str) -> str:
    """Return a file of cases that holds the variant of the built-in case ``name``, number for number."""
    fields = ", ".join(f"{field}={_literal(getattr(variant, field))}" for field in ("params", "data"))
    return (
        "from cases import builtin\n"
        f'SHRUNK = builtin()["{name}"].but("shrunk", {fields}, batches=None, held_out={{}}, steps={variant.steps})\n'
    )


def _literal(arrays: Mapping[str, np.ndarray]) -> str:
    return repr({key: array.tolist() for key, array in arrays.items()})
