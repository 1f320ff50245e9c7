"""Two problems without deception, whose l + 1 points of the front lie in one row.

LOTZ, leading ones against trailing zeros (Laumanns, Thiele, Zitzler, Welzl and Deb, "Running time
analysis of multi-objective evolutionary algorithms on a simple discrete optimization problem", PPSN
2002), is won one variable after the other. In ZeroMax-OneMax every genotype is on the front, and
the difficulty is to have all numbers of ones.
"""

from dataclasses import dataclass

import numpy as np

from netstitch.optimization import Problem
from problems.case import BOTH_LARGE, Case, Function, Genotypes, Point, Values


@dataclass(frozen=True)
class LeadingOnesTrailingZeros:
    def values(self, genotypes: Genotypes) -> Values:
        ones = np.cumprod(genotypes, axis=1).sum(axis=1)
        zeros = np.cumprod(1 - genotypes[:, ::-1], axis=1).sum(axis=1)
        return np.column_stack([ones, zeros]).astype(np.float64)


@dataclass(frozen=True)
class ZerosOnes:
    def values(self, genotypes: Genotypes) -> Values:
        ones = genotypes.sum(axis=1)
        return np.column_stack([genotypes.shape[1] - ones, ones]).astype(np.float64)


def row(length: int) -> frozenset[Point]:
    """Return all ways to share l between the two objectives, for both problems."""
    return frozenset((float(k), float(length - k)) for k in range(length + 1))


def _case(name: str, function: Function, length: int, population: int, budget: int) -> Case:
    return Case(
        name,
        Problem((2,) * length, BOTH_LARGE),
        function,
        row(length),
        (-1.0, -1.0),  # so that the ends of the row count too
        population,
        budget,
    )


def lotz(length: int, population: int, budget: int) -> Case:
    return _case("LOTZ", LeadingOnesTrailingZeros(), length, population, budget)


def zeros_ones(length: int, population: int, budget: int) -> Case:
    return _case("ZeroMax-OneMax", ZerosOnes(), length, population, budget)
