"""The coordinates in which stitches are trained.

A stitch's weights act on features that are correlated and of very different sizes, so equal steps
in all weights are steps of very different consequence. Training therefore moves V and c of

    y = S (V L (x - m) + c),

where m is the mean of the source's features, L turns them into uncorrelated ones of equal size, and
S holds the target's standard deviations. Steps in V are then steps of like consequence everywhere,
as in the Kronecker-factored natural gradient (Martens and Grosse, 2015, the input's factor), and
one learning rate serves all stitches. The map itself is the same linear map.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.fitting.feature_stream import (
    Features,
    check_finite,
    cut,
    image_bytes,
    points_of,
    read_features,
)
from netstitch.fitting.moments import POSITIONS, MeanVariance, Moments
from netstitch.stitching.stitch import FeatureRef, Stitch

SMOOTHING = 0.1
"""Share of the mean variance added to every direction, so that the faint ones are not blown up."""

IMAGES = 512
"""Images that the features' sizes and correlations are estimated on."""


@dataclass(frozen=True)
class Preconditioner:
    """One stitch's change of coordinates.

    Attributes:
        whiten: L (inputs, inputs), or its diagonal (inputs,).
        centre: m (inputs,).
        scale: Diagonal of S (outputs,).
    """

    whiten: Tensor
    centre: Tensor
    scale: Tensor

    def weights(self, inner: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        """Return V (outputs, inputs) and c (outputs,) as the layer's weight and bias."""
        whitened = inner * self.whiten if self.whiten.ndim == 1 else inner @ self.whiten
        weight = self.scale[:, None] * whitened
        return weight, self.scale * offset - weight @ self.centre

    def inner(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return V and c of a layer's weight and bias."""
        offset = (bias + weight @ self.centre) / self.scale
        scaled = weight / self.scale[:, None]
        if self.whiten.ndim == 1:
            return scaled / self.whiten, offset
        return torch.linalg.solve(self.whiten.double(), scaled.double(), left=False).float(), offset

    def gradients(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return gradients of V and c from those of the layer's weight and bias."""
        centred = self.scale[:, None] * (weight - torch.outer(bias, self.centre))
        inner = centred * self.whiten if self.whiten.ndim == 1 else centred @ self.whiten.T
        return inner, self.scale * bias


def make_preconditioners(
    stitches: Sequence[Stitch],
    features: Features,
    batches: Iterable[Tensor],
    *,
    memory_budget: int,
) -> list[Preconditioner]:
    """Return the coordinates of every stitch, from its points' original features.

    Matrices L and, before them, the features' products take `memory_budget` bytes; stitches whose
    own do not fit beside those before them get diagonal ones. As many bytes again may be features:
    a batch (batch, ...) whose features take more is read in parts.
    """
    points = points_of(stitches)
    sources = list(dict.fromkeys(stitch.source for stitch in stitches))
    # Whole matrices of sources, in order, each that the others leave room for.
    moments: dict[FeatureRef, Moments] = {}
    used = 0
    for source in sources:
        needed = 16 * points[source].width ** 2  # products in float64, then L and its copy
        if used + needed <= memory_budget:
            moments[source] = Moments([points[source].width], [])
            used += needed
    variances = {p: MeanVariance() for p in points if p not in moments}
    for number, batch in enumerate(batches, start=1):
        for values in cut(batch, image_bytes(stitches), memory_budget):
            found = read_features(stitches, features, values)
            check_finite(found, values, f"batch {number}")
            for p, point in points.items():
                every = torch.arange(len(values), device=found[p].device)
                part = point.layout.rows(found[p], every, POSITIONS)
                moments[p].add([part]) if p in moments else variances[p].add(part)
            device = found[sources[0]].device
            del found, part  # before the next ones are read
    covariance = {p: each.product(0, 0) / each.count for p, each in moments.items()}
    mean = {p: moments[p].means[0] if p in moments else variances[p].mean for p in sources}
    variance = {
        p: covariance[p].diagonal() if p in moments else variances[p].variance for p in points
    }
    whiten = {p: _whitening(covariance.get(p, variance[p])).to(device) for p in sources}
    centre = {p: mean[p].float().to(device) for p in sources}
    return [
        Preconditioner(whiten[s.source], centre[s.source], _scale(variance[s.target]).to(device))
        for s in stitches
    ]


def _whitening(covariance: Tensor) -> Tensor:
    """Return L of a covariance (n, n), or its diagonal of variances (n,).

    These are the principal directions, scaled.
    """
    if covariance.ndim == 1:
        return (covariance + SMOOTHING * _positive(covariance.mean())).rsqrt().float()
    variances, directions = torch.linalg.eigh(covariance)
    variances = variances.clamp_min(0) + SMOOTHING * _positive(variances.mean())
    whitening: Tensor = (directions * variances.rsqrt()).T.contiguous().float()
    return whitening


def _scale(variances: Tensor) -> Tensor:
    """Return standard deviations, smoothed, so that a feature that hardly varies can still move."""
    return (variances + 1e-6 * _positive(variances.mean())).sqrt().float()


def _positive(value: Tensor) -> Tensor:
    """Return a size, 1 for that of a constant point, which has none of its own."""
    return torch.where(value > 0, value, torch.ones_like(value))
