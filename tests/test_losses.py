"""Losses and predictions at the start of every case."""

import pytest


@pytest.mark.quantity("loss")
def test_loss(candidate, case):
    """The loss is the exact one, to rounding, as a scalar of the dtype of the run."""
    value, _ = candidate.call("gradients", case.loss, [candidate.params], candidate.data)[0]
    judgements = candidate.oracle(case.loss, candidate.data).judge([candidate.params], {"value": [value]})
    candidate.conclude({"loss": judgements["value"]}, [candidate.params])


@pytest.mark.quantity("prediction")
@pytest.mark.only(cases=lambda case: case.predict is not None)
def test_prediction(candidate, case):
    """What the model inside the loss predicts is exact to rounding, evaluated forward only."""
    prediction = candidate.call("apply", case.predict, candidate.params, candidate.data)
    judgements = candidate.oracle(case.predict, candidate.data).judge([candidate.params], {"value": [prediction]})
    candidate.conclude({"prediction": judgements["value"]})
