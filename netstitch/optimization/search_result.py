"""The counts of a search while it runs, and its result in the end."""

from dataclasses import dataclass
from typing import Literal

from netstitch.optimization.history import Moment
from netstitch.optimization.problem import Solution

Stopped = Literal["budget", "time", "patience", "converged", "interrupted"]
"""Why a search ended; "patience": proposals in a row brought nothing that was not known."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of a running search, for those who look on.

    Attributes:
        used: Evaluations that count against the budget, those under way included.
        evaluated: Distinct evaluations that completed, `failed` of them without a result.
        skipped: Proposals that needed no evaluation of their own.
        in_flight: Evaluations that are under way.
        elapsed: Seconds since the search began.
        rate: Completed evaluations per second.
        idle: The share of the workers' time so far in which they evaluated nothing.
        archived: Number of solutions in the archive.
        best: The best value of each objective in the archive; None while it is empty.
        stopped_early: How many evaluations stopped early since their outcome was certain.
        objectives: Names of the objectives, in the order of `best`.
    """

    used: int
    evaluated: int
    failed: int
    skipped: int
    in_flight: int = 0
    elapsed: float
    rate: float = 0.0
    idle: float
    archived: int = 0
    best: tuple[float, ...] | None = None
    stopped_early: int = 0
    objectives: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class SearchResult(Progress):
    """The non-dominated solutions found, and the counts at the end.

    Attributes:
        archive: The solutions.
        history: The counts moment by moment.
        stopped: Why the search ended.
    """

    archive: tuple[Solution, ...]
    history: tuple[Moment, ...]
    stopped: Stopped
