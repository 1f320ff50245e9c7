"""The paper's asynchronous GOMEA, and LK-GOMEA (section 5.2)."""

from math import floor, log2
from typing import TypedDict, Unpack, get_args

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Algorithm, Setup, named
from netstitch.optimization.linkage.gene_pool import (
    SMALLEST,
    Donors,
    GenePool,
    Neighbourhoods,
    WholePopulation,
)
from netstitch.optimization.linkage.linkage_model import (
    LINKAGES,
    MUTUAL_INFORMATION,
    Genotypes,
    Linkage,
)
from netstitch.optimization.operators.extremes import extreme_objective
from netstitch.optimization.operators.gene_pool_mixing import (
    ACCEPTANCES,
    NOT_WORSE_OR_ARCHIVED,
    Mixing,
    packed_passes,
    unpacked_passes,
)
from netstitch.optimization.operators.scalarisation import TSCHEBYSHEFF
from netstitch.optimization.operators.variation import (
    Inactive,
    check_inactive,
    offered_by_all,
    settled,
)
from netstitch.optimization.problem import Genotype, Solution, State

TURNS = 3
"""Passes that may begin before a loop must propose: this one's rest, a forced one, the next."""


class GenePoolMixing(Algorithm):
    """Each loop evaluates a first genotype for its slot, and from then on makes passes of mixing.

    For each of the gene pool's subsets, the values of a random donor are tried. They are kept when
    the solution is not worse by them on the slot's own weights, or new in the archive. The slot is
    written after the whole pass. When nothing changed, or for more than 1 + floor(log2 n) passes
    nothing got better, a random archive member is the only donor, until a first change is kept (a
    forced improvement); where none is, that member takes the slot. Weights are reassigned where
    the gene pool says so, before a pass; a slot judges by the same ones for the whole of its pass.

    Args:
        setup: The parts that it is made of.
        pool: Where subsets and donors come from.
        acceptance: A name of ACCEPTANCES; by default what is new in the archive is kept although it
            is worse on the slot's weights, as in the authors' code.
        forced_improvements: Whether there are any.
        extreme_clusters: 2 or more let a pass of a solution in one of so many clusters of the
            population that is extreme in an objective judge by that objective alone, as in the
            authors' code with 5; 0 for none. See `extreme_objective`.
        inactive: What is done with values that a solution does not depend on; see `Inactive`.
        scalarisation: A name of SCALARISATIONS.
    """

    learns_from_all = False

    def __init__(
        self,
        setup: Setup,
        pool: GenePool,
        *,
        acceptance: str = NOT_WORSE_OR_ARCHIVED,
        forced_improvements: bool = True,
        extreme_clusters: int = 0,
        inactive: Inactive = "copied",
        scalarisation: str = TSCHEBYSHEFF,
    ) -> None:
        check_inactive(inactive, setup.problem)
        if extreme_clusters < 0 or extreme_clusters == 1:  # of one all would be extreme in all
            raise SearchError(f"extreme_clusters is {extreme_clusters}: give 2 or more, or 0")
        self.slots = setup.population
        self.pool = pool
        self.population = setup.empty_population(scalarisation)
        self._setup = setup
        self._first = setup.first_genotypes()
        # a type with a value that no variable has, see `offered_by_all`
        self._compact = np.min_scalar_type(max(setup.problem.cardinalities))
        self._inactive = inactive
        self._accepts = named("acceptance", acceptance, ACCEPTANCES)
        self._forced_improvements = forced_improvements
        self._clusters = extreme_clusters
        self._loops: list[Mixing | None] = [None] * self.slots
        self._fruitless = [0] * self.slots  # passes in a row in which nothing got better
        self._begun = 0  # passes that had a subset to try
        self._compared = [b""] * self.slots  # what of each member shows whether they converged
        self._converged = False

    def propose(self, slot: int) -> Genotype | None:
        """Return the next change of the slot's pass.

        None while first genotypes of other slots are under way, since linkage and donors are to
        come from all of the population, and where no donor has anything new.
        """
        if self.population.members[slot] is None:
            first: Genotype = self._first[slot].copy()
            return self._settled(first)
        mixing = self._loops[slot]
        if mixing is None:
            if any(member is None for member in self.population.members):
                return None
            mixing = self._begin(slot)
        for _ in range(TURNS):
            while (child := mixing.next(self._setup.generator)) is not None:
                child = self._settled(child)
                if not np.array_equal(child, mixing.solution.genotype):
                    return child
            mixing = self._after(slot, mixing)
        return None

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Keep a change that is good enough."""
        mixing = self._loops[slot]
        if mixing is None:
            self._put(slot, solution)
            return
        before = mixing.solution
        better = entered or self.population.prefers(solution, before, slot)
        if self._accepts(self.population, solution, before, slot, entered):
            mixing.keep(solution, improved=better)

    def matters(self, slot: int, solution: Solution) -> bool:
        """Return whether the change would be kept, or begins a slot."""
        mixing = self._loops[slot]
        return mixing is None or self._accepts(
            self.population, solution, mixing.solution, slot, False
        )

    def origin(self, slot: int) -> Genotype | None:
        """Return the solution of the slot's pass; None for its first genotype."""
        mixing = self._loops[slot]
        return None if mixing is None else mixing.solution.genotype

    def converged(self) -> bool:
        """Return whether there is no linkage left to learn from."""
        return self._converged

    def state(self) -> State:
        """Return all that changes as plain data."""
        return {
            "population": self.population.state(),
            "loops": packed_passes(self._loops),
            "fruitless": list(self._fruitless),
            "begun": self._begun,
            "converged": self._converged,
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.population.restore(state["population"])
        self._loops = unpacked_passes(state["loops"])
        self._fruitless = list(state["fruitless"])
        self._begun = state["begun"]
        self._converged = state["converged"]
        self._compared = [self._comparable(member) for member in self.population.members]

    def _put(self, slot: int, solution: Solution) -> None:
        self.population.put(slot, solution)
        self._compared[slot] = self._comparable(solution)

    def _comparable(self, member: Solution | None) -> bytes:
        """Return the bytes of a member that are compared with others' to find convergence."""
        if member is None:
            return b""
        genotype, active = member.genotype, self._setup.problem.active
        if self._setup.convergence == "active" and active is not None:
            genotype = np.where(active(genotype), genotype, 0)
        return genotype.tobytes()

    def _after(self, slot: int, mixing: Mixing) -> Mixing:
        """Write what a pass came to into the slot, and begin what follows it."""
        solution = mixing.solution
        if mixing.forced is not None:
            solution = solution if mixing.changed else mixing.forced
            self._fruitless[slot] = 0
        else:
            self._fruitless[slot] = 0 if mixing.improved else self._fruitless[slot] + 1
        self._put(slot, solution)
        self._converged = self.pool.converged(self._genotypes(), self._compared)
        stuck = not mixing.changed or self._fruitless[slot] > 1 + floor(log2(self.slots))
        forced = stuck and mixing.forced is None and self._forced_improvements
        begun = self._forced(solution) if forced else None
        if begun is None:
            return self._begin(slot)
        self._loops[slot] = begun
        return begun

    def _begin(self, slot: int) -> Mixing:
        """Return a new pass for the slot's member."""
        solution = self.population.members[slot]
        assert solution is not None
        subsets, donors = self.pool.draw(
            self._genotypes(), solution.genotype, self._setup.generator
        )
        if subsets:  # without any, this is no pass
            if self.pool.reassigns(self._begun, self.slots):
                self.population.reassign(at_once=False)
            self._begun += 1
            self.population.take_weights(slot)
        if self._clusters:
            self.population.alone[slot] = extreme_objective(
                self.population.costs, slot, self._clusters, self._setup.generator
            )
        begun = Mixing(solution, subsets, self._offered(donors))
        self._loops[slot] = begun
        return begun

    def _forced(self, solution: Solution) -> Mixing | None:
        """Return a forced improvement with a random archive member; None where none differs."""
        own, generator = solution.genotype, self._setup.generator
        archived = [s for s in self._setup.archive.solutions() if (s.genotype != own).any()]
        if not archived:
            return None
        donor = archived[generator.integers(len(archived))]
        subsets = self.pool.learn(self._genotypes(), own, generator)
        donors = donor.genotype[None].astype(self._compact)
        return Mixing(solution, subsets, self._offered(donors), forced=donor)

    def _offered(self, donors: Genotypes) -> Genotypes:
        return offered_by_all(self._setup.problem, self._inactive, donors)

    def _settled(self, genotype: Genotype) -> Genotype:
        return settled(self._setup.problem, self._inactive, genotype)

    def _genotypes(self) -> Genotypes:
        """Return those of all slots, (n, l); to be asked for once all have a solution.

        In the smallest type, since every pass under way keeps what it began with.
        """
        members = [m.genotype for m in self.population.members if m is not None]
        return np.stack(members).astype(self._compact)


class MixingSettings(TypedDict, total=False):
    """The settings of every `GenePoolMixing`, as described there."""

    acceptance: str
    forced_improvements: bool
    extreme_clusters: int
    inactive: Inactive
    scalarisation: str


def gomea(
    setup: Setup, *, linkage: str = MUTUAL_INFORMATION, **mixing: Unpack[MixingSettings]
) -> GenePoolMixing:
    """Return GOMEA, with `linkage` of the whole population, a name of LINKAGES."""
    return GenePoolMixing(setup, WholePopulation(_linkage(linkage, setup)), **mixing)


def lk_gomea(
    setup: Setup,
    *,
    smallest_neighbourhood: int = SMALLEST,
    donors: Donors = "neighbours",
    linkage: str = MUTUAL_INFORMATION,
    **mixing: Unpack[MixingSettings],
) -> GenePoolMixing:
    """Return LK-GOMEA: linkage and donors from neighbours; it ends when these converged.

    Args:
        setup: The parts that it is made of.
        smallest_neighbourhood: c of the paper.
        donors: "neighbours", as in the authors' code, or the "population", of which linkage then
            still comes from neighbours.
        linkage: A name of LINKAGES.
        **mixing: Settings of `GenePoolMixing`.

    Raises:
        SearchError: For a neighbourhood of none, or donors that are not known.
    """
    if smallest_neighbourhood < 2:  # one is nothing to learn from
        raise SearchError(f"smallest_neighbourhood is {smallest_neighbourhood}: give 2 or more")
    if donors not in get_args(Donors):
        raise SearchError(f"unknown donors {donors!r}: expected 'neighbours' or 'population'")
    pool = Neighbourhoods(_linkage(linkage, setup), smallest_neighbourhood, donors)
    return GenePoolMixing(setup, pool, **mixing)


def _linkage(name: str, setup: Setup) -> Linkage:
    learns = named("linkage", name, LINKAGES)
    return learns(np.asarray(setup.problem.cardinalities, dtype=np.int64))
