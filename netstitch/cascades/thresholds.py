"""The thresholds that are tried: on a coarse grid of shares, midway between two confidences.

A cascade then does not owe its accuracy to a threshold that fits single samples.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GOING_ON = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.27, 0.35, 0.45, 0.55, 0.65, 0.75, 0.9)
"""Shares of samples that go on to the next stage, about."""


def thresholds_of(
    confidence: NDArray[np.float32], going_on: Sequence[float] = GOING_ON
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return (q,) thresholds, and how many samples leave at each, of (n,) confidences.

    Thresholds are exact in float32, as confidences are, and in (0, 1). Shares that give one
    threshold count once.
    """
    ordered = np.sort(confidence)[::-1]
    borders = np.flatnonzero(ordered[:-1] > ordered[1:]) + 1  # so many samples leave
    if not len(borders):
        return np.zeros(0, np.float32), np.zeros(0, np.int64)
    wanted = len(ordered) * (1 - np.asarray(going_on))
    above = np.minimum(np.searchsorted(borders, wanted), len(borders) - 1)
    below = np.maximum(above - 1, 0)
    nearer = np.where(wanted - borders[below] < borders[above] - wanted, below, above)
    leaving = borders[np.unique(nearer)]
    high, low = ordered[leaving - 1], ordered[leaving]
    middle = ((high.astype(np.float64) + low) / 2).astype(np.float32)
    middle = np.where(middle > low, middle, high)
    inside = (middle > 0) & (middle < 1)
    return middle[inside], leaving[inside]
