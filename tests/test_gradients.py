"""Gradients at the start of every case."""

import pytest


@pytest.mark.quantity("gradient")
def test_gradient(candidate, case):
    """Every entry of the gradient is the exact one, to rounding, in the shape and dtype of its parameter."""
    results = candidate.call("gradients", case.loss, [candidate.params], candidate.data)
    judgements = candidate.judge_gradients([candidate.params], results)
    del judgements["value"]
    candidate.conclude(judgements, [candidate.params])
