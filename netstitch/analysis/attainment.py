"""What a share of runs attains: empirical attainment surfaces.

Grunert da Fonseca, Fonseca and Hall (2001), Inferential Performance Assessment of Stochastic
Optimisers and the Attainment Function.
"""

from collections.abc import Sequence

import moocore
import numpy as np

from netstitch.errors import DataError

Network = tuple[float, float]
"""Multiply-adds and accuracy."""


def attainment(fronts: Sequence[Sequence[Network]], share: float) -> tuple[Network, ...]:
    """The corners, by rising multiply-adds, of what at least a share of the runs attains.

    fronts: of each run its networks. share: over 0 to 1; 0.5 is the median run.

    At a cost, the surface is the accuracy that this share of runs reaches at that cost or less.

    Raises DataError for a share that is none, or where there are no networks.
    """
    if not 0 < share <= 1:
        raise DataError(f"a share of {share} of the runs is none; expected over 0 to 1")
    points = np.array([network for front in fronts for network in front], float)
    if not len(points):
        raise DataError("the runs have no networks, so there is no surface that they attain")
    sets = np.repeat(np.arange(len(fronts)), [len(front) for front in fronts])
    # Runs without any network attain nothing: the others are then a smaller share of all.
    present = len(np.unique(sets))
    needed = int(np.ceil(share * len(fronts) - 1e-9))
    if needed > present:
        return ()
    percentile = 100 * needed / present
    found = moocore.eaf(
        points * [1, -1], np.unique(sets, return_inverse=True)[1] + 1, percentiles=[percentile]
    )
    corners = sorted((float(cost), float(-negative)) for cost, negative, _ in found)
    return tuple(corners)
