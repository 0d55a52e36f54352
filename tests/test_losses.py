"""Losses and predictions at the start of every case."""

import pytest


@pytest.mark.quantity("loss")
def test_loss(subject, case):
    """The loss is the exact one, to rounding, as a scalar of the dtype of the run."""
    value, _ = subject.call("gradients", case.loss, [subject.params], subject.data)[0]
    judgements = subject.oracle(case.loss, subject.data).judge([subject.params], {"value": [value]})
    subject.conclude({"loss": judgements["value"]}, [subject.params])


@pytest.mark.quantity("prediction")
@pytest.mark.only(cases=lambda case: case.predict is not None)
def test_prediction(subject, case):
    """What the model inside the loss predicts is exact to rounding, evaluated forward only."""
    prediction = subject.call("apply", case.predict, subject.params, subject.data)
    judgements = subject.oracle(case.predict, subject.data).judge([subject.params], {"value": [prediction]})
    subject.conclude({"prediction": judgements["value"]})
