"""The paper's asynchronous genetic algorithm (section 5.1)."""

from collections.abc import Iterable

import numpy as np

from netstitch.optimization.algorithms.algorithm import Algorithm, Setup, named
from netstitch.optimization.operators.scalarisation import TSCHEBYSHEFF
from netstitch.optimization.operators.variation import (
    CROSSOVERS,
    TWO_POINT,
    Inactive,
    check_inactive,
    checked_rate,
    mutation,
    offered,
    settled,
)
from netstitch.optimization.population import Population
from netstitch.optimization.problem import Genotype, Solution, State


class GeneticAlgorithm(Algorithm):
    """Each loop evaluates a first genotype for its slot, and from then on offspring.

    Parents are drawn in shuffled order, two slots for each offspring, which is made by crossover
    and mutation. It replaces a random one of those parents that it betters on that slot's
    own weights, or is dropped. Weights are reassigned every n results.

    Args:
        setup: The parts that it is made of.
        mutation_rate: Probability for each variable; None for 1 / l.
        ties_replace: Whether an offspring as good as a parent may replace it.
        inactive: What is done with values that a solution does not depend on; see `Inactive`.
        crossover: A name of CROSSOVERS.
        scalarisation: A name of SCALARISATIONS.
    """

    learns_from_all = False

    def __init__(
        self,
        setup: Setup,
        *,
        mutation_rate: float | None = None,
        ties_replace: bool = False,
        inactive: Inactive = "copied",
        crossover: str = TWO_POINT,
        scalarisation: str = TSCHEBYSHEFF,
    ) -> None:
        check_inactive(inactive, setup.problem)
        self.slots = setup.population
        self.population = setup.empty_population(scalarisation)
        self._first = setup.first_genotypes()
        self._cardinalities = np.asarray(setup.problem.cardinalities, dtype=np.int64)
        self._rate = checked_rate(mutation_rate, setup.problem.length)
        self._ties = ties_replace
        self._crossover = named("crossover", crossover, CROSSOVERS)
        self._problem, self._inactive = setup.problem, inactive
        self._generator = setup.generator
        self._order: list[int] = []
        self._parents: list[tuple[int, int] | None] = [None] * self.slots
        self._ready = 0  # slots that have a member
        self._received = 0

    def propose(self, slot: int) -> Genotype:
        """Return the slot's first genotype, or an offspring of two slots."""
        if self.population.members[slot] is None:
            first: Genotype = self._first[slot].copy()
            return settled(self._problem, self._inactive, first)
        i = self._next_parent(None)
        j = self._next_parent(i)
        self._parents[slot] = (i, j)
        own = self._genotype(i)
        other = offered(self._problem, self._inactive, self._genotype(j), own)
        child = self._crossover(own, other, self._generator)
        child = mutation(child, self._cardinalities, self._rate, self._generator)
        return settled(self._problem, self._inactive, child)

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Put a first genotype into its slot, and an offspring in the place of a worse parent."""
        parents = self._parents[slot]
        if parents is None:
            self.population.put(slot, solution)
            self._ready += 1
        else:
            self._parents[slot] = None
            replaced = a_worse_parent(
                self.population, solution, parents, self._ties, self._generator
            )
            if replaced is not None:
                self.population.put(replaced, solution)
        self._received += 1
        if self._received % self.slots == 0:
            self.population.reassign()

    def matters(self, slot: int, solution: Solution) -> bool:
        """Return whether the solution would take a parent's place, or begins a slot."""
        parents = self._parents[slot]
        return parents is None or any(
            self.population.betters(solution, parent, self._ties) for parent in set(parents)
        )

    def state(self) -> State:
        """Return all that changes as plain data."""
        return {
            "population": self.population.state(),
            "order": list(self._order),
            "parents": list(self._parents),
            "ready": self._ready,
            "received": self._received,
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.population.restore(state["population"])
        self._order = list(state["order"])
        self._parents = list(state["parents"])
        self._ready = state["ready"]
        self._received = state["received"]

    def _next_parent(self, other: int | None) -> int:
        """Return the next slot of the shuffled order with a member, not the other parent's."""
        if other is not None and self._ready == 1:
            return other
        while True:
            if not self._order:
                self._order = self._generator.permutation(self.slots).tolist()
            slot = self._order.pop()
            if slot != other and self.population.members[slot] is not None:
                return slot

    def _genotype(self, slot: int) -> Genotype:
        member = self.population.members[slot]
        assert member is not None
        return member.genotype


def a_worse_parent(
    population: Population,
    offspring: Solution,
    parents: Iterable[int],
    ties: bool,
    generator: np.random.Generator,
) -> int | None:
    """Return a random one of the parents' slots whose member the offspring betters, or None.

    Members count as they are now: a slot may have another than when the offspring was made. With
    `ties` a member that is as good may be replaced too.
    """
    worse = [one for one in dict.fromkeys(parents) if population.betters(offspring, one, ties)]
    return worse[int(generator.integers(len(worse)))] if worse else None
