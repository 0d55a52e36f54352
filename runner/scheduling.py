"""In what order the workers of pytest-xdist begin."""

from __future__ import annotations

from xdist.scheduler import WorkStealingScheduling
from xdist.workermanage import WorkerController

from runner.recorder import number_of


class InOrder(WorkStealingScheduling):  # type: ignore[misc]
    """Deals out the tests in the order of the workers' numbers, and not in that in which workers become ready.

    So each begins with backends that it has already asked what they declare, and starts no others only to ask.
    """

    def add_node(self, node: WorkerController) -> None:
        super().add_node(node)
        by_number = sorted(self.node2pending.items(), key=lambda pair: number_of(pair[0].gateway.id))
        self.node2pending: dict[WorkerController, list[int]] = dict(by_number)
