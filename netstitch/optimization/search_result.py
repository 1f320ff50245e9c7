"""The counts of a search while it runs, and its result in the end."""

from dataclasses import dataclass
from typing import Literal

from netstitch.optimization.history import Moment
from netstitch.optimization.solution import Solution

Stopped = Literal["budget", "time", "patience", "converged", "interrupted"]
"""Why a search ended; "patience": proposals in a row brought nothing that was not known."""


@dataclass
class SearchCounts:
    """The counts of a running search; they are part of its state.

    Attributes:
        skipped: Proposals that needed no evaluation of their own.
        failed: Evaluations without a result.
        failure: Why the last one failed.
        unfruitful: Proposals in a row without a new signature.
        elapsed: Seconds until the last result; all that a threshold knows of the time.
    """

    skipped: int = 0
    failed: int = 0
    failure: str = ""
    unfruitful: int = 0
    elapsed: float = 0.0


@dataclass(frozen=True)
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
    in_flight: int
    elapsed: float
    rate: float
    idle: float
    archived: int
    best: tuple[float, ...] | None
    stopped_early: int = 0
    objectives: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The non-dominated solutions found, and the counts of `Progress` at the end.

    Attributes:
        archive: The solutions.
        history: The counts moment by moment.
        stopped: Why the search ended.
    """

    archive: tuple[Solution, ...]
    used: int
    evaluated: int
    failed: int
    skipped: int
    elapsed: float
    idle: float
    history: tuple[Moment, ...]
    stopped: Stopped
    stopped_early: int = 0
