"""The layers of stitches: writing fitted maps into them, and measuring their errors."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from netstitch.fitting.feature_stream import Features, Layer, check_finite, points_of, read_features
from netstitch.fitting.moments import MeanVariance
from netstitch.fitting.solve import varies
from netstitch.stitching.stitch import Stitch


def write_layers(layers: Sequence[Layer], maps: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Copy a (weight, bias) pair into each layer, and freeze the layers.

    When the writing is cut short, by Ctrl-C for example, the layers get their old values back.
    """
    old = [(layer.weight.detach().clone(), bias_of(layer).detach().clone()) for layer in layers]
    try:
        _copy(layers, maps)
    except BaseException:
        _copy(layers, old)
        raise
    for layer in layers:
        layer.requires_grad_(False)
        layer.weight.grad = None
        bias_of(layer).grad = None


def bias_of(layer: Layer) -> Tensor:
    """Return the bias of a layer; every stitch has one."""
    assert layer.bias is not None
    return layer.bias


def _copy(layers: Sequence[Layer], maps: Sequence[tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for layer, (weight, bias) in zip(layers, maps, strict=True):
            layer.weight.copy_(weight.reshape(layer.weight.shape))
            bias_of(layer).copy_(bias)


@torch.no_grad()
def held_out_errors(
    stitches: Sequence[Stitch],
    layers: Sequence[Layer],
    features: Features,
    batches: Iterable[Tensor],
) -> list[float | None]:
    """Run the layers on held-out samples and return each stitch's relative error.

    That is |target - layer(source)|^2 / |target - mean of target|^2 over all batches of inputs,
    and None where a target does not vary, as of `solve.relative_error`.
    """
    points = points_of(stitches)
    variances = {stitch.target: MeanVariance() for stitch in stitches}
    errors = [0.0] * len(stitches)
    for number, values in enumerate(batches, start=1):
        found = read_features(stitches, features, values)
        check_finite(found, values, f"held-out batch {number}")
        for point, variance in variances.items():
            every = torch.arange(len(values), device=found[point].device)
            variance.add(points[point].layout.rows(found[point], every))
        for i, (stitch, layer) in enumerate(zip(stitches, layers, strict=True)):
            difference = layer(found[stitch.source].float()) - found[stitch.target]
            errors[i] += float((difference**2).sum(dtype=torch.float64))
    return [
        error / (target.count * target.total) if varies(target.total, target.mean) else None
        for error, target in zip(errors, (variances[s.target] for s in stitches), strict=True)
    ]
