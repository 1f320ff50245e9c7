"""The error of given layers on held-out samples, by running them."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from netstitch.fitting.feature_stream import (
    Features,
    check_finite,
    check_shapes,
    layouts,
    places,
)
from netstitch.fitting.solve import varies
from netstitch.stitching.stitch import FeatureRef, Stitch


class TargetVariance:
    """Mean and summed squared deviation of a point's features, gathered batch by batch.

    The batches are merged as in `Moments`.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(1, dtype=torch.float64)
        self.deviation = 0.0

    def add(self, values: Tensor) -> None:
        """values: (observations, features)."""
        count = values.shape[0]
        own = values.double().cpu()
        mean = own.mean(0)
        shift = mean - self.mean
        total = self.count + count
        self.deviation += float(((own - mean) ** 2).sum())
        self.deviation += float(shift @ shift.expand_as(mean)) * self.count * count / total
        self.mean = self.mean + shift * (count / total)
        self.count = total


@torch.no_grad()
def held_out_errors(
    stitches: Sequence[Stitch],
    layers: Sequence[nn.Module],
    features: Features,
    batches: Iterable[Tensor],
) -> list[float | None]:
    """|target - layer(source)|^2 / |target - mean of target|^2 per stitch, over all batches.

    None where a target does not vary, as for `relative_error`. batches: inputs (batch, ...).
    """
    wanted = places(stitches)
    spreads: dict[FeatureRef, TargetVariance] = {
        stitch.target: TargetVariance() for stitch in stitches
    }
    errors = [0.0] * len(stitches)
    layout = layouts(stitches)
    for number, values in enumerate(batches, start=1):
        found = dict(zip(wanted, features(values, wanted), strict=True))
        check_shapes(found, stitches, len(values))
        check_finite(found, values, f"held-out batch {number}")
        every = torch.arange(len(values))
        for place, spread in spreads.items():
            spread.add(layout[place].rows(found[place], every.to(found[place].device)))
        for i, (stitch, layer) in enumerate(zip(stitches, layers, strict=True)):
            difference = layer(found[stitch.source].float()) - found[stitch.target]
            errors[i] += float((difference**2).sum(dtype=torch.float64))
    return [
        error / spread.deviation if varies(spread.deviation / spread.count, spread.mean) else None
        for error, spread in zip(errors, (spreads[s.target] for s in stitches), strict=True)
    ]
