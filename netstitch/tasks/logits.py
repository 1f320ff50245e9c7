"""Functions of logits: the ensemble's, the predicted class, and sums by confidence."""

from collections.abc import Sequence

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks.task import EnsembleKind


def average(
    outputs: Sequence[Tensor], weights: Sequence[float] | None, kind: EnsembleKind
) -> Tensor:
    """Return logits (n, classes, ...) of an ensemble, from those of its networks.

    Weights are equal if None. With "probabilities" this is the logarithm of the averaged softmax:
    logits again, whose softmax is that average, so that loss and accuracy treat all alike.

    Raises:
        DataError: When there are no outputs, or not one weight for each.
    """
    if not outputs:
        raise DataError("an ensemble of no networks has no output; give at least one")
    shares = [1 / len(outputs)] * len(outputs) if weights is None else list(weights)
    if len(shares) != len(outputs):
        raise DataError(
            f"{len(shares)} ensemble weights for {len(outputs)} networks; give one for each"
        )
    stacked = torch.stack(list(outputs))
    share = torch.tensor(shares, dtype=stacked.dtype, device=stacked.device)
    share = share.view(-1, *[1] * (stacked.ndim - 1))
    if kind == "logits":
        return (share * stacked).sum(0)
    return torch.logsumexp(share.log() + stacked.log_softmax(2), dim=0)


def predicted(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return (n, ...) the softmax of the class predicted, and that class, of (n, classes, ...)."""
    confidence, found = logits.float().softmax(1).max(1)
    return confidence, found


BINS = 15
GRAIN = 2.0**24
"""Confidences are multiples of 1 / GRAIN, so that their sums are exact in any order."""


def reliability(logits: Tensor, labels: Tensor, bins: int = BINS) -> Tensor:
    """Return (bins, 3) float64 sums by confidence, of (n, classes) logits and (n,) labels.

    Bins of confidence, the softmax of the class predicted, are of equal width from 0 to 1, each
    with its upper end. The sums over the samples of each are of 1, of the confidence, and of
    whether the class is right; `netstitch.analysis.calibration` reads them.
    """
    sure, found = predicted(logits)
    sure = sure.double()
    bin_of = (sure * bins).ceil().long().clamp(1, bins) - 1
    rows = torch.stack([torch.ones_like(sure), (sure * GRAIN).round(), (found == labels).double()])
    sums = torch.zeros(3, bins, dtype=torch.float64, device=logits.device)
    sums.index_add_(1, bin_of, rows)
    sums[1] /= GRAIN
    return sums.T.contiguous()
