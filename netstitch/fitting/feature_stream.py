"""From batches and the basis networks to checked features, and which samples are held out."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import floor

import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.files.alignment import aligned
from netstitch.networks.feature_layout import FeatureLayout
from netstitch.networks.inputs import Batch as Batch
from netstitch.networks.inputs import read_batches
from netstitch.stitching.stitch import FeatureRef, Stitch

Features = Callable[[Tensor, Sequence[FeatureRef]], list[Tensor]]
"""Runs the basis networks on inputs (batch, ...) in inference mode and returns the original values
of the points asked for: (batch, features) or (batch, features, height, width), float32."""

Progress = Callable[[int, int | None, str], None]
"""Called with what is done, the total where it is known, and a line of text."""


def inputs(batches: Iterable[Batch]) -> Iterator[tuple[int, Tensor]]:
    """The numbers of the batches, from 1, and their inputs in aligned memory.

    Empty batches are passed over.

    Raises FittingError where a batch does not hold floating-point inputs.
    """
    return ((number, values) for number, values, _ in inputs_and_rest(batches))


def inputs_and_rest(batches: Iterable[Batch]) -> Iterator[tuple[int, Tensor, tuple[Tensor, ...]]]:
    """As `inputs`, with what else the batches hold, such as labels."""
    for number, values, rest in read_batches(batches, FittingError):
        if len(values):
            yield number, aligned(values), rest


def split(start: int, count: int, holdout: float) -> tuple[Tensor, Tensor]:
    """Indices of a batch's samples that are fitted on, and of those held out.

    start: how many samples the stream gave before. count: samples in the batch. holdout: share of
    the samples held out; they are spread evenly over the stream, for 1/8 every eighth sample, so
    that the split depends neither on the batches nor on chance.
    """
    held = [
        i for i in range(count) if floor((start + i + 1) * holdout) > floor((start + i) * holdout)
    ]
    chosen = torch.zeros(count, dtype=torch.bool)
    chosen[held] = True
    return torch.nonzero(~chosen).flatten(), torch.nonzero(chosen).flatten()


def check_holdout(holdout: float) -> None:
    """FittingError where a share is not over 0 and at most 0.5."""
    if not 0 < holdout <= 0.5:
        raise FittingError(
            f"holdout is {holdout}: expected the share of samples to keep for measuring errors, "
            "over 0 and at most 0.5"
        )


def check_samples(fitted: int, held_out: int, holdout: float) -> None:
    """FittingError where no samples came, or too few to fit on and to measure errors on."""
    if fitted + held_out == 0:
        raise FittingError("the batches hold no samples: give at least one batch of inputs")
    if held_out < 2 or fitted < 2:
        raise FittingError(
            f"the batches hold {fitted + held_out} samples: holding out {holdout:g} of them takes "
            f"at least {-floor(-2 / holdout)}; give more samples or raise holdout"
        )


def check_stitches(stitches: Sequence[Stitch], layers: Sequence[torch.nn.Module]) -> None:
    """FittingError where there is nothing to fit, or not one layer per stitch."""
    if not stitches:
        raise FittingError("there are no stitches to fit: the matching is empty")
    if len(stitches) != len(layers):
        raise FittingError(
            f"{len(stitches)} stitches and {len(layers)} layers: expected one layer per stitch"
        )


def places(stitches: Iterable[Stitch]) -> list[FeatureRef]:
    """The points that stitches read or fit, each once, in order of first use."""
    return list(dict.fromkeys(place for s in stitches for place in (s.source, s.target)))


def sizes(stitches: Iterable[Stitch]) -> dict[FeatureRef, int]:
    """Features of every point that stitches read or fit."""
    return {
        place: size
        for s in stitches
        for place, size in ((s.source, s.inputs), (s.target, s.outputs))
    }


def layouts(stitches: Iterable[Stitch]) -> dict[FeatureRef, FeatureLayout]:
    """Return how every point that stitches read or fit holds its features."""
    return {place: s.layout for s in stitches for place in (s.source, s.target)}


def image_bytes(stitches: Iterable[Stitch]) -> int:
    """Bytes of the features that stitches read or fit, for one image."""
    numbers = {
        place: size * s.positions
        for s in stitches
        for place, size in ((s.source, s.inputs), (s.target, s.outputs))
    }
    return 4 * sum(numbers.values())


def cut(values: Tensor, bytes_of_one: int, memory_budget: int) -> Iterator[Tensor]:
    """A batch in parts, in order, of as many images as fit the budget (bytes), but one at least.

    bytes_of_one: what is held for one image, `image_bytes` where it is the features alone. A batch
    that fits whole comes as it is.
    """
    count = max(1, memory_budget // max(1, bytes_of_one))
    return (values[start : start + count] for start in range(0, len(values), count))


def name(place: FeatureRef) -> str:
    """How messages call a point."""
    return f"point '{place.point}' of network {place.network}"


def check_finite(found: dict[FeatureRef, Tensor], values: Tensor, where: str) -> None:
    """FittingError where features are not finite, naming the point and where.

    found: features of points. values: the inputs. where: what to call these inputs.
    """
    if not values.isfinite().all():
        raise FittingError(f"{where} holds NaN or infinity: clean the inputs")
    for place, features in found.items():
        if not features.isfinite().all():
            raise FittingError(
                f"{name(place)} gives NaN or infinity on {where}: "
                "check the network's weights and how the inputs are normalised"
            )


def check_shapes(found: dict[FeatureRef, Tensor], stitches: Sequence[Stitch], count: int) -> None:
    """FittingError where features do not have the shapes that the stitches join."""
    width, layout = sizes(stitches), layouts(stitches)
    for place, features in found.items():
        if not layout[place].holds(features, count, width[place]):
            raise FittingError(
                f"{name(place)} has shape {tuple(features.shape)}: expected {count} samples "
                f"with {width[place]} features; make the supernet again from these networks"
            )
    for s in stitches:
        start, end = (s.layout.sizes(found[place].shape) for place in (s.source, s.target))
        if start != end:
            raise FittingError(
                f"{name(s.source)} has size {start} and "
                f"{name(s.target)} has {end}: stitched points "
                "need equal height and width; use inputs of the size that the networks were "
                "captured at"
            )
