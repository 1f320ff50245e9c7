"""A search algorithm: each slot changes one variable of its best genotype of one objective."""

import numpy as np

from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.problem import Genotype, Solution, State


class ToySearch(Algorithm):
    """Climbing by single changes, from first genotypes.

    Args:
        setup: What every algorithm is built from.
        objective: Index of the objective that is climbed.
    """

    def __init__(self, setup: Setup, objective: int = 0) -> None:
        self.slots = setup.population
        self._setup, self._objective = setup, objective
        self._first = setup.first_genotypes()
        self._best: list[list[int] | None] = [None] * self.slots
        self._values = [0.0] * self.slots

    def propose(self, slot: int) -> Genotype:
        """Return a first genotype, then the best one with one variable drawn anew."""
        best = self._best[slot]
        if best is None:
            return self._first[slot].copy()
        genotype = np.array(best)
        variable = self._setup.generator.integers(len(best))
        cardinality = self._setup.problem.cardinalities[variable]
        genotype[variable] = self._setup.generator.integers(cardinality)
        return genotype

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """Keep what is not worse."""
        if solution.objectives is None:  # its evaluation failed
            return
        maximised = self._setup.problem.objectives[self._objective].maximise
        value = solution.objectives[self._objective] * (1 if maximised else -1)
        if self._best[slot] is None or value >= self._values[slot]:
            self._best[slot], self._values[slot] = solution.genotype.tolist(), value

    def state(self) -> State:
        """Return all that changes as plain data."""
        return {"first": self._first.tolist(), "best": list(self._best), "values": self._values[:]}

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self._first[:] = state["first"]
        self._best, self._values = list(state["best"]), list(state["values"])
