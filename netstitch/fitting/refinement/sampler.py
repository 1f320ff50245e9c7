"""Sampling the subnetworks that stitches are trained in.

At first mostly single stitches, later more and more subnetworks with several, so that stitches
learn to read what other stitches made (the paper's section 8 names the errors that add up as what
keeps its fronts short of stitches).
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from netstitch.fitting.refinement.union_graph import UnionGraph
from netstitch.stitching.reachability import Genotype

SINGLE_FIRST, SINGLE_LAST = 0.65, 0.15
"""Share of single stitches among the subnetworks of the first and of the last step."""

FEWEST, MOST = 2.0, 12.0
"""Chosen stitches expected in a subnetwork with several: the least, and the most at the end."""

TRIES = 100
"""Draws after which a genotype of a kind is given up."""

Shares = NDArray[np.float64]
"""(stitches,) probability that each stitch is drawn."""


class SubnetworkSampler:
    """Draws genotypes with at least one active stitch, all stitches that are not closed alike.

    Attributes:
        singles: For each stitch, the genotype in which it stands alone, or None.
        closed: Stitches that are never drawn; at first those that no output uses.
    """

    def __init__(self, union: UnionGraph) -> None:
        self.union = union
        self.singles = [single(union, index) for index in range(len(union.stitches))]
        self.closed = {index for index, genotype in enumerate(self.singles) if genotype is None}

    def draw(self, generator: np.random.Generator, fraction: float) -> tuple[Genotype, int | None]:
        """Return a genotype, and the stitch's index where it has a single one.

        `fraction` of the training is done, in [0, 1]. Raises LookupError where all are closed.
        """
        shares = even(len(self.singles), set(range(len(self.singles))) - self.closed)
        if not shares.any():
            raise LookupError("no stitch is left to train")
        alone = SINGLE_FIRST + (SINGLE_LAST - SINGLE_FIRST) * fraction
        if generator.random() >= alone:
            expected = FEWEST + (MOST - FEWEST) * fraction * generator.random()
            for _ in range(TRIES):
                genotype = scattered(self.union, generator, expected, shares)
                if self.union.active_stitches(genotype):
                    return genotype, None
        stitch = int(generator.choice(len(shares), p=shares))
        alone_genotype = self.singles[stitch]
        assert alone_genotype is not None
        return alone_genotype, stitch


def single(union: UnionGraph, stitch: int) -> Genotype | None:
    """Return the genotype in which one stitch alone is chosen, for the first output that uses it.

    None where no output depends on the stitch.
    """
    for switch, behind in enumerate(union.switches):
        if stitch in behind.stitches:
            choice = {switch: behind.stitches.index(stitch)}
            for output in range(len(union.outputs)):
                genotype = union.genotype(output, choice)
                if stitch in union.active_stitches(genotype):
                    return genotype
    return None


def even(count: int, among: Collection[int]) -> Shares:
    """Return equal shares for some of so many stitches; all zero where there are none of them."""
    shares = np.zeros(count)
    shares[list(among)] = 1 / max(1, len(among))
    return shares


def scattered(
    union: UnionGraph, generator: np.random.Generator, expected: float, shares: Shares
) -> Genotype:
    """Return a random genotype with `expected` stitches chosen on average, active ones or not."""
    genotype = np.zeros(len(union.cardinalities), dtype=np.int64)
    genotype[-1] = generator.integers(union.cardinalities[-1])
    chosen = np.flatnonzero(generator.random(len(shares)) < np.minimum(0.5, expected * shares))
    choice_of = {
        stitch: (switch, choice)
        for switch, behind in enumerate(union.switches)
        for choice, stitch in enumerate(behind.stitches)
        if stitch is not None
    }
    for stitch in generator.permutation(chosen).tolist():
        switch, choice = choice_of[stitch]
        genotype[switch] = choice
    return genotype


def with_active(
    union: UnionGraph, generator: np.random.Generator, active: int, among: Sequence[int]
) -> Genotype | None:
    """Return a random genotype with exactly so many active stitches, all `among` the given ones.

    None where TRIES draws found none.
    """
    shares = even(len(union.stitches), among)
    for _ in range(TRIES):
        expected = active * (1 + 3 * generator.random())
        genotype = scattered(union, generator, expected, shares)
        if len(union.active_stitches(genotype)) == active:
            return genotype
    return None
