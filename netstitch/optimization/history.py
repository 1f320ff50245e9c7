"""What a search evaluated, over time: how much was skipped, and how many stitches were in use.

The paper's figure 6 counts nonzero variables (stitches that may be used) and those of them that are
active (stitches that are used), of the solutions evaluated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from netstitch.optimization.problem import Genotype, Problem
from netstitch.optimization.search_state import State

MOMENTS = 100
"""How many a budget of evaluations is divided into."""


@dataclass(frozen=True)
class Moment:
    """Counts up to a moment, and means over the distinct evaluations since the one before.

    Both means are 0 where there were none.

    used, evaluated, skipped, elapsed: as in `Progress`.
    nonzero: variables that are not 0. active: those of them that the solution depends on.
    """

    used: int
    evaluated: int
    skipped: int
    elapsed: float
    nonzero: float
    active: float


class History:
    """Gathers moments, one for every `interval` evaluations that count as used.

    counted: (l,) the variables whose values count; a supernet's output switch stitches nothing.
    """

    def __init__(self, problem: Problem, counted: npt.NDArray[np.bool_], interval: int) -> None:
        self._problem = problem
        self._counted = counted
        self._interval = interval
        self._moments: list[Moment] = []
        self._seen = self._nonzero = self._active = 0  # since the last moment
        self._next = interval

    def see(self, genotype: Genotype) -> None:
        """Count a genotype that was evaluated."""
        nonzero = (genotype != 0) & self._counted
        self._seen += 1
        self._nonzero += int(nonzero.sum())
        if self._problem.active is not None:
            nonzero &= self._problem.active(genotype)
        self._active += int(nonzero.sum())

    def mark(self, used: int, evaluated: int, skipped: int, elapsed: float) -> None:
        """End a moment if it is time."""
        if used >= self._next:
            self._end(used, evaluated, skipped, elapsed)
            self._next = used - used % self._interval + self._interval

    def finish(self, used: int, evaluated: int, skipped: int, elapsed: float) -> None:
        """End the last moment, where anything was proposed in it."""
        if used > (self._moments[-1].used if self._moments else 0):
            self._end(used, evaluated, skipped, elapsed)

    def moments(self) -> tuple[Moment, ...]:
        """In order of time."""
        return tuple(self._moments)

    def _end(self, used: int, evaluated: int, skipped: int, elapsed: float) -> None:
        many = max(self._seen, 1)
        means = self._nonzero / many, self._active / many
        self._moments.append(Moment(used, evaluated, skipped, elapsed, *means))
        self._seen = self._nonzero = self._active = 0

    def state(self) -> State:
        """All that changes as plain data."""
        return {
            "moments": [list(vars(moment).values()) for moment in self._moments],
            "since": [self._seen, self._nonzero, self._active],
            "next": self._next,
        }

    def restore(self, state: State) -> None:
        """Become what `state` told of."""
        self._moments = [Moment(*values) for values in state["moments"]]
        self._seen, self._nonzero, self._active = state["since"]
        self._next = state["next"]


def interval(evaluations: int | None, slots: int) -> int:
    """A hundredth of the budget of evaluations, or one for each slot where there is none."""
    return max(1, slots if evaluations is None else evaluations // MOMENTS)


def counted(length: int, left_out: Sequence[int]) -> npt.NDArray[np.bool_]:
    """(l,) all variables but those left out, of which negative ones count from the end."""
    found = np.ones(length, dtype=np.bool_)
    found[list(left_out)] = False
    return found


def history_table(moments: Sequence[Moment]) -> str:
    """Moments as CSV, a row each, named as `Moment` does."""
    names = [field.name for field in fields(Moment)]
    rows = [[f"{getattr(moment, name):.10g}" for name in names] for moment in moments]
    return "".join(",".join(row) + "\n" for row in [names, *rows])
