"""Every way to write a loss conforms: the balls hold them all."""

import numpy as np
import pytest
from flint import arb, ctx

import arithmetic.balls
from arithmetic.balls import balls
from oracle.judge import Oracle
from tests.meta.test_training import every_dtype
from vocabulary.words import CONFORMS, UNINFORMATIVE


def test_large_products_are_small_products():
    """Arb's own product of matrices and ours enclose the same numbers, for one point and for many."""
    random = np.random.default_rng(5)
    a, b = balls(random.normal(size=(3, 9, 11))), balls(random.normal(size=(1, 11, 7)))
    ctx.prec, before = 200, ctx.prec
    try:
        assert arithmetic.balls.LARGE < 9 * 11 * 7
        for x, y in zip(arithmetic.balls._product(a, b).ravel(), (a @ b).ravel(), strict=True):
            assert x.overlaps(y)
            assert abs(x - y) < arb(2) ** -180
    finally:
        ctx.prec = before


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# As PyTorch, TensorFlow, Optax and Chainer write a cross-entropy of logits, and its derivative.
BINARY = {
    "torch": lambda z, y: ((1 - y) * z - (np.minimum(z, 0) - np.log1p(np.exp(-np.abs(z)))), 1 / (1 + np.exp(-z)) - y),
    "tensorflow": lambda z, y: (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))), 1 / (1 + np.exp(-z)) - y),
    "optax": lambda z, y: (
        -y * -softplus(-z) - (1 - y) * -softplus(z),
        -y * np.exp(-z - softplus(-z)) + (1 - y) * np.exp(z - softplus(z)),
    ),
}


@every_dtype
@pytest.mark.parametrize("form", BINARY.values(), ids=BINARY)
def test_every_way_to_write_a_cross_entropy_conforms(dtype, form):
    """From saturated logits too, one by one, no stable form is outside the bound."""
    random = np.random.default_rng(7)
    z = np.concatenate([random.uniform(-80, 80, 60), random.normal(size=60)]).astype(dtype)
    y = random.integers(2, size=120).astype(dtype)
    conforming = 0
    for logit, label in zip(z, y, strict=True):
        loss, slope = (np.asarray(x, dtype).reshape(shape) for x, shape in zip(form(logit, label), ((), (1, 1)), strict=True))
        judgements = Oracle(
            lambda ops, p, d: ops.sum(ops.binary_cross_entropy(p["z"], d["y"])), {"y": np.array([[label]], dtype)}, dtype
        ).judge([{"z": np.array([[logit]], dtype)}], {"value": [loss], "gradient z": [slope]})
        verdicts = [judgement.verdict for judgement in judgements.values()]
        assert set(verdicts) <= {CONFORMS, UNINFORMATIVE}
        conforming += verdicts.count(CONFORMS)
    assert conforming > len(z), "most of a loss and a slope for every logit: bounds that say nothing hold too"


@every_dtype
def test_every_way_to_write_a_softmax_conforms(dtype):
    """Probabilities as a quotient or as exponentials of their logarithms, from logits of all sizes."""
    random = np.random.default_rng(8)
    for scale in (0.01, 1, 30):
        z, y = (scale * random.normal(size=(4, 5))).astype(dtype), np.eye(5, dtype=dtype)[random.integers(5, size=4)]
        shifted = z - z.max(axis=1, keepdims=True)
        total = np.exp(shifted).sum(axis=1, keepdims=True)
        logs = shifted - np.log(total)
        for p in (np.exp(shifted) / total, np.exp(logs)):
            judgements = Oracle(lambda ops, p, d: ops.sum(ops.softmax_cross_entropy(p["z"], d["y"])), {"y": y}, dtype).judge(
                [{"z": z}], {"value": [-(y * logs).sum(dtype=dtype)], "gradient z": [p - y]}
            )
            assert {judgement.verdict for judgement in judgements.values()} == {CONFORMS}, scale
            wrong = judgements["gradient z"].bound.max()
            assert wrong < 1e-3 * abs(p - y).max()
