"""Limits of time, and what of the work that comes next still ends within one.

Work that cannot be interrupted ends in time only where it is not begun too late.
"""

from collections import deque
from collections.abc import Iterable
from math import inf
from sys import maxsize

OVERTIME = 1.05
"""The factor that stretches a limit of time for what is under way.

What would take longer is given up, or not begun.
"""

REMEMBERED = 16
"""Tasks whose seconds are remembered: work changes while it goes on."""


class Throughput:
    """The seconds that the last pieces of some work took, by which others are foreseen.

    Attributes:
        tasks: Seconds and pieces of what is remembered, by which another can go on.
    """

    def __init__(self, tasks: Iterable[tuple[float, int]] = ()) -> None:
        self.tasks = deque(tasks, maxlen=REMEMBERED)

    def note(self, seconds: float, pieces: int = 1) -> None:
        """Remember what some pieces took together."""
        self.tasks.append((seconds, pieces))

    def expected(self, seconds: float) -> int:
        """Return the number of pieces, one after the other, that so many seconds suffice for.

        By the mean of those that are remembered; one while nothing is known yet. The oldest counts
        only while it is alone: the first of all may have had to warm up.
        """
        if seconds <= 0:
            return 0
        if seconds == inf:
            return maxsize
        if not self.tasks:
            return 1
        known = list(self.tasks)[1:] or list(self.tasks)
        taken = sum(spent for spent, _ in known)
        pieces = sum(count for _, count in known)
        if taken <= 0:
            return maxsize
        return int(min(seconds * pieces / taken, float(2**53)))

    def fitting(self, seconds: float) -> int:
        """Return the number of pieces to do together so that they end within so many seconds.

        Half of those that are expected, since some take longer; one where one fits.
        """
        found = self.expected(seconds)
        return found if found == maxsize else (found + 1) // 2
