"""In what order the workers of pytest-xdist begin."""

from __future__ import annotations

from xdist.scheduler import WorkStealingScheduling
from xdist.workermanage import WorkerController

from runner.recorder import number_of


class InOrder(WorkStealingScheduling):  # type: ignore[misc]
    """Gives the workers the parts of the tests in the order of their numbers, and not in that in which they are ready.

    So each knows the backends that it begins with, and starts no others in order to ask what they declare.
    """

    def add_node(self, node: WorkerController) -> None:
        super().add_node(node)
        by_number = sorted(self.node2pending.items(), key=lambda pair: number_of(pair[0].gateway.id))
        self.node2pending: dict[WorkerController, list[int]] = dict(by_number)
