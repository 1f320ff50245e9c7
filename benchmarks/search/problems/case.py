"""A problem to measure searches on, with all that is known of it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from netstitch.optimization import Genotype, Initialisation, Objective, Problem

Genotypes = npt.NDArray[np.integer]
"""(n, l), a genotype in each row."""

Values = npt.NDArray[np.float64]
"""(n, m), the objectives of each genotype."""

Point = tuple[float, ...]

HALF = Initialisation(probability=0.5)
"""Every value of a variable of two as likely, since nothing here is better left at 0."""

BOTH_LARGE = (Objective("first", maximise=True), Objective("second", maximise=True))


class Function(Protocol):
    """The objectives of many genotypes at once, so that a whole space can be enumerated."""

    def values(self, genotypes: Genotypes) -> Values: ...


@dataclass(frozen=True, eq=False)
class Case:
    """A problem, its front, and what a search of it may spend.

    front: all non-dominated objective vectors. reference: for the hypervolume, no better than any
        of them in any objective. population and budget: the same for every algorithm; the budget
        is of distinct evaluations.
    """

    name: str
    problem: Problem
    function: Function
    front: frozenset[Point]
    reference: Point
    population: int
    budget: int
    initialisation: Initialisation = HALF

    def evaluate(self, genotype: Genotype) -> Point:
        """The objectives of one genotype, by the same code as of many."""
        return tuple(self.function.values(genotype[None])[0].tolist())
