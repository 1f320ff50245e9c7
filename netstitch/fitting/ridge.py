"""The ridge of each stitch, chosen on samples that it is neither fitted on nor measured on.

How much a ridge helps depends on how many observations there are for the features, which differs
from point to point: a late point of 4,096 images has as many observations, an early one a hundred
times more. One eigendecomposition of a source's covariance gives the error of every ridge and every
target at the price of a few products, so that trying many costs little beside the pass over the
data.

On the demo's 92 stitches the mean held-out error is 0.4390 with 1e-4 for all and 0.4389 with chosen
ridges (the largest gain 0.005); of 512 images 0.4377 and 0.4370 (0.031). Ridges stronger than the
best, which give smaller maps, do not help where inputs come through other stitches: the accuracy of
subnetworks of 8 stitches falls from 28.8 % to 28.1 % and 26.6 % where 0.1 % and 1 % more error on
the samples chosen with are allowed.
"""

from collections.abc import Sequence
from math import floor

import torch
from torch import Tensor

from netstitch.fitting.moments import Moments
from netstitch.fitting.solve import covariance

RIDGES = tuple(10.0 ** (-half / 2) for half in range(13))
"""From 1 down to 1e-6 (strongest first), below which float32 products resolve nothing."""

FALLBACK = 1e-4
"""Where there are too few samples to choose with."""


def split_choosing(start: int, train: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Indices of a batch's training samples that are fitted on, and of those chosen with.

    start: how many training samples the stream gave before. train: indices into the batch, as
    from `stream.split`. share: of the training samples to choose with; they are spread evenly, for
    1/8 the fourth of every eight, so that neither the batches nor chance play a part.
    """
    chosen = [
        floor((start + i + 1) * share + 0.5) > floor((start + i) * share + 0.5)
        for i in range(len(train))
    ]
    choosing = torch.tensor(chosen, dtype=torch.bool)
    return train[~choosing], train[choosing]


def choose_ridges(
    fitted: Moments,
    choosing: Moments,
    source: int,
    targets: Sequence[int],
    ridges: Sequence[float] = RIDGES,
) -> list[float]:
    """For each target the ridge of the least error.

    fitted: moments of the samples that maps are solved on. choosing: of those that the maps'
        errors are measured on. ridges: relative to the source's mean variance, as in `solve`,
        over 0, the strongest first.
    """
    if fitted.count < 2 or choosing.count == 0:
        return [FALLBACK] * len(targets)
    inner, signal = covariance(fitted, source)
    variances, directions = torch.linalg.eigh(inner)
    added = torch.tensor(ridges, dtype=torch.float64) * inner.diagonal().mean()
    if not signal.any():
        return [ridges[0]] * len(targets)
    scales = 1 / (variances.clamp_min(0) + added[:, None])  # (ridges, n)
    # Errors are measured around the means of the fitted samples, which the maps go through.
    shift = choosing.means[source] - fitted.means[source]
    own = choosing.product(source, source) / choosing.count + torch.outer(shift, shift)
    own = directions.T @ own @ directions
    chosen = []
    for target in targets:
        cross = fitted.product(source, target) / fitted.count * signal[:, None]
        rotated = directions.T @ cross
        offset = choosing.means[target] - fitted.means[target]
        joint = choosing.product(source, target) / choosing.count + torch.outer(shift, offset)
        # With W = (directions diag(scale) rotated)^T, tr(W own W^T) - 2 tr(W joint), per scale.
        square = own * (rotated @ rotated.T)
        linear = (rotated * (directions.T @ joint)).sum(1)
        spread = choosing.product(target, target).trace() / choosing.count + offset @ offset
        errors = spread + ((scales @ square) * scales).sum(1) - 2 * scales @ linear
        chosen.append(ridges[int(errors.argmin())])
    return chosen
