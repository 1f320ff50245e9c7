"""Gene-pool optimal mixing: a solution takes over what donors have, subset by subset.

Section 5.2 of the paper. A pass is taken a step at a time, since each of its changes waits for an
evaluation of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from netstitch.optimization.linkage.linkage_model import Genotypes, Subset
from netstitch.optimization.operators.variation import nothing
from netstitch.optimization.population import Population
from netstitch.optimization.problem import Genotype, Solution, State

Acceptance = Callable[[Population, Solution, Solution, int, bool], bool]
"""Returns whether mixing keeps a change (the paper's section 5): of a slot's population, the
changed solution, the one before, the slot, and whether the change is new in the archive."""


def not_worse(
    population: Population, solution: Solution, before: Solution, slot: int, entered: bool
) -> bool:
    """Return whether it is as good or better on the slot's weights."""
    return population.prefers(solution, before, slot, ties=True)


def not_worse_or_archived(
    population: Population, solution: Solution, before: Solution, slot: int, entered: bool
) -> bool:
    """Return whether it is that, or new in the archive, as in the authors' code."""
    return entered or not_worse(population, solution, before, slot, entered)


NOT_WORSE_OR_ARCHIVED = "not-worse-or-archived"
ACCEPTANCES: Mapping[str, Acceptance] = {
    NOT_WORSE_OR_ARCHIVED: not_worse_or_archived,
    "not-worse": not_worse,
}


@dataclass
class Mixing:
    """A pass over subsets of variables for one solution.

    Attributes:
        solution: As changed so far.
        subsets: Those still to come, the next one last.
        donors: Genotypes as they were when the pass began, (n, l), or what they offer of them: the
            largest value of their type stands for none.
        forced: The archive member that is the only donor of a forced improvement, which ends with
            its first change; None in an ordinary pass.
        changed: Whether a change was kept.
        improved: Whether one was better than the solution before, or new in the archive.
    """

    solution: Solution
    subsets: list[Subset]
    donors: Genotypes
    forced: Solution | None = None
    changed: bool = False
    improved: bool = False

    def next(self, generator: np.random.Generator) -> Genotype | None:
        """Return the solution with a random differing donor's values in the next subset.

        Subsets in which no donor differs are passed over; None when there are no more.
        """
        if self.forced is not None and self.changed:
            return None
        own = self.solution.genotype
        while self.subsets:
            subset = self.subsets.pop()
            values = self.donors[:, subset]
            differing = np.flatnonzero(
                ((values != own[subset]) & (values != nothing(values))).any(axis=1)
            )
            if len(differing):
                taken = values[differing[generator.integers(len(differing))]]
                child = own.copy()
                child[subset] = np.where(taken == nothing(taken), own[subset], taken)
                return child
        return None

    def keep(self, solution: Solution, *, improved: bool) -> None:
        """Go on from a changed solution."""
        self.solution = solution
        self.changed = True
        self.improved = self.improved or improved


def packed_passes(passes: Sequence[Mixing | None]) -> State:
    """Return passes under way as a state; genotypes that many have as donors are held once."""
    rows: dict[bytes, int] = {}
    packed: list[Mixing | None] = []
    kind: np.dtype[np.integer] = np.dtype(np.int64)
    for mixing in passes:
        if mixing is None:
            packed.append(None)
            continue
        kind = mixing.donors.dtype
        indices = [rows.setdefault(row.tobytes(), len(rows)) for row in mixing.donors]
        packed.append(replace(mixing, subsets=list(mixing.subsets), donors=np.array(indices)))
    return {"passes": packed, "donors": np.array([np.frombuffer(row, kind) for row in rows])}


def unpacked_passes(state: State) -> list[Mixing | None]:
    """Return the passes that `packed_passes` was given."""
    return [
        mixing
        and replace(mixing, subsets=list(mixing.subsets), donors=state["donors"][mixing.donors])
        for mixing in state["passes"]
    ]
