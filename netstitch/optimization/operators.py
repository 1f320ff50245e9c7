"""Variation: how new genotypes are made of old ones (section 5.1 of the paper)."""

import numpy as np
import numpy.typing as npt

from netstitch.optimization.problem import Genotype


def two_point_crossover(
    first: Genotype, second: Genotype, generator: np.random.Generator
) -> Genotype:
    """The first parent with one segment of the second, shape (l,).

    The segment lies between two different boundaries out of the l + 1 around the variables, each
    pair as likely.
    """
    length = len(first)
    start = int(generator.integers(length + 1))
    end = int(generator.integers(length))
    if end >= start:
        end += 1
    low, high = min(start, end), max(start, end)
    child = first.copy()
    child[low:high] = second[low:high]
    return child


def mutation(
    genotype: Genotype,
    cardinalities: npt.NDArray[np.int64],
    rate: float,
    generator: np.random.Generator,
) -> Genotype:
    """A copy in which each variable has, with probability `rate`, another value, each as likely.

    Variables of cardinality 1 have no other value and stay.
    """
    chosen = np.flatnonzero((generator.random(len(genotype)) < rate) & (cardinalities > 1))
    mutant = genotype.copy()
    counts = cardinalities[chosen]
    mutant[chosen] = (genotype[chosen] + 1 + generator.integers(counts - 1)) % counts
    return mutant
