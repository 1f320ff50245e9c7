"""Empirical attainment surfaces: what a share of runs attains.

Grunert da Fonseca, Fonseca and Hall (2001), Inferential Performance Assessment of Stochastic
Optimisers and the Attainment Function.
"""

from collections.abc import Sequence

import moocore
import numpy as np

from netstitch.errors import DataError

CostAndAccuracy = tuple[float, float]


def attainment(
    fronts: Sequence[Sequence[CostAndAccuracy]], share: float
) -> tuple[CostAndAccuracy, ...]:
    """Return the corners, by rising cost, of what at least a share of the runs attains.

    At a cost, the surface is the accuracy that this share of runs reaches at that cost or less; a
    share of 0.5 is the median run.

    Raises:
        DataError: The share is none, or there are no networks.
    """
    if not 0 < share <= 1:
        raise DataError(f"a share of {share} of the runs is none; expected over 0 to 1")
    points = np.array([network for front in fronts for network in front], float)
    if not len(points):
        raise DataError("the runs have no networks, so there is no surface that they attain")
    # Runs without any network attain nothing: the others are then a smaller share of all.
    sets = np.repeat(np.arange(len(fronts)), [len(front) for front in fronts])
    present, numbers = np.unique(sets, return_inverse=True)
    needed = int(np.ceil(share * len(fronts) - 1e-9))
    if needed > len(present):
        return ()
    percentile = 100 * needed / len(present)
    found = moocore.eaf(points * [1, -1], numbers + 1, percentiles=[percentile])
    return tuple(sorted((float(cost), float(-negative)) for cost, negative, _ in found))
