"""Results in the order in which they were asked for, whichever is done first.

A search that takes results as they come depends on how long each takes, so on the machine and on
chance. In the order of asking it depends on its seed alone, whatever evaluates and however many at
a time, and nothing favours what is quick to evaluate. That costs little where more is under way
than there are workers: they go on with what is asked while the oldest result is waited for.
"""

from collections import deque

from netstitch.optimization.executors.executor import WHOLE, Completed, Executor, WrappedExecutor
from netstitch.optimization.problem import Genotype


class OrderedExecutor(WrappedExecutor):
    """Hands back the results of another executor one at a time, the oldest first."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self._tickets: deque[int] = deque()
        self._done: dict[int, Completed] = {}

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        """Hand the evaluation on, and note its turn; one that the search waits for is next."""
        if ticket == WHOLE:
            self._tickets.appendleft(ticket)
        else:
            self._tickets.append(ticket)
        self._executor.submit(ticket, genotype, threshold)

    def wait(self) -> list[Completed]:
        """Return the result of the oldest evaluation; an empty list when there is none."""
        if not self._tickets:
            return []
        while self._tickets[0] not in self._done:
            self._done |= {one.ticket: one for one in self._executor.wait()}
        return [self._done.pop(self._tickets.popleft())]

    def _forget(self) -> None:
        self._tickets.clear()
        self._done.clear()
