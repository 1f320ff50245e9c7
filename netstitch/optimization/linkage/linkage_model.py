"""Linkage learned from a set of genotypes: the linkage tree of GOMEA.

Variables that depend on each other in a population of good solutions should be copied together
(section 5.2 of the paper; Thierens and Bosman, "Hierarchical problem solving with the linkage tree
genetic algorithm", GECCO 2013). Dependence is measured by mutual information, divided by the joint
entropy so that it lies in [0, 1], and the tree is built by UPGMA. Two ways that learn nothing are
there to compare with: a tree at random, and single variables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from netstitch.optimization.operators.scalarisation import Floats

Genotypes = npt.NDArray[np.integer]
"""n genotypes, shape (n, l), in any integer type."""

Subset = npt.NDArray[np.int64]
"""Indices of variables that are copied together, in ascending order."""


Cardinalities = npt.NDArray[np.int64]

_ROUNDING = 1e-12
"""Entropies up to this are 0 but for rounding."""


class Linkage(Protocol):
    """Subsets of variables that are copied together, in random order, learned from genotypes."""

    def subsets(self, genotypes: Genotypes, generator: np.random.Generator) -> list[Subset]:
        """Return the subsets."""
        ...


@dataclass(eq=False)
class MutualInformation(Linkage):
    """The linkage tree of mutual information.

    Genotypes that are those of the last time, as when the first pass of every slot begins, share
    their mutual information, the dear part of a tree.
    """

    cardinalities: Cardinalities
    _last: tuple[Genotypes, Floats] | None = None

    def subsets(self, genotypes: Genotypes, generator: np.random.Generator) -> list[Subset]:
        """Return the nodes of the tree but its root."""
        if self._last is None or not np.array_equal(self._last[0], genotypes):
            self._last = genotypes, normalised_mutual_information(genotypes, self.cardinalities)
        return tree_subsets(self._last[1], self.cardinalities, generator)


@dataclass(eq=False)
class RandomTree(Linkage):
    """A tree of variables joined by chance: subsets of the same sizes, of no meaning."""

    cardinalities: Cardinalities

    def subsets(self, genotypes: Genotypes, generator: np.random.Generator) -> list[Subset]:
        """Return the nodes of the tree but its root."""
        length = len(self.cardinalities)
        drawn = np.triu(generator.random((length, length)), 1)
        return tree_subsets(drawn + drawn.T, self.cardinalities, generator)


@dataclass(eq=False)
class SingleVariables(Linkage):
    """Each variable by itself."""

    cardinalities: Cardinalities

    def subsets(self, genotypes: Genotypes, generator: np.random.Generator) -> list[Subset]:
        """Return the variables that can change, one by one."""
        free = np.flatnonzero(self.cardinalities > 1)
        return [free[[index]] for index in generator.permutation(len(free))]


MUTUAL_INFORMATION = "mutual-information"
LINKAGES: Mapping[str, Callable[[Cardinalities], Linkage]] = {
    MUTUAL_INFORMATION: MutualInformation,
    "random-tree": RandomTree,
    "single-variables": SingleVariables,
}


def tree_subsets(
    information: Floats, cardinalities: Cardinalities, generator: np.random.Generator
) -> list[Subset]:
    """Return the nodes of the linkage tree but its root, in random order.

    With a single variable the root is all there is, and it is kept.

    Ties between equally dependent variables are broken by chance. Variables with one value are left
    out, since nothing can be copied there. `information` is normalised mutual information, (l, l).
    """
    variables = generator.permutation(np.flatnonzero(cardinalities > 1))
    if len(variables) < 2:
        return [variables] if len(variables) else []
    nodes = [variables[[leaf]] for leaf in range(len(variables))]
    for left, right in merges(information[np.ix_(variables, variables)])[:-1]:
        nodes.append(np.concatenate([nodes[left], nodes[right]]))
    return [np.sort(nodes[index]) for index in generator.permutation(len(nodes))]


def merges(information: Floats) -> list[tuple[int, int]]:
    """Return the pairs of nodes that UPGMA joins, l - 1 times, for an (l, l) similarity in [0, 1].

    Leaves are numbered 0 to l - 1; the node of the i-th merge is l + i.
    """
    distances = 1.0 - information
    np.fill_diagonal(distances, 0.0)
    tree = hierarchy.linkage(squareform(distances, checks=False), method="average")
    return [(int(left), int(right)) for left, right in tree[:, :2]]


def normalised_mutual_information(genotypes: Genotypes, cardinalities: Cardinalities) -> Floats:
    """Return mutual information over joint entropy, (l, l) in [0, 1]; 0 where neither varies."""
    count, length = genotypes.shape
    starts = np.concatenate([[0], np.cumsum(cardinalities)[:-1]])
    shown = np.zeros((count, int(cardinalities.sum())), dtype=np.float32)
    shown[np.arange(count)[:, None], starts + genotypes] = 1
    # Counts of all pairs of values in one product; they are exact in float32 up to 2^24.
    joint = (shown.T @ shown).astype(np.float64) / count
    terms = np.where(joint > 0, -joint * np.log(np.where(joint > 0, joint, 1.0)), 0.0)
    entropies = np.add.reduceat(np.add.reduceat(terms, starts, axis=0), starts, axis=1)
    own = entropies.diagonal()  # of a variable with itself: its own entropy
    mutual = own[:, None] + own[None, :] - entropies
    found = np.divide(
        mutual, entropies, out=np.zeros((length, length)), where=entropies > _ROUNDING
    )
    clipped: Floats = np.clip(found, 0.0, 1.0)
    return clipped
