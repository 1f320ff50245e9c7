"""Deceptive traps against inverse traps, with each block's variables side by side or scattered.

Luong, La Poutré and Bosman, "Multi-objective gene-pool optimal mixing evolutionary algorithms"
(GECCO 2014). In each block of five variables a trap is best where all are 1 and otherwise leads
towards all 0; an inverse trap is best where all are 0 and leads away from there. Points of the
front differ in how many blocks are all 1, and blocks must be found and copied whole.
"""

from dataclasses import dataclass

import numpy as np

from netstitch.optimization import Problem
from problems.case import BOTH_LARGE, Case, Genotypes, Point, Values

SIZE = 5
SCATTER = 99


@dataclass(frozen=True, eq=False)
class Traps:
    """order: variable at each place of the blocks, shape (l,)."""

    order: np.ndarray

    def values(self, genotypes: Genotypes) -> Values:
        return trap_values(genotypes[:, self.order])


def trap_values(genotypes: Genotypes) -> Values:
    """Sums over blocks of neighbouring variables: of the trap, and of the inverse trap."""
    ones = genotypes.reshape(len(genotypes), -1, SIZE).sum(axis=2)
    trap = np.where(ones == SIZE, SIZE, SIZE - 1 - ones).sum(axis=1)
    inverse = np.where(ones == 0, SIZE, ones - 1).sum(axis=1)
    return np.column_stack([trap, inverse]).astype(np.float64)


def trap_front(blocks: int) -> frozenset[Point]:
    """k blocks are all 1 and the others all 0; anything else in a block is worse than either.

    That block gives 5 + 4 or 4 + 5 then, and 3 in sum otherwise.
    """
    least, most = (SIZE - 1) * blocks, SIZE * blocks
    return frozenset((float(least + k), float(most - k)) for k in range(blocks + 1))


def traps(name: str, blocks: int, loose: bool, population: int, budget: int) -> Case:
    order = np.arange(SIZE * blocks)
    if loose:
        order = np.random.default_rng(SCATTER).permutation(order)
    return Case(
        name,
        Problem((2,) * len(order), BOTH_LARGE),
        Traps(order),
        trap_front(blocks),
        (0.0, 0.0),
        population,
        budget,
    )
