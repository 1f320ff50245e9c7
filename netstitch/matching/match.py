"""Matches and matchings as data."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Match:
    """Points that may replace one another: a node name per network, None where it takes no part."""

    points: tuple[str | None, ...]


@dataclass(frozen=True)
class Matching:
    """Matches in an order in which their merged graph can be computed.

    weight: the sum of the matches' weights; for the plain count, their number.
    upper_bound: no acyclic matching weighs more; equal to `weight` where the matching is exact.
    method: how it was found, in words ("dynamic programme", ...).
    """

    matches: tuple[Match, ...]
    weight: float
    upper_bound: float
    method: str

    def __iter__(self) -> Iterator[Match]:
        return iter(self.matches)

    def __len__(self) -> int:
        return len(self.matches)

    @property
    def exact(self) -> bool:
        return self.weight >= self.upper_bound
