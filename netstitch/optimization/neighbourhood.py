"""The solutions nearest to one: the linkage kernels of LK-GOMEA.

In different parts of a search space different variables may depend on each other, so linkage is
learned for each solution from its neighbours (section 5.2 of the paper; Guijt, Thierens,
Alderliesten and Bosman, "Solving multi-structured problems by introducing linkage kernels into
GOMEA", GECCO 2022).
"""

from math import ceil

import numpy as np
import numpy.typing as npt

from netstitch.optimization.linkage import Genotypes

SMALLEST = 32
"""Neighbours at least, where the population has so many: c of the paper."""


def neighbourhood_size(n: int, generator: np.random.Generator, smallest: int = SMALLEST) -> int:
    """k = ceil(n / m) for a number of modes m, uniform and real in [1, max(1, n / smallest)]."""
    modes = generator.uniform(1.0, max(1.0, n / smallest))
    return min(n, ceil(n / modes))


def nearest(
    genotypes: Genotypes, centre: npt.NDArray[np.int64], k: int, generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Indices of the k genotypes at the least Hamming distance; of equally near ones, random ones.

    genotypes: (n, l). centre: (l,).
    """
    distances = (genotypes != centre).sum(axis=1)
    shuffled = generator.permutation(len(genotypes))
    return shuffled[np.argsort(distances[shuffled], kind="stable")[:k]]
