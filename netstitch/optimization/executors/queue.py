"""Evaluations that wait for a worker, and which of them one is given together."""

from collections.abc import Callable, Sequence

from netstitch.optimization.executors.executor import WHOLE, Asked
from netstitch.optimization.problem import Genotype

Choose = Callable[[Sequence[Genotype], int], Sequence[int]]
"""Indices of as many genotypes or fewer that go well together, in order, the first one's always.

Such as of those that share work; the oldest comes first, so that none waits for ever.
"""


class EvaluationQueue:
    """A queue, first come first served but for those that go with the first.

    choose: by default the oldest go together.
    """

    def __init__(self, choose: Choose | None = None) -> None:
        self._choose = choose or first_ones
        self._asked: list[Asked] = []

    def __len__(self) -> int:
        return len(self._asked)

    def put(self, asked: Asked) -> None:
        """Let an evaluation wait; one that the search waits for is the next."""
        if asked.ticket == WHOLE:
            self._asked.insert(0, asked)
        else:
            self._asked.append(asked)

    def put_back(self, asked: Sequence[Asked]) -> None:
        """Let evaluations be the next again."""
        self._asked[:0] = asked
        self._asked.sort(key=lambda one: one.ticket != WHOLE)

    def take(self, count: int) -> list[Asked]:
        """The oldest and those that go with it, `count` or fewer, which no longer wait.

        One that the search waits for comes alone, as soon as can be.
        """
        if not self._asked or count < 1:
            return []
        if count == 1 or self._asked[0].ticket == WHOLE:
            return [self._asked.pop(0)]
        chosen = self._choose([one.genotype for one in self._asked], count)
        taken = [self._asked[index] for index in chosen]
        for index in sorted(chosen, reverse=True):
            del self._asked[index]
        return taken

    def clear(self) -> None:
        self._asked.clear()


def first_ones(waiting: Sequence[Genotype], count: int) -> list[int]:
    """The oldest, whatever they are."""
    return list(range(min(count, len(waiting))))
