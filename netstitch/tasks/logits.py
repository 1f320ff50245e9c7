"""What tasks compute of logits: those of an ensemble, and how far confidence can be relied on.

See `analysis/calibration.py` for what reliability is read for.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks.task import EnsembleKind


def average(
    outputs: Sequence[Tensor], weights: Sequence[float] | None, kind: EnsembleKind
) -> Tensor:
    """Logits (n, classes, ...) of an ensemble, from those of its networks; equal weights if None.

    With "probabilities" this is the logarithm of the averaged softmax: logits again, whose
    softmax is that average, so that loss and accuracy treat every network alike.

    Raises DataError when there are no outputs, or not one weight for each.
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
    """(n, classes) logits and (n,) labels to (bins, 3) float64: sums over the samples of each bin.

    The sums are of 1, of the confidence in the predicted class (its softmax), and of whether it is
    right. Bins are of equal width from 0 to 1, each with its upper end.
    """
    sure, found = predicted(logits)
    sure = sure.double()
    place = (sure * bins).ceil().long().clamp(1, bins) - 1
    rows = torch.stack([torch.ones_like(sure), (sure * GRAIN).round(), (found == labels).double()])
    sums = torch.zeros(3, bins, dtype=torch.float64, device=logits.device)
    sums.index_add_(1, place, rows)
    sums[1] /= GRAIN
    return sums.T.contiguous()
