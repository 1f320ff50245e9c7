"""Who is told how far a run is."""

from collections.abc import Callable
from typing import Protocol

from netstitch.optimization import Budget, Progress


class Reporter(Protocol):
    """Where a run tells how far it is."""

    def stage(self, text: str) -> None:
        """A new step begins."""
        ...

    def told(self, text: str) -> None:
        """What the step found."""
        ...

    def progress(self, done: int, total: int | None, text: str) -> None:
        """How far the step is."""
        ...

    def searching(self, progress: Progress, budget: Budget) -> None:
        """How far the search is."""
        ...


def by_part(reporter: Reporter) -> Callable[[str, int, int], None]:
    """What tells a reporter how far the reading of a part of the samples is."""
    return lambda part, done, total: reporter.progress(done, total, part)
