"""The computation graph of every case, node by node."""

import pytest

from backends.transport.process import BackendError
from runner import shown
from runner.locating import traced


@pytest.mark.nodes
@pytest.mark.quantity("trace")
def test_every_node(candidate, case):
    """The value and the adjoint of every node are exact to rounding, in the backend's own numbers."""
    try:
        found = traced(candidate, case.loss, candidate.params, candidate.data)
    except BackendError:
        candidate.call("gradients", case.loss, [candidate.params], candidate.data)  # which records what is wrong
        raise
    judgements = {}
    for node, value, adjoint in found.nodes:
        judgements |= {f"value of {node}": value, f"adjoint of {node}": adjoint}
    if case.nodes:
        candidate.publish("trace", **shown.trace(case, found))
    candidate.conclude(judgements)
