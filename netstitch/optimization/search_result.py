"""What a search tells while it runs, and what it gives in the end."""

from dataclasses import dataclass
from typing import Literal

from netstitch.optimization.history import Moment
from netstitch.optimization.solution import Solution

Stopped = Literal["budget", "time", "patience", "converged", "interrupted"]
"""Why a search ended; "patience": proposals in a row brought nothing that was not known."""


@dataclass(frozen=True)
class Progress:
    """The state of a running search.

    used: evaluations that count against the budget, those under way included.
    evaluated: distinct evaluations that completed, `failed` of them without a result.
    skipped: proposals that needed no evaluation of their own.
    in_flight: evaluations that are under way.
    elapsed: in seconds; rate: completed evaluations per second.
    idle: of the workers' time so far, the share in which they evaluated nothing.
    archived: number of solutions in the archive.
    best: the best value of each objective in the archive; None while it is empty.
    bounded: of the evaluated, how many ended early since their outcome was certain.
    objectives: the objectives' names, in the order of `best`.
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
    bounded: int = 0
    objectives: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The non-dominated solutions found, and what `Progress` told at the end.

    history: how it went, moment by moment.
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
    bounded: int = 0
