"""Sets of items none of which dominates another, kept as items come.

Costs are minimised. Of equal cost vectors the first is kept. Two costs are kept as a sorted
staircase, so an insertion takes a binary search; other numbers of costs are compared with all
members at once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import neg
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


class NondominatedSet(Protocol[T]):
    """The methods of both kinds of sets."""

    def __len__(self) -> int:
        """Return the number of members."""
        ...

    def items(self) -> tuple[T, ...]:
        """Return the members."""
        ...

    def admits(self, costs: Sequence[float]) -> bool:
        """Return whether `insert` would take an item of these costs."""
        ...

    def insert(self, costs: Sequence[float], item: T) -> bool:
        """Take the item and drop those it dominates, or return False if it is not better."""
        ...

    def drop_above(self, column: int, limit: float) -> None:
        """Drop the members with more than `limit` of one cost."""
        ...

    def least(self, column: int) -> float:
        """Return the smallest of one cost among the members, of which there must be some."""
        ...


class Staircase(NondominatedSet[T]):
    """Two costs: members sorted by the first, ascending, so that the second descends."""

    def __init__(self) -> None:
        self._first: list[float] = []
        self._second: list[float] = []
        self._items: list[T] = []

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> tuple[T, ...]:
        """Return the members, by ascending first cost."""
        return tuple(self._items)

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
            kept = slice(0, bisect_right(self._first, limit))
        else:
            kept = slice(bisect_left(self._second, -limit, key=neg), None)
        self._first = self._first[kept]
        self._second = self._second[kept]
        self._items = self._items[kept]

    def least(self, column: int) -> float:
        """Return the smallest of one cost among the members."""
        return self._first[0] if column == 0 else self._second[-1]


class CostTable(NondominatedSet[T]):
    """Any number of costs: members in order of entry, their costs as the rows of a table."""

    def __init__(self, columns: int) -> None:
        self._rows: npt.NDArray[np.float64] = np.empty((16, columns))
        self._items: list[T] = []

    def __len__(self) -> int:
        return len(self._items)

    def items(self) -> tuple[T, ...]:
        """Return the members, in order of entry."""
        return tuple(self._items)

    @property
    def _members(self) -> npt.NDArray[np.float64]:
        return self._rows[: len(self._items)]

    def admits(self, costs: Sequence[float]) -> bool:
        """Return whether `insert` would take an item of these costs."""
        row = np.asarray(costs, dtype=np.float64)
        return not (self._members <= row).all(axis=1).any()

    def insert(self, costs: Sequence[float], item: T) -> bool:
        """Take the item and drop those it dominates, or return False if it is not better."""
        row = np.asarray(costs, dtype=np.float64)
        if not self.admits(costs):
            return False
        self._keep(np.asarray((row > self._members).any(axis=1)))
        if len(self._items) == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[len(self._items)] = row
        self._items.append(item)
        return True

    def drop_above(self, column: int, limit: float) -> None:
        """Drop the members with more than `limit` of one cost."""
        self._keep(self._members[:, column] <= limit)

    def least(self, column: int) -> float:
        """Return the smallest of one cost among the members."""
        return float(self._members[:, column].min())

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        if kept.all():
            return
        rows = self._members[kept]
        self._rows[: len(rows)] = rows
        self._items = [self._items[index] for index in np.flatnonzero(kept)]


def nondominated_set(columns: int) -> NondominatedSet[T]:
    """Return an empty set for so many costs."""
    return Staircase() if columns == 2 else CostTable(columns)
