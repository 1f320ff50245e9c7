"""Activations kept between evaluations, within a budget of bytes.

What goes first is what is cheap to make again for its size: GreedyDual-Size (Cao and Irani, 1997).
Each entry is worth the work it saves per byte, on top of the worth of the last entry that had to
go, so that what has not been used for long becomes the cheapest in the end.
"""

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from torch import Tensor

from netstitch.networks.plan import Key


@dataclass(frozen=True)
class Usage:
    """Activations that were found and that were not, bytes kept, and the most that may be."""

    hits: int = 0
    misses: int = 0
    bytes: int = 0
    budget: int = 0

    @property
    def rate(self) -> float:
        """Hits of all that was looked for, 0 to 1; 0 before anything was."""
        return self.hits / max(1, self.hits + self.misses)


class ActivationCache:
    """Values by content key, one tensor per batch of the samples; never over `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self.hits = 0  # values that were there
        self.misses = 0  # values that had to be made, whether they are kept or not
        self._values: dict[Key, Sequence[Tensor]] = {}
        self._sizes: dict[Key, int] = {}
        self._ratios: dict[Key, float] = {}
        self._worth: dict[Key, float] = {}
        self._order: list[tuple[float, Key]] = []  # may hold outdated rows; `_worth` decides
        self._inflation = 0.0

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Sequence[Tensor]:
        """The values of a key that is there; it counts as used."""
        self.hits += 1
        self._rank(key)
        return self._values[key]

    def put(self, key: Key, values: Sequence[Tensor], work: float) -> None:
        """Keep values that took `work` to make, at the price of what is worth less."""
        self.misses += 1
        # A view keeps all of the memory that it looks into.
        size = sum(tensor.untyped_storage().nbytes() for tensor in values)
        if key in self._values or size > self.budget:
            return
        while self.bytes + size > self.budget:
            self._evict()
        self._values[key] = values
        self._sizes[key] = size
        self._ratios[key] = work / max(size, 1)
        self.bytes += size
        self._rank(key)

    def usage(self) -> Usage:
        """How it has been used so far."""
        return Usage(self.hits, self.misses, self.bytes, self.budget)

    def keys(self) -> Collection[Key]:
        return self._values.keys()

    def clear(self) -> None:
        """Forget all values; what was counted stays."""
        self.bytes = 0
        for part in (self._values, self._sizes, self._ratios, self._worth, self._order):
            part.clear()

    def _rank(self, key: Key) -> None:
        self._worth[key] = self._inflation + self._ratios[key]
        heapq.heappush(self._order, (self._worth[key], key))
        if len(self._order) > 64 + 8 * len(self._values):
            self._order = [(worth, key) for key, worth in self._worth.items()]
            heapq.heapify(self._order)

    def _evict(self) -> None:
        while True:
            worth, key = heapq.heappop(self._order)
            if self._worth.get(key) == worth:
                break
        self._inflation = worth
        self.bytes -= self._sizes.pop(key)
        del self._values[key], self._ratios[key], self._worth[key]
