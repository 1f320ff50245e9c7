"""Limits of time, and what of the work that comes next still ends within one.

Work that cannot be interrupted ends in time only where it is not begun too late.
"""

from collections import deque
from math import inf
from sys import maxsize

OVERTIME = 1.05
"""The times that a limit of time may be exceeded by what is under way at its end.

So much and no more: an evaluation is then given up, and a step is not begun.
"""

REMEMBERED = 16
"""Tasks whose seconds are remembered: work changes while it goes on."""


class Pace:
    """The seconds that the last pieces of some work took, by which others are foreseen."""

    def __init__(self) -> None:
        self._tasks: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)

    def note(self, seconds: float, pieces: int = 1) -> None:
        """Remember what some pieces took together."""
        self._tasks.append((seconds, pieces))

    def fitting(self, seconds: float) -> int:
        """Return how many pieces to do together so that they end within so many seconds.

        That is half of those that do by the mean, since some take longer, but one where one does;
        one too while nothing is known of them, so that something is.
        """
        if seconds <= 0:
            return 0
        if seconds == inf:
            return maxsize
        if not self._tasks:
            return 1
        taken = sum(spent for spent, _ in self._tasks)
        pieces = sum(count for _, count in self._tasks)
        if taken <= 0:
            return maxsize
        return min(maxsize, (int(seconds * pieces / taken) + 1) // 2)
