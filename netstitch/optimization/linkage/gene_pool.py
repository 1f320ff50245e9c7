"""Gene pools of mixing: the subsets that are copied together, and the donors.

GOMEA learns one linkage tree from the whole population; LK-GOMEA learns one for each solution from
its neighbours, since in different parts of a search space different variables may depend on each
other (section 5.2 of the paper; Guijt, Thierens, Alderliesten and Bosman, "Solving multi-structured
problems by introducing linkage kernels into GOMEA", GECCO 2022).
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
import numpy.typing as npt

from netstitch.optimization.linkage.linkage_model import Genotypes, Linkage, Subset
from netstitch.optimization.problem import Genotype

SMALLEST = 32
"""Neighbours at least, where the population has so many: c of the paper."""

Donors = Literal["neighbours", "population"]
Convergence = Literal["active", "genotypes"]
"""The basis of comparing solutions: values that are "active" alone, or whole "genotypes"."""


@dataclass(frozen=True, eq=False)
class GenePool(ABC):
    """The source of a pass of mixing.

    Attributes:
        linkage: Learns the subsets.
    """

    linkage: Linkage

    @abstractmethod
    def near(
        self, genotypes: Genotypes, own: Genotype, generator: np.random.Generator
    ) -> tuple[Genotypes, Genotypes]:
        """Return those of a population that a solution's subsets are learned from, and donors."""

    @abstractmethod
    def reassigns(self, begun: int, slots: int) -> bool:
        """Return whether weights are handed out anew before a pass, after so many have begun.

        That is where linkage is learned in the authors' code.
        """

    @abstractmethod
    def converged(self, genotypes: Genotypes, members: Sequence[Hashable]) -> bool:
        """Return whether there is no linkage left to learn from.

        Members, one for each genotype, are equal where their genotypes count as equal.
        """

    def draw(
        self, genotypes: Genotypes, own: Genotype, generator: np.random.Generator
    ) -> tuple[list[Subset], Genotypes]:
        """Return subsets in random order, and donors, for a solution of a population's genotypes.

        There are none where no donor differs from the solution: nothing is learned then.
        """
        neighbours, donors = self.near(genotypes, own, generator)
        if not (donors != own).any():
            return [], donors
        return self.linkage.subsets(neighbours, generator), donors

    def learn(
        self, genotypes: Genotypes, own: Genotype, generator: np.random.Generator
    ) -> list[Subset]:
        """Return the subsets alone, for a donor from elsewhere."""
        return self.linkage.subsets(self.near(genotypes, own, generator)[0], generator)


class WholePopulation(GenePool):
    """Linkage of all genotypes; all of them are donors."""

    def near(
        self, genotypes: Genotypes, own: Genotype, generator: np.random.Generator
    ) -> tuple[Genotypes, Genotypes]:
        """Return all of them, twice."""
        return genotypes, genotypes

    def reassigns(self, begun: int, slots: int) -> bool:
        """Return whether it is the first pass, or as many as there are slots have begun since."""
        return begun % slots == 0

    def converged(self, genotypes: Genotypes, members: Sequence[Hashable]) -> bool:
        """Return False: the archive's members are donors too, of forced improvements."""
        return False


@dataclass(frozen=True, eq=False)
class Neighbourhoods(GenePool):
    """Linkage of a solution's nearest genotypes, as many as chance says each time.

    Attributes:
        smallest: Neighbours at least, c.
        donors: The neighbours alone, as in the authors' code, or all of the population.
    """

    smallest: int = SMALLEST
    donors: Donors = "neighbours"

    def near(
        self, genotypes: Genotypes, own: Genotype, generator: np.random.Generator
    ) -> tuple[Genotypes, Genotypes]:
        """Return the neighbours, and the donors."""
        k = neighbourhood_size(len(genotypes), generator, self.smallest)
        neighbours = genotypes[nearest(genotypes, own, k, generator)]
        return neighbours, genotypes if self.donors == "population" else neighbours

    def reassigns(self, begun: int, slots: int) -> bool:
        """Return True: every pass has linkage of its own."""
        return True

    def converged(self, genotypes: Genotypes, members: Sequence[Hashable]) -> bool:
        """Return whether every neighbourhood of the smallest size is one member over and over."""
        size = min(self.smallest, len(members))
        if min(Counter(members).values(), default=0) < size:
            return False  # which is soon seen, and mostly so
        _, classes = np.unique(np.array(members, dtype=object), return_inverse=True)
        for own, genotype in zip(classes, genotypes, strict=True):
            distances = (genotypes != genotype).sum(axis=1)
            within = distances <= np.partition(distances, size - 1)[size - 1]
            if (classes[within] != own).any():
                return False
        return True


def neighbourhood_size(n: int, generator: np.random.Generator, smallest: int = SMALLEST) -> int:
    """Return k = ceil(n / m) for a number of modes m, uniform in [1, max(1, n / smallest)]."""
    modes = generator.uniform(1.0, max(1.0, n / smallest))
    return min(n, ceil(n / modes))


def nearest(
    genotypes: Genotypes, centre: npt.NDArray[np.int64], k: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return indices of the k genotypes of n at the least Hamming distance from the centre.

    Ties are broken by chance.
    """
    distances = (genotypes != centre).sum(axis=1)
    shuffled = generator.permutation(len(genotypes))
    return shuffled[np.argsort(distances[shuffled], kind="stable")[:k]]
