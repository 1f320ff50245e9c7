"""Rugged problems, small enough that all of their genotypes can be looked at.

NK landscapes: each variable and its four right neighbours (around the end) have a table of random
values, and the objectives have tables of their own; Aguirre and Tanaka, "Working principles,
behavior, and performance of MOEAs on MNK-landscapes" (EJOR 2007). MAX-CUT: the objectives weigh the
edges of the same complete graph at random. Values are whole numbers, so that sums are exact.
"""

from dataclasses import dataclass

import numpy as np

from netstitch.optimization import Problem
from problems.case import BOTH_LARGE, Case, Function, Genotypes, Values
from problems.exhaustive import all_genotypes, front

NEIGHBOURS = 4
LARGEST = 1000
NK_SEED, CUT_SEED = 7, 8


@dataclass(frozen=True, eq=False)
class Landscapes:
    """tables: value for each objective, variable, and values of it and its neighbours."""

    tables: np.ndarray

    def values(self, genotypes: Genotypes) -> Values:
        length = genotypes.shape[1]
        entries = np.zeros(genotypes.shape, dtype=np.int64)
        for step in range(NEIGHBOURS + 1):
            entries = 2 * entries + np.roll(genotypes, -step, axis=1)
        chosen = self.tables[:, np.arange(length), entries]
        return chosen.sum(axis=2).T.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Cuts:
    """weights: of the edges for each objective, shape (2, l, l), nonzero over the diagonal only."""

    weights: np.ndarray

    def values(self, genotypes: Genotypes) -> Values:
        ones = genotypes.astype(np.float64)
        cut = [((ones @ (w + w.T)) * (1 - ones)).sum(axis=1) for w in self.weights]
        return np.column_stack(cut)


def nk(length: int, population: int, budget: int) -> Case:
    generator = np.random.default_rng(NK_SEED)
    tables = generator.integers(LARGEST, size=(2, length, 2 ** (NEIGHBOURS + 1)))
    return _case("NK landscapes", Landscapes(tables), length, population, budget)


def max_cut(length: int, population: int, budget: int) -> Case:
    generator = np.random.default_rng(CUT_SEED)
    weights = generator.integers(LARGEST, size=(2, length, length)).astype(np.float64)
    return _case("MAX-CUT", Cuts(np.triu(weights, 1)), length, population, budget)


def _case(name: str, function: Function, length: int, population: int, budget: int) -> Case:
    problem = Problem((2,) * length, BOTH_LARGE)
    points = front(function, all_genotypes(problem.cardinalities), problem.objectives)
    return Case(name, problem, function, points, (0.0, 0.0), population, budget)
