"""From batches and the basis networks to checked features, and which samples are held out."""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from math import floor
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netstitch.errors import FittingError
from netstitch.events import ProgressCallback as ProgressCallback
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


def inputs(batches: Iterable[Batch]) -> Iterator[tuple[int, Tensor]]:
    """Yield the numbers of the batches, from 1, and their inputs in aligned memory.

    Empty batches are skipped; one without floating-point inputs raises FittingError.
    """
    return ((number, values) for number, values, _ in inputs_and_rest(batches))


def inputs_and_rest(batches: Iterable[Batch]) -> Iterator[tuple[int, Tensor, tuple[Tensor, ...]]]:
    """Yield as `inputs` does, with what else the batches hold, such as labels."""
    for number, values, rest in read_batches(batches, FittingError):
        if len(values):
            yield number, aligned(values), rest


def count_batches(batches: Iterable[Batch]) -> int | None:
    """Return the number of batches; None where that is not known before they are read."""
    try:
        return len(batches) if isinstance(batches, Sized) else None
    except TypeError:  # a loader of a data set without length
        return None


def split(start: int, count: int, holdout: float) -> tuple[Tensor, Tensor]:
    """Return the indices of a batch's samples that are fitted on, and of those held out.

    Held-out samples are spread evenly over the stream, for 1/8 every eighth sample, so that the
    split depends neither on the batches nor on chance. `start` is how many samples came before.
    """
    held = [
        i for i in range(count) if floor((start + i + 1) * holdout) > floor((start + i) * holdout)
    ]
    chosen = torch.zeros(count, dtype=torch.bool)
    chosen[held] = True
    return torch.nonzero(~chosen).flatten(), torch.nonzero(chosen).flatten()


def check_samples(fitted: int, held_out: int, holdout: float, *, least: int = 2) -> None:
    """Raise FittingError for no samples, or too few to fit on, or less than `least` held out."""
    if fitted + held_out == 0:
        raise FittingError("the batches hold no samples: give at least one batch of inputs")
    if held_out < least or fitted < 2:
        raise FittingError(
            f"the batches hold {fitted + held_out} samples: measuring errors on {holdout:g} of "
            f"them takes at least {-floor(-least / holdout)}; give more samples, or raise holdout, "
            "or memory_budget where more were given"
        )


def check_stitches(stitches: Sequence[Stitch], layers: Sequence[nn.Module]) -> None:
    """Raise FittingError where there is nothing to fit, or not one layer per stitch."""
    if not stitches:
        raise FittingError("there are no stitches to fit: the matching is empty")
    if len(stitches) != len(layers):
        raise FittingError(
            f"{len(stitches)} stitches and {len(layers)} layers: expected one layer per stitch"
        )


class MatchedPoint(NamedTuple):
    """The features of a point: their layout, how many there are, and at how many positions."""

    layout: FeatureLayout
    width: int
    positions: int


def points_of(stitches: Iterable[Stitch]) -> dict[FeatureRef, MatchedPoint]:
    """Return the points that stitches read or fit, each once, in order of first use."""
    found: dict[FeatureRef, MatchedPoint] = {}
    for s in stitches:
        found.setdefault(s.source, MatchedPoint(s.layout, s.inputs, s.positions))
        found.setdefault(s.target, MatchedPoint(s.layout, s.outputs, s.positions))
    return found


def image_bytes(stitches: Iterable[Stitch]) -> int:
    """Return the bytes of the features that stitches read or fit, for one image."""
    return 4 * sum(point.width * point.positions for point in points_of(stitches).values())


def cut(values: Tensor, bytes_of_one: int, memory_budget: int) -> Iterator[Tensor]:
    """Yield consecutive parts of a batch that fit the memory (bytes), one image at least."""
    count = max(1, memory_budget // max(1, bytes_of_one))
    return (values[start : start + count] for start in range(0, len(values), count))


def read_features(
    stitches: Sequence[Stitch], features: Features, values: Tensor
) -> dict[FeatureRef, Tensor]:
    """Return the original values of all points of stitches on inputs (batch, ...).

    Raises FittingError where these do not have the shapes that the stitches join.
    """
    points = list(points_of(stitches))
    found = dict(zip(points, features(values, points), strict=True))
    for s in stitches:
        ends = (found[s.source], found[s.target])
        sizes = {s.layout.sizes(end.shape) for end in ends}
        held = map(s.layout.holds, ends, (len(values),) * 2, (s.inputs, s.outputs))
        if not all(held) or len(sizes) > 1:
            raise FittingError(
                f"{_name(s.source)} has shape {tuple(ends[0].shape)} and {_name(s.target)} "
                f"{tuple(ends[1].shape)}: expected {len(values)} samples with {s.inputs} and "
                f"{s.outputs} features at equal positions; use inputs of the size that the "
                "networks were captured at, or make the supernet again from these networks"
            )
    return found


def check_finite(found: dict[FeatureRef, Tensor], values: Tensor, where: str) -> None:
    """Raise FittingError, naming the point, where features, or the inputs, are not finite."""
    if not values.isfinite().all():
        raise FittingError(f"{where} holds NaN or infinity: clean the inputs")
    for point, features in found.items():
        if not features.isfinite().all():
            raise FittingError(
                f"{_name(point)} gives NaN or infinity on {where}: "
                "check the network's weights and how the inputs are normalised"
            )


def _name(point: FeatureRef) -> str:
    return f"point '{point.point}' of network {point.network}"
