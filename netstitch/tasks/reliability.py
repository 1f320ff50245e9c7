"""How often predictions are right, by how confident they are; see `analysis/calibration.py`."""

import torch
from torch import Tensor

BINS = 15
GRAIN = 2.0**24
"""Confidences are multiples of 1 / GRAIN, so that their sums are exact in any order."""


def reliability(logits: Tensor, labels: Tensor, bins: int = BINS) -> Tensor:
    """(n, classes) logits and (n,) labels to (bins, 3) float64: sums over the samples of each bin.

    The sums are of 1, of the confidence in the predicted class (its softmax), and of whether it is
    right. Bins are of equal width from 0 to 1, each with its upper end.
    """
    sure, found = logits.float().softmax(1).max(1)
    sure = sure.double()
    place = (sure * bins).ceil().long().clamp(1, bins) - 1
    rows = torch.stack([torch.ones_like(sure), (sure * GRAIN).round(), (found == labels).double()])
    sums = torch.zeros(3, bins, dtype=torch.float64, device=logits.device)
    sums.index_add_(1, place, rows)
    sums[1] /= GRAIN
    return sums.T.contiguous()
