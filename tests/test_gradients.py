"""Gradients at the start of every case and, on request, at random starts."""

import zlib

import numpy as np
import pytest


@pytest.mark.quantity("gradient")
def test_gradient(subject, case):
    """Every entry of the gradient is the exact one, to rounding, in the shape and dtype of its parameter."""
    results = subject.call("gradients", case.loss, [subject.params], subject.data)
    judgements = subject.judge_gradients([subject.params], results)
    del judgements["value"]
    subject.conclude(judgements, [subject.params])


@pytest.mark.sweep
@pytest.mark.quantity("random starts")
def test_random_starts(subject, case):
    """Loss and gradient stay inside their bounds at normally distributed starts."""
    plan = subject.lab.plan
    random = np.random.default_rng([plan.seed, zlib.crc32(case.name.encode())])
    starts = [
        {name: np.asarray(random.normal(size=array.shape), dtype=subject.dtype) for name, array in subject.params.items()}
        for _ in range(plan.random_starts)
    ]
    results = subject.call("gradients", case.loss, starts, subject.data)
    judgements = subject.judge_gradients(starts, results)
    subject.conclude(
        {f"{'loss' if name == 'value' else name} at random starts": judgement for name, judgement in judgements.items()},
        starts,
    )
