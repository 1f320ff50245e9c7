"""Best of traps: in different parts of the space different variables belong together.

Guijt, Thierens, Alderliesten and Bosman, "Solving multi-structured problems by introducing linkage
kernels into GOMEA" (GECCO 2022): several concatenated traps, each with an optimum and an order of
the variables of its own, drawn at random, and the largest of them counts. Here also the largest of
their inverse traps is to be large, so that a search must settle on one of the structures for each
point of the front. Any of the structures will do for all of it, though, and what misleads a trap is
the best of its inverse.

Where structures are parts of the front, the largest trap decides on the part: its structure's place
in a row makes one objective larger by as much as the other one smaller, and both are larger by the
trap. Each point of the front is then the best of another structure, with linkage of its own, and
all of them have to be learned in one population.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from netstitch.optimization import Problem
from problems.case import BOTH_LARGE, Case, Genotypes, Values
from problems.exhaustive import front
from problems.traps import SIZE, trap_values


@dataclass(frozen=True, eq=False)
class BestOfTraps:
    """orders: variable at each place of the blocks. optima: best value at each such place.

    Both of shape (s, l) for s structures.
    """

    orders: np.ndarray
    optima: np.ndarray

    def values(self, genotypes: Genotypes) -> Values:
        best: Values = self.of_each(genotypes).max(axis=1)
        return best

    def of_each(self, genotypes: Genotypes) -> Values:
        """Trap and inverse trap of every structure, shape (n, s, 2)."""
        agree = (genotypes[:, self.orders] == self.optima).astype(np.int64)
        count, structures, length = agree.shape
        own = trap_values(agree.reshape(count * structures, length))
        return own.reshape(count, structures, 2)


@dataclass(frozen=True, eq=False)
class PartsOfFront:
    """places: what a structure's place in the row gives to both objectives, shape (s, 2)."""

    traps: BestOfTraps
    places: np.ndarray

    def values(self, genotypes: Genotypes) -> Values:
        trap = self.traps.of_each(genotypes)[:, :, 0]
        best = trap.argmax(axis=1)
        return self.places[best] + trap.max(axis=1)[:, None]


def drawn(structures: int, blocks: int, draw: int) -> BestOfTraps:
    """Orders and optima by chance; draw: the seed of it."""
    generator = np.random.default_rng(draw)
    length = SIZE * blocks
    orders = np.array([generator.permutation(length) for _ in range(structures)])
    return BestOfTraps(orders, generator.integers(2, size=(structures, length)))


def good_in_one(function: BestOfTraps, blocks: int) -> Iterator[Genotypes]:
    """All genotypes in which some structure's trap is at least 4 in the mean of its blocks.

    No others are on the front: with all blocks of a structure against its optimum, its trap is 4 in
    each and its inverse trap the most there is.
    """
    patterns = (np.arange(2**SIZE)[:, None] >> np.arange(SIZE)) & 1
    trap = trap_values(patterns)[:, 0]
    agree, missing = np.zeros((1, 0), dtype=np.int64), np.zeros(1)
    for _ in range(blocks):
        missing = (missing[:, None] + SIZE - trap).ravel()
        agree = np.concatenate(
            [np.repeat(agree, len(patterns), axis=0), np.tile(patterns, (len(agree), 1))], axis=1
        )
        kept = missing <= blocks
        agree, missing = agree[kept], missing[kept]
    for order, optimum in zip(function.orders, function.optima, strict=True):
        genotypes = np.empty_like(agree)
        genotypes[:, order] = np.where(agree == 1, optimum, 1 - optimum)
        yield genotypes


def best_of_traps(structures: int, blocks: int, population: int, budget: int, draw: int) -> Case:
    function = drawn(structures, blocks, draw)
    return Case(
        f"best of {structures} traps",
        Problem((2,) * (SIZE * blocks), BOTH_LARGE),
        function,
        front(function, good_in_one(function, blocks), BOTH_LARGE),
        (0.0, 0.0),
        population,
        budget,
    )


def parts_of_front(structures: int, blocks: int, population: int, budget: int, draw: int) -> Case:
    """Its front: of each structure the best, since its place is all that matters besides.

    Places are so far apart that even what misleads a trap, 4 in each block instead of 5, is not
    dominated by the best of the next structure: no part is given up while it is being solved.
    """
    steps = 2.0 * blocks * np.arange(structures)
    places = np.column_stack([steps, steps[::-1]])
    return Case(
        f"{structures} parts of traps",
        Problem((2,) * (SIZE * blocks), BOTH_LARGE),
        PartsOfFront(drawn(structures, blocks, draw), places),
        frozenset(tuple(point) for point in (places + SIZE * blocks).tolist()),
        (0.0, 0.0),
        population,
        budget,
    )
