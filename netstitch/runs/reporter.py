"""Who is told how far a run is."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from netstitch.optimization import Budget, Progress


class Reporter(Protocol):
    """Where a run tells how far it is."""

    @property
    def warnings(self) -> Sequence[str]:
        """The lines told so far that begin with `WARNING`, each once."""
        ...

    def opened(self, folder: Path) -> None:
        """A run's folder is there, where a log can be kept."""
        ...

    def stage(self, text: str) -> None:
        """A new step begins."""
        ...

    def told(self, text: str) -> None:
        """What the step found, or, behind `WARNING`, what may make its result worthless."""
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
