"""Sampling the subnetworks that stitches are trained in.

At first mostly single stitches, later more and more subnetworks with several, so that stitches
learn to read what other stitches made (the paper's section 8 names the errors that add up as what
keeps its fronts short of stitches). Stitches whose loss falls are drawn more often than those that
have stopped learning.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netstitch.fitting.refinement.union_graph import UnionGraph
from netstitch.stitching.reachability import Genotype

SINGLE_FIRST, SINGLE_LAST = 0.65, 0.15
"""Share of single stitches among the subnetworks of the first and of the last step."""

FEWEST, MOST = 2.0, 12.0
"""Chosen stitches expected in a subnetwork with several: the least, and the most at the end."""

RECENT = 6
"""Losses of a stitch that its gain is measured on."""

LEAST = 0.05
"""Share of its loss that a stitch counts as gaining at least: a few batches hide small falls."""

EVEN = 0.25
"""Share of the draws that goes to all stitches alike."""

TRIES = 100
"""Draws after which a genotype of a kind is given up."""

Shares = NDArray[np.float64]
"""(stitches,) probability that each stitch is drawn."""


class Gains:
    """The fall of each stitch's loss by its last draws, which says how often it is drawn next.

    A stitch's gain is the fall of its loss, as the only stitch of a subnetwork, from the older to
    the newer half of its last RECENT draws, and LEAST of the newer half where that is more. Before
    so many draws, all of its loss may be gained: what it was at the beginning and in the draws so
    far. Shares follow the gains' square roots, since each draw leaves less to gain by the next.
    Stitches that are closed are never drawn, and those that are resting only where no other is
    open.
    """

    def __init__(self, stitches: int) -> None:
        self.begun = [math.nan] * stitches
        self.losses: list[list[float]] = [[] for _ in range(stitches)]
        self.closed: set[int] = set()
        self.resting: set[int] = set()

    def begin(self, losses: Mapping[int, float]) -> None:
        """Take in the stitches' losses alone before training, on images apart."""
        for stitch, loss in losses.items():
            self.begun[stitch] = loss

    def note(self, stitch: int, loss: float) -> None:
        """Take in a single stitch's loss on a batch, before it was trained on that batch."""
        self.losses[stitch] = [*self.losses[stitch], loss][-RECENT:]

    def keep_worst(self, count: int) -> None:
        """Let all stitches rest but so many: those whose loss alone was the highest before.

        None rests where there are no more than so many.
        """
        open_ones = [s for s in range(len(self.begun)) if s not in self.closed]
        if count >= len(open_ones):
            self.resting = set()
            return
        known = [stitch for stitch in open_ones if math.isfinite(self.begun[stitch])]
        worst = sorted(known, key=self.begun.__getitem__, reverse=True)[:count]
        self.resting = set(open_ones).difference(worst) if worst else set()

    def shares(self) -> Shares:
        """Return (stitches,) probabilities of being drawn, all zero where every one is closed."""
        usable = np.array([index not in self.closed for index in range(len(self.losses))])
        awake = usable & [index not in self.resting for index in range(len(self.losses))]
        usable = awake if awake.any() else usable
        if not usable.any():
            return np.zeros(len(usable))
        gains = np.array([self._gain(index) for index in range(len(usable))])
        known = gains[np.isfinite(gains) & usable]
        gains[~np.isfinite(gains)] = known.max(initial=0.0) or 1.0  # unmeasured: as the best one
        roots = np.sqrt(gains) * usable
        even: Shares = usable / usable.sum()
        total = float(roots.sum())
        return EVEN * even + (1 - EVEN) * roots / total if total > 0 else even

    def _gain(self, stitch: int) -> float:
        """Return the gain, summed over half of RECENT draws; NaN where nothing was measured."""
        half, losses = RECENT // 2, self.losses[stitch]
        if len(losses) < RECENT:
            known = [loss for loss in (self.begun[stitch], *losses) if math.isfinite(loss)]
            return max(0.0, half * sum(known) / len(known)) if known else math.nan
        older, newer = sum(losses[:half]), sum(losses[half:])
        return max(LEAST * newer, older - newer, 0.0)


class SubnetworkSampler:
    """Draws genotypes with at least one active stitch.

    Attributes:
        gains: Says which stitches to prefer; those that no output uses are closed.
        singles: For each stitch, the genotype in which it stands alone, or None.
    """

    def __init__(self, union: UnionGraph) -> None:
        self.union, self.gains = union, Gains(len(union.stitches))
        self.singles = [single(union, index) for index in range(len(union.stitches))]
        self.gains.closed |= {index for index, one in enumerate(self.singles) if one is None}

    def draw(self, generator: np.random.Generator, fraction: float) -> tuple[Genotype, int | None]:
        """Return a genotype, and the stitch's index where it has a single one.

        `fraction` of the training is done, in [0, 1]. Raises LookupError where all are closed.
        """
        shares = self.gains.shares()
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
