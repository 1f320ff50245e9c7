"""Random search: the baseline that learns nothing."""

from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.problem import Genotype, Solution, State


class RandomSearch(Algorithm):
    """Every proposal is an independent draw from the distribution of first genotypes.

    The initial genotypes come first. There is no threshold: what is found is what the space holds.
    """

    learns_from_all = False

    def __init__(self, setup: Setup) -> None:
        self.slots = setup.population
        self._setup = setup
        self._proposed = [False] * self.slots

    def propose(self, slot: int) -> Genotype:
        """Return an initial genotype, or a draw."""
        first = not self._proposed[slot]
        self._proposed[slot] = True
        if first and slot < len(self._setup.initial):
            genotype: Genotype = self._setup.initial[slot].copy()
            return genotype
        return self._setup.random_genotype()

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Learn nothing."""

    def matters(self, slot: int, solution: Solution) -> bool:
        """Return False: nothing is learned."""
        return False

    def state(self) -> State:
        """Return all that changes as plain data."""
        return {"proposed": list(self._proposed)}

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self._proposed = list(state["proposed"])
