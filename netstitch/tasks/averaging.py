"""The output of an ensemble, from those of its networks."""

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
