"""The elitist archive: the non-dominated solutions of all that were evaluated.

Members are kept as they come. Of two objectives their costs are a sorted staircase, so that an
insertion takes a binary search; other numbers of costs are compared with all members at once.
"""

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import neg
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from netstitch.optimization.problem import Objective, Solution, State, as_costs

T = TypeVar("T")


class NondominatedSet(ABC, Generic[T]):
    """Items none of which dominates another; costs are minimised, of equal ones the first stays."""

    def __init__(self) -> None:
        self._items: list[T] = []

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> tuple[T, ...]:
        """Return the members."""
        return tuple(self._items)

    @abstractmethod
    def admits(self, costs: Sequence[float]) -> bool:
        """Return whether `insert` would take an item of these costs."""

    @abstractmethod
    def insert(self, costs: Sequence[float], item: T) -> bool:
        """Take the item and drop those it dominates, or return False if it is not better."""

    @abstractmethod
    def drop_above(self, column: int, limit: float) -> None:
        """Drop the members with more than `limit` of one cost."""

    @abstractmethod
    def least(self, column: int) -> float:
        """Return the smallest of one cost among the members, of which there must be some."""


class Staircase(NondominatedSet[T]):
    """Two costs: members sorted by the first, ascending, so that the second descends."""

    def __init__(self) -> None:
        super().__init__()
        self._first: list[float] = []
        self._second: list[float] = []

    def admits(self, costs: Sequence[float]) -> bool:
        """Return whether `insert` would take an item of these costs."""
        first, second = costs
        left = bisect_right(self._first, first) - 1
        return left < 0 or self._second[left] > second

    def insert(self, costs: Sequence[float], item: T) -> bool:
        """Take the item and drop those it dominates, or return False if it is not better."""
        first, second = costs
        if not self.admits(costs):
            return False
        start = bisect_left(self._first, first)
        end = bisect_right(self._second, -second, lo=start, key=neg)
        self._first[start:end] = [first]
        self._second[start:end] = [second]
        self._items[start:end] = [item]
        return True

    def drop_above(self, column: int, limit: float) -> None:
        """Drop the members with more than `limit` of one cost."""
        if column == 0:
            dropped = slice(bisect_right(self._first, limit), None)
        else:
            dropped = slice(0, bisect_left(self._second, -limit, key=neg))
        for each in (self._first, self._second, self._items):
            del each[dropped]

    def least(self, column: int) -> float:
        """Return the smallest of one cost among the members."""
        return self._first[0] if column == 0 else self._second[-1]


class CostTable(NondominatedSet[T]):
    """Any number of costs: members in order of entry, their costs as the rows of a table."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self._rows: npt.NDArray[np.float64] = np.empty((16, columns))

    @property
    def _members(self) -> npt.NDArray[np.float64]:
        return self._rows[: len(self._items)]

    def admits(self, costs: Sequence[float]) -> bool:
        """Return whether `insert` would take an item of these costs."""
        return not (self._members <= np.asarray(costs)).all(axis=1).any()

    def insert(self, costs: Sequence[float], item: T) -> bool:
        """Take the item and drop those it dominates, or return False if it is not better."""
        if not self.admits(costs):
            return False
        self._keep(np.asarray((np.asarray(costs) > self._members).any(axis=1)))
        if len(self._items) == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[len(self._items)] = costs
        self._items.append(item)
        return True

    def drop_above(self, column: int, limit: float) -> None:
        """Drop the members with more than `limit` of one cost."""
        self._keep(self._members[:, column] <= limit)

    def least(self, column: int) -> float:
        """Return the smallest of one cost among the members."""
        return float(self._members[:, column].min())

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        if not kept.all():
            rows = self._members[kept]
            self._rows[: len(rows)] = rows
            self._items = [self._items[index] for index in np.flatnonzero(kept)]


def nondominated_set(columns: int) -> NondominatedSet[T]:
    """Return an empty set for so many costs."""
    return Staircase() if columns == 2 else CostTable(columns)


class Archive:
    """Non-dominated solutions over any number of objectives.

    Of equal objective vectors the first is kept, and failed solutions never enter. Where a
    maximised objective has a threshold (section 5 of the paper), solutions under it are worse than
    any over it: members are dropped as it rises, and while all that was seen is under it,
    only the solutions of the smallest violation are held, so that something is always found.

    Args:
        objectives: Those of the problem.
        constrained: Index of the objective with a threshold, which is maximised, or None.
    """

    def __init__(self, objectives: Sequence[Objective], constrained: int | None = None) -> None:
        self._objectives = tuple(objectives)
        self._constrained = constrained
        self._limit = math.inf  # the threshold as a cost: more than this is under it
        self._members: NondominatedSet[Solution] = nondominated_set(len(self._objectives))

    def __len__(self) -> int:
        return len(self._members)

    def solutions(self) -> tuple[Solution, ...]:
        """Return the members: of two objectives from best to worst on the first, else by entry."""
        return self._members.items()

    def best(self) -> tuple[float, ...] | None:
        """Return the best value of each objective among the members; None while there are none."""
        costs = self.least_costs()
        return costs and as_costs(self._objectives, costs)  # turns the sign back

    def least_costs(self) -> tuple[float, ...] | None:
        """Return the same values as costs."""
        if not self._members:
            return None
        return tuple(self._members.least(column) for column in range(len(self._objectives)))

    def admits(self, solution: Solution) -> bool:
        """Return whether a solution would enter."""
        costs = self._costs(solution)
        # Members that `add` would drop first are worse in one objective, so none is in the way.
        return costs is not None and self._members.admits(costs)

    def add(self, solution: Solution) -> bool:
        """Return whether the solution entered; members that it dominates leave."""
        costs = self._costs(solution)
        if costs is None:
            return False
        if self._constrained is not None:
            self._members.drop_above(self._constrained, max(self._limit, costs[self._constrained]))
        return self._members.insert(costs, solution)

    def _costs(self, solution: Solution) -> tuple[float, ...] | None:
        """Return the costs; None where it failed, or is farther under the threshold than others."""
        if solution.objectives is None:
            return None
        costs = as_costs(self._objectives, solution.objectives)
        column = self._constrained
        if column is not None and self._members and costs[column] > self._bar(column):
            return None
        return costs

    def _bar(self, column: int) -> float:
        """Return the cost up to which members are held: the threshold, or the least over it."""
        return max(self._limit, self._members.least(column))

    def raise_threshold(self, value: float) -> None:
        """Raise the threshold to a value of its objective; it never falls."""
        assert self._constrained is not None
        if -value >= self._limit:
            return
        self._limit = -value
        if self._members:
            self._members.drop_above(self._constrained, self._bar(self._constrained))

    def state(self) -> State:
        """Return members and threshold."""
        return {"members": list(self.solutions()), "limit": self._limit}

    def restore(self, state: State) -> None:
        """Become what `state` returned; the archive must be empty."""
        self._limit = state["limit"]
        for solution in state["members"]:
            self._members.insert(as_costs(self._objectives, solution.objectives), solution)
