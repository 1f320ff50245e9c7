"""Whose place an offspring takes (the paper's section 5.1)."""

from collections.abc import Iterable

import numpy as np

from netstitch.optimization.population import Population
from netstitch.optimization.solution import Solution


def a_worse_parent(
    population: Population,
    offspring: Solution,
    parents: Iterable[int],
    ties: bool,
    generator: np.random.Generator,
) -> int | None:
    """A random one of the parents' slots whose member the offspring betters; None for none.

    Members count as they are now: a slot may have another than when the offspring was made.
    ties: whether one that is as good may be replaced too.
    """
    worse = [one for one in dict.fromkeys(parents) if population.betters(offspring, one, ties)]
    return worse[int(generator.integers(len(worse)))] if worse else None
