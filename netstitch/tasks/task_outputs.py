"""Outputs of networks, tensors or dictionaries of them: which one counts, and what logits say."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Literal

import torch
from torch import Tensor

from netstitch.errors import DataError

Outputs = Tensor | Mapping[str, Tensor]
EnsembleKind = Literal["logits", "probabilities"]
"""The outputs that the ensemble averages: the networks' outputs, or the softmax of them."""

BINS = 30
"""Bins of confidence, which can be put together to 15 and to 10."""
GRAIN = 2.0**24
"""Confidences are multiples of 1 / GRAIN, so that their sums are exact in any order."""
CHECKED = 2_000_000
"""Numbers that are looked at together: outputs of many samples may be files that are mapped."""


def select(outputs: Outputs, key: str | None) -> Tensor:
    """Return the tensor that a task looks at: outputs that are one, or an entry of a dictionary.

    That is the entry `key`, where key is None the only one; DataError where there is no such.
    """
    if isinstance(outputs, Tensor):
        return outputs
    keys = ", ".join(repr(name) for name in outputs) or "none"
    if key is None:
        if len(outputs) != 1:
            raise DataError(
                f"the networks' outputs have {len(outputs)} keys ({keys}) and the task names none "
                "of them; set the task's output to the one it measures"
            )
        return next(iter(outputs.values()))
    if key not in outputs:
        raise DataError(
            f"the networks' outputs have no key {key!r}; they have {keys}, "
            "set the task's output to one of these"
        )
    return outputs[key]


def nonfinite(outputs: Tensor) -> Tensor:
    """Return (n,) bool: the samples whose outputs, (n, ...), hold NaN or infinity."""
    parts = torch.split(outputs, max(1, CHECKED // prod(outputs.shape[1:])))
    return torch.cat([(~torch.isfinite(part)).reshape(len(part), -1).any(1) for part in parts])


def check_finite(outputs: Tensor) -> None:
    """Raise DataError, naming the first sample, where (n, ...) outputs hold NaN or infinity."""
    bad = nonfinite(outputs).nonzero()
    if len(bad):
        raise DataError(
            f"NaN or infinity in the outputs of {len(bad)} of {len(outputs)} samples, the first is "
            f"sample {int(bad[0])}; expected finite numbers, choose another subnetwork or fit its "
            "stitches again"
        )


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


def reliability(logits: Tensor, labels: Tensor) -> Tensor:
    """Return (bins, 3) float64 sums by confidence, of (n, classes) logits and (n,) labels.

    Bins of confidence, the softmax of the class predicted, are of equal width from 0 to 1, each
    with its upper end. The sums over the samples of each are of 1, of the confidence, and of
    whether the class is right; `netstitch.analysis.calibration` reads them.
    """
    sure, found = predicted(logits)
    sure = sure.double()
    bin_of = (sure * BINS).ceil().long().clamp(1, BINS) - 1
    rows = torch.stack([torch.ones_like(sure), (sure * GRAIN).round(), (found == labels).double()])
    sums = torch.zeros(3, BINS, dtype=torch.float64, device=logits.device)
    sums.index_add_(1, bin_of, rows)
    sums[1] /= GRAIN
    return sums.T.contiguous()
