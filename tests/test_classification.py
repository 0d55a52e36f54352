"""Classifiers on the data they are trained on and on data held out: losses, scores and what is counted from them."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from backends.numpy import Numpy
from oracle.comparison import Judgement
from runner import shown
from runner.recording import hexes
from vocabulary.words import CONFORMS, DEVIATES, UNINFORMATIVE

SHOWN = 3


@pytest.mark.quantity("classification")
@pytest.mark.whole
@pytest.mark.only(cases=lambda case: case.held_out)
def test_classification(candidate, case, level):
    """Losses after every epoch and the last scores are exact to rounding; whatever is counted is as in the exact run.

    Counts that differ and belong to the backend's own weights are no deviation, and no verdict: the path has drifted.
    """
    path = candidate.path()
    ends = np.searchsorted(path.steps, case.epoch_ends)
    points = [{name: array[k] for name, array in path.after.items()} for k in ends]
    exact = candidate.processes.exact_path(case, candidate.dtype, candidate.conventions)
    truths = [{name: array[k] for name, array in exact.after.items()} for k in ends]
    formula, predict = candidate.formula, candidate.scores
    normalised = formula == case.loss
    judgements, facts = {}, {"counted": {}, "exact": {}, "losses": {}, "p": {}}
    for words, data in (("training", candidate.data), ("held out", case.rounded(case.held_out, candidate.dtype))):
        labels = data["y"].argmax(axis=1)
        losses, scores = candidate.call("evaluate", candidate.training, case.predict, points, data)
        judged = candidate.oracle(formula, data).judge(points, {"value": list(losses)}, row="epoch")["value"]
        last = candidate.oracle(predict, data).judge(points[-1:], {"value": [scores[-1]]})["value"]
        judgements |= {f"{words} loss each epoch": judged, f"{words} scores at the end": last}
        own, reference = (np.stack([reference_scores(predict, point, data) for point in run]) for run in (points, truths))
        counts, ours, truth = (counted(words, values, labels, normalised) for values in (scores, own, reference))
        for quantity, expected in truth.items():
            judgements[quantity] = compare(counts[quantity], ours[quantity], expected)
        facts["counted"] |= counts
        facts["exact"] |= truth
        facts["losses"][words] = hexes(losses)
        likely = of_labels(scores[-1], labels, normalised)
        if words == "held out":
            examples = {k for each in (counts, truth) for kind in ("easiest", "hardest") for k in each[f"{words} {kind}"]}
            facts["pictures"] = shown.pictures(case, data, examples)
        facts["p"] |= {name: hexes(likely[counts[name]]) for name in (f"{words} easiest", f"{words} hardest")}
    candidate.publish("classifier", **facts)
    candidate.conclude(judgements)


def compare(got, own, expected):
    """Judge what is counted from a backend's scores, from exact scores at its own weights, and from the exact run."""
    if got == expected:
        return Judgement(CONFORMS)
    message = f"got {got}, the exact run has {expected}"
    if got == own:
        return Judgement(UNINFORMATIVE, f"{message}: right at the backend's own weights, where rounding has led its path")
    return Judgement(DEVIATES, f"{message}, and at the backend's own weights it is {own}")


def reference_scores(predict, params, data):
    numpy = Numpy()
    inside = ({name: numpy.tensor(array.astype(float)) for name, array in arrays.items()} for arrays in (params, data))
    return predict(numpy, *inside).value


def of_labels(scores, labels, normalised):
    """p(y|x) in float64 of each example's label, of logits or, where scores are probabilities, as they come."""
    p = scores.astype(float)
    if not normalised:
        p = np.exp(p - p.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
    return p[np.arange(len(labels)), labels]


def counted(words, scores, labels, normalised):
    """Return accuracy of each epoch, and at the end what is known of each class and which examples are easy and hard."""
    answers = scores.argmax(axis=2)
    classes = np.arange(scores.shape[2])
    precision, recall, f1, _ = precision_recall_fscore_support(labels, answers[-1], labels=classes, zero_division=0)
    order = np.argsort(of_labels(scores[-1], labels, normalised), kind="stable")
    return {
        f"{words} accuracy": (answers == labels).mean(axis=1).tolist(),
        f"{words} precision": precision.tolist(),
        f"{words} recall": recall.tolist(),
        f"{words} F1": f1.tolist(),
        f"{words} macro averages": [float(values.mean()) for values in (precision, recall, f1)],
        f"{words} confusion matrix": confusion_matrix(labels, answers[-1], labels=classes).tolist(),
        f"{words} easiest": order[::-1][:SHOWN].tolist(),
        f"{words} hardest": order[:SHOWN].tolist(),
    }
