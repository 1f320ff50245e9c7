"""What the engine asks of a search algorithm, and what an algorithm is made of."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from netstitch.optimization.algorithms.algorithm_settings import named
from netstitch.optimization.annealing import AnnealedConstraint
from netstitch.optimization.archive import Archive
from netstitch.optimization.operators.initialisation import (
    Initialisation,
    initial_population,
    nonzero_probability,
    random_genotype,
)
from netstitch.optimization.operators.scalarisation import SCALARISATIONS
from netstitch.optimization.population import Population
from netstitch.optimization.problem import Genotype, Problem
from netstitch.optimization.search_state import State
from netstitch.optimization.solution import Solution


class Algorithm(Protocol):
    """A search as one loop per slot: propose a genotype, wait for its result, learn from it.

    The engine drives the loops in any interleaving, but each of them in turn: a slot that has
    proposed is asked again only after it has received.

    An algorithm that learns nothing of results that it does not take may also have

        def matters(self, slot: int, solution: Solution) -> bool

    Whether `receive` would take this result of the slot's last proposal, not being new in the
    archive. Where it would not, all that it does is the same for every worse result, so that
    evaluations may end where that is certain (see `Bounding`).
    """

    @property
    def slots(self) -> int:
        """How many loops there are, n."""
        ...

    def propose(self, slot: int) -> Genotype | None:
        """The slot's next genotype, shape (l,); the engine keeps the array.

        None where there is nothing to propose: the slot is asked again after the next result.
        """
        ...

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        """The result of the slot's last proposal, and whether it is new in the archive."""
        ...

    def converged(self) -> bool:
        """Whether there is nothing more to propose."""
        ...

    def state(self) -> State:
        """All that changes as plain data, but for the generator: see `Engine.state`."""
        ...

    def restore(self, state: State) -> None:
        """Become what another one, built from an equal setup, told by `state`."""
        ...


@dataclass(frozen=True, eq=False)
class Setup:
    """What every algorithm is built from.

    initial: genotypes that the first slots propose first, shape (k, l), k at most the population.
    steering: the rising threshold, moved by the engine; None without one.
    generator: the only source of randomness.
    """

    problem: Problem
    population: int
    initialisation: Initialisation
    initial: npt.NDArray[np.int64]
    archive: Archive
    steering: AnnealedConstraint | None
    generator: np.random.Generator

    @property
    def probability(self) -> float:
        """Of a nonzero value in a first genotype."""
        given = self.initialisation.probability
        return nonzero_probability(self.problem.length) if given is None else given

    def first_genotypes(self) -> npt.NDArray[np.int64]:
        """One per slot, shape (n, l): the initial ones, and a balanced population after them."""
        genotypes = initial_population(
            self.problem.cardinalities,
            self.population,
            self.probability,
            self.initialisation.uniform,
            self.generator,
        )
        genotypes[: len(self.initial)] = self.initial
        return genotypes

    def empty_population(self, scalarisation: str) -> Population:
        """Slots with weights, and judged by one of SCALARISATIONS.

        Raises SearchError when there is none of the name.
        """
        scalarise = named("scalarisation", scalarisation, SCALARISATIONS)
        return Population(self.problem, self.population, self.steering, self.generator, scalarise)

    def random_genotype(self) -> Genotype:
        """A draw from the distribution of first genotypes."""
        return random_genotype(
            self.problem.cardinalities,
            self.probability,
            self.initialisation.uniform,
            self.generator,
        )
