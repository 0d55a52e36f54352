"""Gradients at the start of every case."""

import pytest


@pytest.mark.quantity("gradient")
def test_gradient(subject, case):
    """Every entry of the gradient is the exact one, to rounding, in the shape and dtype of its parameter."""
    results = subject.call("gradients", case.loss, [subject.params], subject.data)
    judgements = subject.judge_gradients([subject.params], results)
    del judgements["value"]
    subject.conclude(judgements, [subject.params])
