"""When a changed solution takes the place of what it was made of (the paper's section 5)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from netstitch.optimization.population import Population
from netstitch.optimization.solution import Solution


class Acceptance(Protocol):
    """Whether mixing keeps a change of a slot's solution; entered: it is new in the archive."""

    def __call__(
        self, population: Population, solution: Solution, before: Solution, slot: int, entered: bool
    ) -> bool: ...


def not_worse(
    population: Population, solution: Solution, before: Solution, slot: int, entered: bool
) -> bool:
    """Where it is as good or better on the slot's weights."""
    return population.prefers(solution, before, slot, ties=True)


def not_worse_or_archived(
    population: Population, solution: Solution, before: Solution, slot: int, entered: bool
) -> bool:
    """Also where it is worse, but new in the archive, as in the authors' code."""
    return entered or not_worse(population, solution, before, slot, entered)


NOT_WORSE_OR_ARCHIVED = "not-worse-or-archived"
ACCEPTANCES: Mapping[str, Acceptance] = MappingProxyType(
    {NOT_WORSE_OR_ARCHIVED: not_worse_or_archived, "not-worse": not_worse}
)
