"""Where Chainer differs from the contract."""

from __future__ import annotations

from backends.base import Deviation
from vocabulary import losses


def _sigmoid(dtypes: tuple[str, ...], size: str, absolute: float) -> Deviation:
    return Deviation(
        "sigmoid",
        dtypes,
        reason="computed as 0.5 * tanh(x / 2) + 0.5, whose error does not shrink with the value",
        size=size,
        link="https://github.com/chainer/chainer/blob/v7.8.1/chainer/functions/activation/sigmoid.py",
        absolute=absolute,
    )


def _normalize(function: str) -> Deviation:
    return Deviation(
        f"{function}(normalize=False)",
        ("float32", "float64", "float16"),
        reason="normalize chooses what to divide by, the examples or those not ignored, and not whether to divide",
        size="1/n for n examples: 1/4 on the notebooks' NAND, 1/16 on sixteen examples",
        link=f"https://docs.chainer.org/en/stable/reference/generated/chainer.functions.{function}.html",
        computes=losses.MEAN,
    )


DEVIATIONS = (
    _sigmoid(("float32", "float64"), "44 % of the value at x = -17 in float32, and 0 from -17.4 on", absolute=0.75),
    _sigmoid(("float16",), "100 % of the value at x = -9", absolute=0.2),
    _normalize("sigmoid_cross_entropy"),
    _normalize("softmax_cross_entropy"),
)
