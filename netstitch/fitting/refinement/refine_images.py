"""The images that stitches are refined, chosen and judged on: three parts, none in two of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import (
    Batch,
    check_finite,
    check_samples,
    inputs_and_rest,
    split,
)
from netstitch.text import one_line


@dataclass(frozen=True)
class Examples:
    """Inputs (n, ...), with labels (n, ...) where the batches hold them."""

    inputs: Tensor
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, indices: Tensor) -> "Examples":
        """Return those of some indices."""
        return Examples(self.inputs[indices], None if self.labels is None else self.labels[indices])

    def first(self, count: int) -> "Examples":
        """Return the first `count` of them at most."""
        return self.take(torch.arange(min(count, len(self))))

    def spread(self, count: int) -> "Examples":
        """Return `count` of them at most, spread evenly."""
        return self.take(torch.linspace(0, len(self) - 1, min(count, len(self))).round().long())

    def batches(self, size: int) -> Iterator["Examples"]:
        """Yield consecutive parts of at most `size`, as equal as can be."""
        if len(self):
            for part in torch.arange(len(self)).tensor_split(ceil(len(self) / size)):
                yield self.take(part)


@dataclass(frozen=True)
class ImageParts:
    """Images to train on, to choose stitches by, and to report on.

    Attributes:
        left_out: Number of images that did not fit into memory.
    """

    train: Examples
    choose: Examples
    report: Examples
    left_out: int

    def draw(self, size: int, position: int, seed: int) -> Examples:
        """Return `size` images to train on, `position` images into an endless, shuffled stream.

        Each pass over the images has an order of its own, drawn from the seed and the number of
        the pass, so that the stream can be entered anywhere.
        """
        count = len(self.train)
        chosen: list[Tensor] = []
        while size > 0:
            number, start = divmod(position, count)
            generator = torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)
            order = torch.randperm(count, generator=generator)
            chosen.append(order[start : start + size])
            position += len(chosen[-1])
            size -= len(chosen[-1])
        return self.train.take(torch.cat(chosen))


def read_parts(
    batches: Iterable[Batch], *, holdout: float, memory_budget: int, labels: bool
) -> ImageParts:
    """Read batches once and split their images.

    Args:
        batches: Inputs (batch, ...), or (inputs, labels) pairs.
        holdout: Share held out, spread evenly over the images; every other one of these is for
            choosing, the rest for reporting.
        memory_budget: Bytes of inputs and labels to hold; images beyond are counted, not kept.
        labels: Whether to keep the second element of each batch too.

    Raises:
        FittingError: Batches hold no inputs, too few, NaN or infinity, inputs of different shapes,
            or lack labels that are asked for.
    """
    train, choose, report = list[Examples](), list[Examples](), list[Examples]()
    used = left_out = count = held_out = 0
    shape: tuple[int, ...] = ()
    for number, values, rest in inputs_and_rest(batches):
        shape = shape or tuple(values.shape[1:])
        if tuple(values.shape[1:]) != shape:
            raise FittingError(
                f"batch {number} holds inputs of shape {tuple(values.shape[1:])}, those before it "
                f"{shape}: give all inputs the same shape"
            )
        check_finite({}, values, f"batch {number}")
        example = Examples(values, _labels(rest, number, len(values)) if labels else None)
        used += values.nbytes + (0 if example.labels is None else example.labels.nbytes)
        if used > memory_budget and count:
            left_out += len(values)
            continue
        fitted, held = split(count, len(values), holdout)
        train.append(example.take(fitted))
        choose.append(example.take(held[held_out % 2 :: 2]))
        report.append(example.take(held[1 - held_out % 2 :: 2]))
        count, held_out = count + len(values), held_out + len(held)
    check_samples(count - held_out, held_out, holdout, least=4)
    return ImageParts(_joined(train), _joined(choose), _joined(report), left_out)


def _joined(parts: list[Examples]) -> Examples:
    """Return all examples together, and empty the list."""
    labels = [each.labels for each in parts if each.labels is not None]
    inputs = torch.cat([each.inputs for each in parts])
    parts.clear()
    try:
        return Examples(inputs, torch.cat(labels) if labels else None)
    except (RuntimeError, TypeError) as error:
        raise FittingError(
            f"labels of the batches do not go together ({one_line(error)}): give all of them the "
            "same shape and type"
        ) from error


def _labels(rest: tuple[Tensor, ...], number: int, count: int) -> Tensor:
    labels = rest[0] if rest else None
    if not isinstance(labels, Tensor) or len(labels) != count:
        raise FittingError(
            f"batch {number} holds no labels for its {count} inputs: give (inputs, labels) pairs, "
            "or a loss that needs none, such as 'outputs'"
        )
    return labels
