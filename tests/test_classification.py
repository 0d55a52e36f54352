"""Classifiers on the data they are trained on and on data held out: losses, scores and what is counted from them."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from backends.numpy import Numpy
from oracle.verdict import CONFORMS, DEVIATES, Judgement

SHOWN = 3


@pytest.mark.quantity("classification")
@pytest.mark.only(cases=lambda case: case.held_out)
def test_classification(subject, case, level):
    """Losses after every epoch and the last scores are exact to rounding; whatever is counted is as in the exact run."""
    path = subject.path()
    ends = np.searchsorted(path.steps, case.epoch_ends)
    points = [{name: array[k] for name, array in path.after.items()} for k in ends]
    exact = subject.lab.exact_path(case, subject.dtype, subject.describe()["adam"])
    truths = [{name: array[k] for name, array in exact.items()} for k in ends]
    formula, predict = subject.formula, subject.scores
    judgements, found, expected, learned, p = {}, {}, {}, {}, {}
    for words, data in (("training", subject.data), ("held out", case.rounded(case.held_out, subject.dtype))):
        losses, scores = subject.call("evaluate", subject.training, case.predict, points, data)
        judged = subject.oracle(formula, data).judge(points, {"value": list(losses)}, row="epoch")["value"]
        judgements[f"{words} loss each epoch"] = judged
        last = subject.oracle(predict, data).judge(points[-1:], {"value": [scores[-1]]})["value"]
        judgements[f"{words} scores at the end"] = last
        labels = data["y"].argmax(axis=1)
        reference = [reference_scores(predict, point, data) for point in truths]
        likely, exactly = (
            probabilities(last, subject.formula == case.loss)[np.arange(len(labels)), labels]
            for last in (scores[-1], reference[-1])
        )
        found |= counted(words, scores, labels, likely)
        expected |= counted(words, np.stack(reference), labels, exactly)
        learned[words] = losses.astype(float).tolist()
        p |= {name: likely[found[name]].tolist() for name in (f"{words} easiest", f"{words} hardest")}
    for quantity, truth in expected.items():
        agrees = found[quantity] == truth
        message = f"got {found[quantity]}, the exact run has {truth}"
        judgements[quantity] = Judgement(CONFORMS) if agrees else Judgement(DEVIATES, message)
    subject.publish("classifier", counted=found, losses=learned, p=p)
    subject.conclude(judgements)


def reference_scores(predict, params, data):
    numpy = Numpy()
    inside = ({name: numpy.tensor(array.astype(float)) for name, array in arrays.items()} for arrays in (params, data))
    return predict(numpy, *inside).value


def probabilities(scores, normalised):
    """p(y|x) in float64, of logits or, where scores are probabilities, as they come."""
    scores = scores.astype(float)
    if normalised:
        return scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def counted(words, scores, labels, of_label):
    """Return accuracy of each epoch, and at the end what is known of each class and which examples are easy and hard."""
    answers = scores.argmax(axis=2)
    classes = np.arange(scores.shape[2])
    precision, recall, f1, _ = precision_recall_fscore_support(labels, answers[-1], labels=classes, zero_division=0)
    macro = [float(values.mean()) for values in (precision, recall, f1)]
    order = np.argsort(of_label, kind="stable")
    return {
        f"{words} accuracy": (answers == labels).mean(axis=1).tolist(),
        f"{words} precision": precision.tolist(),
        f"{words} recall": recall.tolist(),
        f"{words} F1": f1.tolist(),
        f"{words} macro averages": macro,
        f"{words} confusion matrix": confusion_matrix(labels, answers[-1], labels=classes).tolist(),
        f"{words} easiest": order[::-1][:SHOWN].tolist(),
        f"{words} hardest": order[:SHOWN].tolist(),
    }
