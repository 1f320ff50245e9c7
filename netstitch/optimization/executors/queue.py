"""Evaluations that wait for a worker, and which of them one is given together."""

from collections.abc import Callable, Sequence

from netstitch.optimization.executors.executor import WHOLE, Request
from netstitch.optimization.problem import Genotype

Choose = Callable[[Sequence[Genotype], int], Sequence[int]]
"""Indices of as many genotypes or fewer that go well together, in order, the first one's always.

Such as of those that share work; the oldest comes first, so that none waits for ever.
"""


class EvaluationQueue:
    """A queue, first come first served but for those that go with the first.

    Args:
        choose: Which of those that wait go together; by default the oldest.
    """

    def __init__(self, choose: Choose | None = None) -> None:
        self._choose = choose or oldest
        self._requests: list[Request] = []

    def __len__(self) -> int:
        return len(self._requests)

    def put(self, request: Request) -> None:
        """Let an evaluation wait; one that the search waits for is the next."""
        if request.ticket == WHOLE:
            self._requests.insert(0, request)
        else:
            self._requests.append(request)

    def put_back(self, requests: Sequence[Request]) -> None:
        """Let evaluations be the next again."""
        self._requests[:0] = requests
        self._requests.sort(key=lambda one: one.ticket != WHOLE)

    def take(self, count: int) -> list[Request]:
        """Remove and return the oldest and those that go with it, `count` or fewer.

        One that the search waits for comes alone, as soon as can be.
        """
        if not self._requests or count < 1:
            return []
        if count == 1 or self._requests[0].ticket == WHOLE:
            return [self._requests.pop(0)]
        chosen = self._choose([one.genotype for one in self._requests], count)
        taken = [self._requests[index] for index in chosen]
        for index in sorted(chosen, reverse=True):
            del self._requests[index]
        return taken

    def clear(self) -> None:
        """Forget all that wait."""
        self._requests.clear()


def oldest(waiting: Sequence[Genotype], count: int) -> list[int]:
    """Return the indices of the oldest, whatever they are."""
    return list(range(min(count, len(waiting))))
