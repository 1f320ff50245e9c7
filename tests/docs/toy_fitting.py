"""A fitting method: every stitch gives the mean of what it stands for, times a number."""

from collections.abc import Iterable, Sequence
from time import perf_counter

import torch
from pydantic import Field

from netstitch.fitting.feature_stream import (
    Batch,
    Features,
    Layer,
    ProgressCallback,
    check_samples,
    inputs,
    read_features,
    split,
)
from netstitch.fitting.fit_report import FitReport, StitchFit
from netstitch.fitting.fit_settings import FittingSettings, Holdout
from netstitch.fitting.stitch_layers import held_out_errors, write_layers
from netstitch.stitching.stitch import Stitch


class ToySettings(FittingSettings):
    """Settings of `fit_toy`."""

    called = "toy"

    factor: float = Field(default=1.0, gt=0, description="what means are multiplied by")
    holdout: Holdout = 0.125


def fit_toy(
    stitches: Sequence[Stitch],
    layers: Sequence[Layer],
    features: Features,
    batches: Iterable[Batch],
    settings: ToySettings,
    progress: ProgressCallback | None = None,
) -> FitReport:
    """Write into every layer no weight, and as its bias the mean of the features of its target."""
    begin = perf_counter()
    values = torch.cat([batch for _, batch in inputs(batches)])
    fitted, held = split(0, len(values), settings.holdout)
    check_samples(len(fitted), len(held), settings.holdout)
    found = read_features(stitches, features, values)
    means = [stitch.layout.rows(found[stitch.target], fitted).mean(0) for stitch in stitches]
    maps = [
        (torch.zeros(stitch.outputs, stitch.inputs), settings.factor * mean)
        for stitch, mean in zip(stitches, means, strict=True)
    ]
    write_layers(layers, maps)
    errors = held_out_errors(stitches, layers, features, [values[held]])
    if progress is not None:
        progress(1, 1, "toy")
    return FitReport(
        method="toy",
        settings=settings.model_dump(),
        samples=len(fitted),
        held_out=len(held),
        seconds=perf_counter() - begin,
        rows=tuple(
            StitchFit(stitch.match, stitch.source, stitch.target, error)
            for stitch, error in zip(stitches, errors, strict=True)
        ),
    )
