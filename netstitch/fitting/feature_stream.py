"""From batches and the basis networks to checked features, and which samples are held out."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from math import floor

import torch
from torch import Tensor, nn

from netstitch.errors import FittingError
from netstitch.files.alignment import aligned
from netstitch.networks.feature_layout import FeatureLayout
from netstitch.networks.inputs import Batch as Batch
from netstitch.networks.inputs import read_batches
from netstitch.stitching.stitch import FeatureRef, Stitch

Features = Callable[[Tensor, Sequence[FeatureRef]], list[Tensor]]
"""Runs the basis networks on inputs (batch, ...) in inference mode and returns the original values
of the points asked for: (batch, features) or (batch, features, height, width), float32."""

Layer = nn.Linear | nn.Conv2d
"""The layer of a stitch."""

Progress = Callable[[int, int | None, str], None]
"""Called with what is done, the total where it is known, and a line of text."""


def inputs(batches: Iterable[Batch]) -> Iterator[tuple[int, Tensor]]:
    """Yield the numbers of the batches, from 1, and their inputs in aligned memory.

    Empty batches are skipped.

    Raises:
        FittingError: A batch does not hold floating-point inputs.
    """
    return ((number, values) for number, values, _ in inputs_and_rest(batches))


def inputs_and_rest(batches: Iterable[Batch]) -> Iterator[tuple[int, Tensor, tuple[Tensor, ...]]]:
    """Yield as `inputs` does, with what else the batches hold, such as labels."""
    for number, values, rest in read_batches(batches, FittingError):
        if len(values):
            yield number, aligned(values), rest


def count_batches(batches: Iterable[Batch]) -> int | None:
    """Return how many batches there are, None where that is not known before they are read."""
    try:
        return len(batches) if isinstance(batches, Sized) else None
    except TypeError:  # a loader of a data set without length
        return None


def split(start: int, count: int, holdout: float) -> tuple[Tensor, Tensor]:
    """Return the indices of a batch's samples that are fitted on, and of those held out.

    Held-out samples are spread evenly over the stream, for 1/8 every eighth sample, so that the
    split depends neither on the batches nor on chance.

    Args:
        start: How many samples the stream gave before.
        count: Samples in the batch.
        holdout: Share of the samples that is held out.
    """
    held = [
        i for i in range(count) if floor((start + i + 1) * holdout) > floor((start + i) * holdout)
    ]
    chosen = torch.zeros(count, dtype=torch.bool)
    chosen[held] = True
    return torch.nonzero(~chosen).flatten(), torch.nonzero(chosen).flatten()


def check_samples(fitted: int, held_out: int, holdout: float) -> None:
    """Raise FittingError for no samples, or too few to fit on and to measure errors on."""
    if fitted + held_out == 0:
        raise FittingError("the batches hold no samples: give at least one batch of inputs")
    if held_out < 2 or fitted < 2:
        raise FittingError(
            f"the batches hold {fitted + held_out} samples: holding out {holdout:g} of them takes "
            f"at least {-floor(-2 / holdout)}; give more samples or raise holdout"
        )


def check_stitches(stitches: Sequence[Stitch], layers: Sequence[nn.Module]) -> None:
    """Raise FittingError where there is nothing to fit, or not one layer per stitch."""
    if not stitches:
        raise FittingError("there are no stitches to fit: the matching is empty")
    if len(stitches) != len(layers):
        raise FittingError(
            f"{len(stitches)} stitches and {len(layers)} layers: expected one layer per stitch"
        )


def points_of(stitches: Iterable[Stitch]) -> list[FeatureRef]:
    """Return the points that stitches read or fit, each once, in order of first use."""
    return list(dict.fromkeys(point for s in stitches for point in (s.source, s.target)))


def sizes(stitches: Iterable[Stitch]) -> dict[FeatureRef, int]:
    """Return the number of features of every point that stitches read or fit."""
    return {
        point: size
        for s in stitches
        for point, size in ((s.source, s.inputs), (s.target, s.outputs))
    }


def layouts(stitches: Iterable[Stitch]) -> dict[FeatureRef, FeatureLayout]:
    """Return how every point that stitches read or fit holds its features."""
    return {place: s.layout for s in stitches for place in (s.source, s.target)}


def image_bytes(stitches: Iterable[Stitch]) -> int:
    """Return the bytes of the features that stitches read or fit, for one image."""
    numbers = {
        point: size * s.positions
        for s in stitches
        for point, size in ((s.source, s.inputs), (s.target, s.outputs))
    }
    return 4 * sum(numbers.values())


def cut(values: Tensor, bytes_of_one: int, memory_budget: int) -> Iterator[Tensor]:
    """Yield consecutive parts of a batch that fit the memory, one image at least.

    A batch that fits whole comes as it is.

    Args:
        values: Inputs (batch, ...).
        bytes_of_one: Bytes held for one image, `image_bytes` where that is the features alone.
        memory_budget: Bytes that may be held.
    """
    count = max(1, memory_budget // max(1, bytes_of_one))
    return (values[start : start + count] for start in range(0, len(values), count))


def read_features(
    stitches: Sequence[Stitch], features: Features, values: Tensor
) -> dict[FeatureRef, Tensor]:
    """Return the original values of all points of stitches on inputs (batch, ...).

    Raises:
        FittingError: A point's features do not have the shape that the stitches join.
    """
    points = points_of(stitches)
    found = dict(zip(points, features(values, points), strict=True))
    check_shapes(found, stitches, len(values))
    return found


def check_finite(found: dict[FeatureRef, Tensor], values: Tensor, where: str) -> None:
    """Raise FittingError, naming the point, where features are not finite.

    Args:
        found: Features of points.
        values: The inputs that they were computed from.
        where: What messages call these inputs.
    """
    if not values.isfinite().all():
        raise FittingError(f"{where} holds NaN or infinity: clean the inputs")
    for point, features in found.items():
        if not features.isfinite().all():
            raise FittingError(
                f"{_name(point)} gives NaN or infinity on {where}: "
                "check the network's weights and how the inputs are normalised"
            )


def check_shapes(found: dict[FeatureRef, Tensor], stitches: Sequence[Stitch], count: int) -> None:
    """Raise FittingError where features of `count` samples do not have the stitches' shapes."""
    width, layout = sizes(stitches), layouts(stitches)
    for point, features in found.items():
        if not layout[point].holds(features, count, width[point]):
            raise FittingError(
                f"{_name(point)} has shape {tuple(features.shape)}: expected {count} samples "
                f"with {width[point]} features; make the supernet again from these networks"
            )
    for s in stitches:
        start, end = (s.layout.sizes(found[place].shape) for place in (s.source, s.target))
        if start != end:
            raise FittingError(
                f"{_name(s.source)} has size {start} and {_name(s.target)} has {end}: stitched "
                "points need equal height and width; use inputs of the size that the networks "
                "were captured at"
            )


def _name(point: FeatureRef) -> str:
    return f"point '{point.point}' of network {point.network}"
