"""Multi-objective local search, the strong baseline of the paper's reference [10].

Den Ottelander, Dushatskiy, Virgolin and Bosman, "Local Search is a Remarkably Strong Baseline for
Neural Architecture Search" (EMO 2021): climb on a weighting of the objectives, and begin anew.
"""

from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.operators.scalarisation import TSCHEBYSHEFF
from netstitch.optimization.problem import Genotype, Solution, State


class LocalSearch(Algorithm):
    """Each loop climbs from its slot's first genotype, and then from random ones.

    A sweep takes the variables in random order, tries the other values of each in random order,
    and goes on from each change that is better on the slot's own weights. After a sweep without
    any, the loop begins anew.

    Args:
        setup: The parts that it is made of.
        scalarisation: A name of SCALARISATIONS.
    """

    def __init__(self, setup: Setup, *, scalarisation: str = TSCHEBYSHEFF) -> None:
        self.slots = setup.population
        self.population = setup.empty_population(scalarisation)
        self._setup = setup
        self._first = setup.first_genotypes()
        self._variables: list[list[int]] = [[] for _ in range(self.slots)]  # left of the sweep
        self._values: list[list[int]] = [[] for _ in range(self.slots)]  # left of the variable
        self._variable = [0] * self.slots
        self._climbed = [False] * self.slots  # whether the sweep found something better
        self._begins = [True] * self.slots  # whether what is under way begins a climb

    def propose(self, slot: int) -> Genotype:
        """Return the next neighbour of the slot's member, or where a climb begins."""
        member = self.population.members[slot]
        if member is None:
            first: Genotype = self._first[slot].copy()
            return first
        if not self._next_value(slot, member) and self._climbed[slot]:
            self._sweep(slot)
            self._next_value(slot, member)
        if not self._values[slot]:
            self._begins[slot] = True
            return self._setup.random_genotype()
        neighbour = member.genotype.copy()
        neighbour[self._variable[slot]] = self._values[slot].pop()
        return neighbour

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Begin a climb, or take a step of it where it leads up."""
        if self._begins[slot]:
            self._begins[slot] = False
            self.population.put(slot, solution)
            self._sweep(slot)
        elif self.population.betters(solution, slot):
            self.population.put(slot, solution)
            self._climbed[slot] = True

    def origin(self, slot: int) -> Genotype | None:
        """Return the slot's member, of which neighbours are tried; None where a climb begins."""
        member = self.population.members[slot]
        return None if member is None or self._begins[slot] else member.genotype

    def state(self) -> State:
        """Return all that changes as plain data."""
        return {
            "population": self.population.state(),
            "variables": [list(one) for one in self._variables],
            "values": [list(one) for one in self._values],
            "variable": list(self._variable),
            "climbed": list(self._climbed),
            "begins": list(self._begins),
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.population.restore(state["population"])
        self._variables = [list(one) for one in state["variables"]]
        self._values = [list(one) for one in state["values"]]
        self._variable = list(state["variable"])
        self._climbed = list(state["climbed"])
        self._begins = list(state["begins"])

    def _sweep(self, slot: int) -> None:
        self._climbed[slot] = False
        self._variables[slot] = self._setup.generator.permutation(
            self._setup.problem.length
        ).tolist()
        self._values[slot] = []

    def _next_value(self, slot: int, member: Solution) -> bool:
        """Go on to the next variable that has other values, where this one's are tried."""
        while not self._values[slot] and self._variables[slot]:
            variable = self._variables[slot].pop()
            self._variable[slot] = variable
            values = range(self._setup.problem.cardinalities[variable])
            others = [value for value in values if value != member.genotype[variable]]
            self._values[slot] = self._setup.generator.permutation(others).astype(int).tolist()
        return bool(self._values[slot])
