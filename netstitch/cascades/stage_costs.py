"""The costs that stages add to earlier ones, whose tensors they reuse.

Where a cost is a sum over operations, the share that subnetworks have in common is an intersection
of sets, and tens of thousands of pairs are a few matrix products. Any other cost is computed for
each union of subnetworks.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from netstitch.costs import Cost
from netstitch.stitching.cascade_terms import Selected
from netstitch.supernet.supernet import Supernet

Values = NDArray[np.float64]


class StageCosts(ABC):
    """Costs of m subnetworks, by index."""

    @property
    @abstractmethod
    def whole(self) -> Values:
        """The cost (m,) of each alone."""

    @abstractmethod
    def beyond(self, earlier: Sequence[int]) -> Values:
        """Return (m,) the cost that each adds to one or more earlier stages."""

    @abstractmethod
    def beyond_each(self, earlier: int, one: int) -> Values:
        """Return (m,) the cost that `one` adds to an earlier stage and each subnetwork."""

    def along(self, stages: Sequence[int]) -> tuple[float, ...]:
        """Return the cost that each stage adds to those before it."""
        first, *others = stages
        found = [float(self.whole[first])]
        for place, stage in enumerate(others, start=1):
            found.append(float(self.beyond(stages[:place])[stage]))
        return tuple(found)


class SummedCosts(StageCosts):
    """Costs that are sums of parts.

    Args:
        parts: The cost of each subnetwork's operations, by their content.
    """

    def __init__(self, parts: Sequence[Mapping[Hashable, float]]) -> None:
        sizes: dict[Hashable, float] = {}
        for each in parts:
            sizes.update(each)
        place = {key: index for index, key in enumerate(sizes)}
        self._has = np.zeros((len(parts), len(sizes)))
        for row, each in enumerate(parts):
            self._has[row, [place[key] for key in each]] = 1.0
        self._sizes = np.array([*sizes.values()], np.float64)
        self._whole = self._has @ self._sizes
        self._shared = (self._has * self._sizes) @ self._has.T

    @property
    def whole(self) -> Values:
        """The cost (m,) of each alone."""
        return self._whole

    def beyond(self, earlier: Sequence[int]) -> Values:
        """Return (m,) the cost that each adds to one or more earlier stages."""
        if len(earlier) == 1:
            pairs: Values = self._whole - self._shared[earlier[0]]
            return pairs
        left = self._has[list(earlier)].max(0) == 0
        found: Values = self._has @ (self._sizes * left)
        return found

    def beyond_each(self, earlier: int, one: int) -> Values:
        """Return (m,) the cost that `one` adds to an earlier stage and each subnetwork."""
        own = self._sizes * self._has[one] * (1 - self._has[earlier])
        found: Values = own.sum() - self._has @ own
        return found


class AskedCosts(StageCosts):
    """Costs that are computed for each union of subnetworks, each once.

    Args:
        supernet: The supernet.
        cost: The cost.
        subnetworks: Genotypes and exits.
    """

    def __init__(self, supernet: Supernet, cost: Cost, subnetworks: Sequence[Selected]) -> None:
        self._every = range(len(subnetworks))

        @cache
        def together(chosen: frozenset[int]) -> float:
            return float(cost.together(supernet, [subnetworks[one] for one in sorted(chosen)]))

        self._together = together
        self._whole = np.array([together(frozenset([one])) for one in self._every])

    @property
    def whole(self) -> Values:
        """The cost (m,) of each alone."""
        return self._whole

    def beyond(self, earlier: Sequence[int]) -> Values:
        """Return (m,) the cost that each adds to one or more earlier stages."""
        before = frozenset(earlier)
        return np.array([self._more(before, one) for one in self._every])

    def beyond_each(self, earlier: int, one: int) -> Values:
        """Return (m,) the cost that `one` adds to an earlier stage and each subnetwork."""
        return np.array([self._more(frozenset([earlier, each]), one) for each in self._every])

    def _more(self, before: frozenset[int], one: int) -> float:
        return max(0.0, self._together(before | {one}) - self._together(before))


def stage_costs(supernet: Supernet, cost: Cost, subnetworks: Sequence[Selected]) -> StageCosts:
    """Return the costs of subnetworks as stages."""
    if cost.parts is None:
        return AskedCosts(supernet, cost, subnetworks)
    return SummedCosts([cost.parts(supernet, each) for each in subnetworks])
