"""Random variants of a case: other sizes, starts and data, drawn so that what deviates can be shrunk and written down."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cases import Case

# Sizes of axes, and how far numbers go in sizes of the case's own: small ones find as much, and shrink sooner.
LARGEST_AXIS = 6
WIDE = (8, 16, 33)
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
        # Of columns of ones, another has to be left; one class is none.
        wide = _one_hot(array) or _has_ones(array)
        shape = tuple(_size(draw, name, least=2 if wide and axis else 1, sizes=sizes) for axis, name in enumerate(names))
        arrays[key] = _like(draw, array, shape if names else array.shape, constant=key in case.data)
    return case.but(
        "variant",
        params={key: arrays[key] for key in case.params},
        data={key: arrays[key] for key in case.data},
        batches=None,
        held_out={},
        picture=None,  # its examples have other sizes
        steps=STEPS if case.steps else 0,
    )


def _size(draw: st.DrawFn, name: str, least: int, sizes: dict[str, int]) -> int:
    if name.isdigit():
        return int(name)
    if name not in sizes:
        sizes[name] = draw(st.integers(least, LARGEST_AXIS) | st.sampled_from(WIDE), label=name)
    return sizes[name]


def _one_hot(array: np.ndarray) -> bool:
    return array.ndim == 2 and array.shape[1] > 1 and bool((np.sort(array, axis=1) == np.eye(array.shape[1])[-1]).all())


def _has_ones(array: np.ndarray) -> bool:
    return array.ndim == 2 and array.shape[1] > 1 and bool((array[:, -1] == 1).all())


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
    if constant and _has_ones(array):
        drawn = np.concatenate([drawn[:, :-1], np.ones((shape[0], 1))], axis=1)
    return drawn


def written(variant: Case, name: str, file: str = "") -> str:
    """Return a file of cases that holds the variant of the case ``name``, built in or of a ``file``, number for number.

    Its goal is no question: it is always reached.
    """
    fields = ", ".join(f"{field}={_literal(getattr(variant, field))}" for field in ("params", "data"))
    source = f"from_file({file!r})" if file else "builtin().values()"
    return (
        f"from cases import {'from_file' if file else 'builtin'}\n"
        f"[case] = [case for case in {source} if case.name == {name!r}]\n"
        f'SHRUNK = case.but("shrunk", {fields}, batches=None, held_out={{}}, steps={variant.steps}, '
        "goal=lambda *run: True, reaches_goal=True)\n"
        "del case\n"
    )


def _literal(arrays: Mapping[str, np.ndarray]) -> str:
    return repr({key: array.tolist() for key, array in arrays.items()})
