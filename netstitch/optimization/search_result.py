"""The counts of a search while it runs, moment by moment, and its result in the end.

The paper's figure 6 counts nonzero variables (stitches that may be used) and those of them that are
active (stitches that are used), of the solutions evaluated.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from netstitch.optimization.problem import Genotype, Problem, Solution, State

MOMENTS = 100
"""The number of moments that a budget of evaluations is divided into."""

Stopped = Literal["budget", "time", "patience", "converged", "interrupted"]
"""The reason why a search ended; "patience": proposals in a row brought nothing new."""
REASONS: Mapping[Stopped, str] = {
    "budget": "its budget was spent",
    "time": "its time was up",
    "patience": "nothing new was proposed any more",
    "converged": "it converged",
    "interrupted": "it was interrupted",
}
"""The same reasons in words."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of a running search, for those who look on.

    Attributes:
        used: Evaluations that count against the budget, those under way included.
        evaluated: Distinct evaluations that completed, `failed` of them without a result.
        skipped: Proposals that needed no evaluation of their own, since their signature was known.
        unchanged: Those of them in which no active variable changed, of the solution that they were
            made from: the skipped evaluations of the paper (section 4).
        in_flight: Evaluations that are under way.
        elapsed: Seconds since the search began.
        rate: Completed evaluations per second.
        idle: The share of the workers' time so far in which they evaluated nothing.
        archived: Number of solutions in the archive.
        best: The best value of each objective in the archive; None while it is empty.
        stopped_early: The number of evaluations that stopped early, their outcome being certain or
            likely.
        objectives: Names of the objectives, in the order of `best`.
    """

    used: int
    evaluated: int
    failed: int
    skipped: int
    unchanged: int = 0
    in_flight: int = 0
    elapsed: float
    rate: float = 0.0
    idle: float
    archived: int = 0
    best: tuple[float, ...] | None = None
    stopped_early: int = 0
    objectives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Moment:
    """Counts up to a moment, and means over the distinct evaluations since the one before.

    Both means are 0 where there were none; the counts are those of `Progress`.

    Attributes:
        nonzero: Mean number of variables that are not 0.
        active: Mean number of those of them that the solution depends on.
    """

    used: int
    evaluated: int
    skipped: int
    unchanged: int
    elapsed: float
    nonzero: float
    active: float


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


Counts = tuple[int, int, int, float]
"""Evaluated, skipped, unchanged and elapsed, as of `Moment`."""


class History:
    """Gathers moments, one for every `interval` evaluations that count as used.

    Args:
        problem: What is searched.
        left_out: Indices of variables whose values do not count, such as a supernet's output
            switch, which stitches nothing; negative ones count from the end.
        evaluations: The budget, of which a moment is a hundredth.
        slots: The interval where there is no budget of evaluations.
    """

    def __init__(
        self, problem: Problem, left_out: Sequence[int], evaluations: int | None, slots: int
    ) -> None:
        self._problem = problem
        self._counted = np.ones(problem.length, dtype=np.bool_)
        self._counted[list(left_out)] = False
        self._interval = max(1, slots if evaluations is None else evaluations // MOMENTS)
        self._moments: list[Moment] = []
        self._seen = self._nonzero = self._active = 0  # since the last moment
        self._next = self._interval

    def see(self, genotype: Genotype) -> None:
        """Count a genotype that was evaluated."""
        nonzero = (genotype != 0) & self._counted
        self._seen += 1
        self._nonzero += int(nonzero.sum())
        if self._problem.active is not None:
            nonzero &= self._problem.active(genotype)
        self._active += int(nonzero.sum())

    def mark(self, used: int, counts: Counts) -> None:
        """End a moment if it is time."""
        if used >= self._next:
            self._end(used, counts)
            self._next = used - used % self._interval + self._interval

    def finish(self, used: int, counts: Counts) -> None:
        """End the last moment, where anything was proposed in it."""
        if used > (self._moments[-1].used if self._moments else 0):
            self._end(used, counts)

    def moments(self) -> tuple[Moment, ...]:
        """Return the moments in order of time."""
        return tuple(self._moments)

    def _end(self, used: int, counts: Counts) -> None:
        many = max(self._seen, 1)
        means = self._nonzero / many, self._active / many
        self._moments.append(Moment(used, *counts, *means))
        self._seen = self._nonzero = self._active = 0

    def state(self) -> State:
        """Return all that changes as plain data."""
        return {
            "moments": [list(vars(moment).values()) for moment in self._moments],
            "since": [self._seen, self._nonzero, self._active],
            "next": self._next,
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self._moments = [Moment(*values) for values in state["moments"]]
        self._seen, self._nonzero, self._active = state["since"]
        self._next = state["next"]


def history_table(moments: Sequence[Moment]) -> str:
    """Return moments as CSV, a row each, with the names of the fields of `Moment`."""
    names = [field.name for field in fields(Moment)]
    rows = [[f"{getattr(moment, name):.10g}" for name in names] for moment in moments]
    return "".join(",".join(row) + "\n" for row in [names, *rows])
