"""The coordinates in which stitches are trained.

A stitch's weights act on features that are correlated and of very different sizes, so equal steps
in all weights are steps of very different consequence. Training therefore moves V and c of

    y = S (V L (x - m) + c),

where m is the mean of the source's features, L turns them into uncorrelated ones of equal size, and
S holds the target's standard deviations. Steps in V are then steps of like consequence everywhere,
as in the Kronecker-factored natural gradient (Martens and Grosse, 2015, the input's factor), and
one learning rate serves all stitches. The map itself is the same linear map.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.fitting.feature_stream import (
    Features,
    check_finite,
    check_shapes,
    cut,
    image_bytes,
    layouts,
    places,
    sizes,
)
from netstitch.fitting.moments import POSITIONS, Moments
from netstitch.stitching.stitch import FeatureRef, Stitch

SMOOTHING = 0.1
"""Share of the mean variance added to every direction, so that the faint ones are not blown up."""

IMAGES = 512
"""Images that the features' sizes and correlations are estimated on."""


@dataclass(frozen=True)
class Preconditioner:
    """One stitch's change of coordinates.

    whiten: L (inputs, inputs), or its diagonal (inputs,). centre: m (inputs,).
    scale: diagonal of S (outputs,).
    """

    whiten: Tensor
    centre: Tensor
    scale: Tensor

    def to(self, device: torch.device) -> "Preconditioner":
        """The same on another device."""
        return Preconditioner(self.whiten.to(device), self.centre.to(device), self.scale.to(device))

    def weights(self, inner: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        """V (outputs, inputs) and c (outputs,) as the layer's weight and bias."""
        whitened = inner * self.whiten if self.whiten.ndim == 1 else inner @ self.whiten
        weight = self.scale[:, None] * whitened
        return weight, self.scale * offset - weight @ self.centre

    def inner(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The reverse of `weights`."""
        offset = (bias + weight @ self.centre) / self.scale
        scaled = weight / self.scale[:, None]
        if self.whiten.ndim == 1:
            return scaled / self.whiten, offset
        return torch.linalg.solve(self.whiten.double(), scaled.double(), left=False).float(), offset

    def gradients(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Gradients of V and c from those of the layer's weight and bias."""
        centred = self.scale[:, None] * (weight - torch.outer(bias, self.centre))
        inner = centred * self.whiten if self.whiten.ndim == 1 else centred @ self.whiten.T
        return inner, self.scale * bias


def make_preconditioner(
    stitches: Sequence[Stitch],
    features: Features,
    batches: Iterable[Tensor],
    *,
    memory_budget: int,
) -> list[Preconditioner]:
    """The coordinates of every stitch, from its points' original features.

    batches: inputs (batch, ...), passed over once.
    memory_budget: bytes for matrices L and, before them, for the features' products; stitches
        whose own do not fit beside those before them get diagonal ones. As many bytes again may be
        features: a batch whose features take more is read in parts.
    """
    wanted = places(stitches)
    width = sizes(stitches)
    sources = list(dict.fromkeys(stitch.source for stitch in stitches))
    whole = _whole({p: width[p] for p in sources}, memory_budget)
    moments = {p: Moments([width[p]], []) for p in whole}
    spreads = {p: _SourceVariance(width[p]) for p in wanted if p not in whole}
    for number, batch in enumerate(batches, start=1):
        for values in cut(batch, image_bytes(stitches), memory_budget):
            _add(moments, spreads, stitches, features, values, f"batch {number}")
    variance = {
        p: moments[p].product(0, 0).diagonal() / moments[p].count
        if p in whole
        else spreads[p].variance
        for p in wanted
    }
    mean = {p: moments[p].means[0] if p in whole else spreads[p].mean for p in wanted}
    whiten = {
        p: _whitening(moments[p].product(0, 0) / moments[p].count if p in whole else variance[p])
        for p in sources
    }
    return [
        Preconditioner(whiten[s.source], mean[s.source].float(), _scale(variance[s.target]))
        for s in stitches
    ]


def _whole(widths: Mapping[FeatureRef, int], memory_budget: int) -> set[FeatureRef]:
    """The sources whose matrices are held whole: in order, each that the others leave room for."""
    whole, used = set(), 0
    for place, width in widths.items():
        needed = 16 * width**2  # products in float64, then L and its copy in float32
        if used + needed <= memory_budget:
            whole.add(place)
            used += needed
    return whole


def _add(
    moments: Mapping[FeatureRef, Moments],
    spreads: Mapping[FeatureRef, "_SourceVariance"],
    stitches: Sequence[Stitch],
    features: Features,
    values: Tensor,
    where: str,
) -> None:
    """Take in the features of some inputs; where: what messages call these.

    A function of its own, so that features are let go before the next ones are read.
    """
    wanted = places(stitches)
    found = dict(zip(wanted, features(values, wanted), strict=True))
    check_shapes(found, stitches, len(values))
    check_finite(found, values, where)
    every, layout = torch.arange(len(values)), layouts(stitches)
    for place in wanted:
        part = layout[place].rows(found[place], every.to(found[place].device), POSITIONS)
        (moments[place].add([part]) if place in moments else spreads[place].add(part))


def _whitening(covariance: Tensor) -> Tensor:
    """L of a covariance (n, n): principal directions, scaled; or of variances (n,) its diagonal."""
    if covariance.ndim == 1:
        return (covariance + SMOOTHING * _positive(covariance.mean())).rsqrt().float()
    variances, directions = torch.linalg.eigh(covariance)
    variances = variances.clamp_min(0) + SMOOTHING * _positive(variances.mean())
    whitening: Tensor = (directions * variances.rsqrt()).T.contiguous().float()
    return whitening


def _scale(variances: Tensor) -> Tensor:
    """Standard deviations, smoothed, so that a feature that hardly varies can still move."""
    return (variances + 1e-6 * _positive(variances.mean())).sqrt().float()


def _positive(value: Tensor) -> Tensor:
    """A constant point has no size of its own; 1 is as good as any."""
    return torch.where(value > 0, value, torch.ones_like(value))


class _SourceVariance:
    """Means and variances of features, gathered batch by batch as in `Moments`."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean = torch.zeros(width, dtype=torch.float64)
        self._sum = torch.zeros(width, dtype=torch.float64)

    def add(self, values: Tensor) -> None:
        own = values.double()
        count, mean = len(own), own.mean(0).cpu()
        total = self.count + count
        shift = mean - self.mean
        self._sum += ((own - own.mean(0)) ** 2).sum(0).cpu()
        self._sum += shift**2 * (self.count * count / total)
        self.mean += shift * (count / total)
        self.count = total

    @property
    def variance(self) -> Tensor:
        return self._sum / self.count
