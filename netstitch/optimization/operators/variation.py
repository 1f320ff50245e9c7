"""Variation: new genotypes from old ones by crossover and mutation (section 5.1 of the paper)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from netstitch.errors import SearchError
from netstitch.optimization.problem import Genotype


def two_point_crossover(
    first: Genotype, second: Genotype, generator: np.random.Generator
) -> Genotype:
    """Return the first parent with one segment of the second, shape (l,).

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


def one_point_crossover(
    first: Genotype, second: Genotype, generator: np.random.Generator
) -> Genotype:
    """Return the first parent up to a boundary and the second behind it, shape (l,).

    The boundary is one of the l before a variable, each as likely.
    """
    child = first.copy()
    start = int(generator.integers(len(first)))
    child[start:] = second[start:]
    return child


def uniform_crossover(
    first: Genotype, second: Genotype, generator: np.random.Generator
) -> Genotype:
    """Return each variable of either parent, as likely, shape (l,)."""
    return np.where(generator.random(len(first)) < 0.5, first, second)


Crossover = Callable[[Genotype, Genotype, np.random.Generator], Genotype]

TWO_POINT = "two-point"
CROSSOVERS: Mapping[str, Crossover] = MappingProxyType(
    {
        TWO_POINT: two_point_crossover,
        "one-point": one_point_crossover,
        "uniform": uniform_crossover,
    }
)


def checked_rate(given: float | None, length: int) -> float:
    """Return a mutation rate, by default 1 / l; raise SearchError when it is no probability."""
    if given is not None and not 0 <= given <= 1:
        raise SearchError(f"mutation_rate is {given}: give 0 to 1")
    return 1 / length if given is None else given


def mutation(
    genotype: Genotype,
    cardinalities: npt.NDArray[np.int64],
    rate: float,
    generator: np.random.Generator,
) -> Genotype:
    """Return a copy in which each variable has, with probability `rate`, another value.

    Other values are as likely. Variables of cardinality 1 have none and stay.
    """
    chosen = np.flatnonzero((generator.random(len(genotype)) < rate) & (cardinalities > 1))
    mutant = genotype.copy()
    counts = cardinalities[chosen]
    mutant[chosen] = (genotype[chosen] + 1 + generator.integers(counts - 1)) % counts
    return mutant
