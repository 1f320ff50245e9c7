"""The images that stitches are refined, chosen and judged on: three parts, none in two of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import floor

import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.stream import Batch, inputs_and_rest, split


@dataclass(frozen=True)
class Examples:
    """Inputs (n, ...), with labels (n, ...) where the batches hold them."""

    inputs: Tensor
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, indices: Tensor) -> "Examples":
        return Examples(self.inputs[indices], None if self.labels is None else self.labels[indices])

    def first(self, count: int) -> "Examples":
        return self.take(torch.arange(min(count, len(self))))

    def spread(self, count: int) -> "Examples":
        """So many at most, spread evenly."""
        return self.take(torch.linspace(0, len(self) - 1, min(count, len(self))).round().long())

    def batches(self, size: int) -> Iterator["Examples"]:
        """In consecutive parts of `size`, the last one smaller."""
        for start in range(0, len(self), size):
            yield self.take(torch.arange(start, min(start + size, len(self))))


@dataclass(frozen=True)
class Parts:
    """Images to train on, to choose stitches by, and to report on.

    left_out: images of the batches that did not fit into memory.
    """

    train: Examples
    choose: Examples
    report: Examples
    left_out: int

    def draw(self, size: int, position: int, seed: int) -> Examples:
        """`size` images to train on, `position` images into an endless, shuffled stream.

        Each pass over the images has an order of its own, drawn from the seed and the number of
        the pass, so that the stream can be entered anywhere.
        """
        count = len(self.train)
        chosen: list[Tensor] = []
        while size > 0:
            number, start = divmod(position, count)
            order = torch.randperm(count, generator=_generator(seed, number))
            chosen.append(order[start : start + size])
            position += len(chosen[-1])
            size -= len(chosen[-1])
        return self.train.take(torch.cat(chosen))


def _generator(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed((seed * 1_000_003 + number) % 2**63)


def read_parts(
    batches: Iterable[Batch], *, holdout: float, memory_budget: int, labels: bool
) -> Parts:
    """Read batches once and split their images.

    holdout: share held out, spread evenly over the images; every other one of these is for
        choosing, the rest for reporting.
    memory_budget: bytes of inputs and labels to hold; what comes after is counted, not kept.
    labels: keep the second element of each batch too.

    Raises FittingError where batches hold no inputs, too few, or lack labels that are asked for.
    """
    kept: list[Examples] = []
    used = left_out = 0
    for number, values, rest in inputs_and_rest(batches):
        example = Examples(values, _labels(rest, number, len(values)) if labels else None)
        used += values.nbytes + (0 if example.labels is None else example.labels.nbytes)
        if used > memory_budget and kept:
            left_out += len(values)
        else:
            kept.append(example)
    if not kept:
        raise FittingError("the batches hold no samples: give at least one batch of inputs")
    everything = Examples(
        torch.cat([each.inputs for each in kept]),
        torch.cat([each.labels for each in kept if each.labels is not None]) if labels else None,
    )
    train, held = split(0, len(everything), holdout)
    if len(train) < 2 or len(held) < 4:
        raise FittingError(
            f"{len(everything)} samples are held in memory: holding out {holdout:g} of them takes "
            f"at least {-floor(-4 / holdout)}; give more samples, or raise holdout or memory_budget"
        )
    return Parts(
        everything.take(train),
        everything.take(held[0::2]),
        everything.take(held[1::2]),
        left_out,
    )


def _labels(rest: tuple[Tensor, ...], number: int, count: int) -> Tensor:
    labels = rest[0] if rest else None
    if not isinstance(labels, Tensor) or len(labels) != count:
        raise FittingError(
            f"batch {number} holds no labels for its {count} inputs: give (inputs, labels) pairs, "
            "or a loss that needs none, such as 'outputs'"
        )
    return labels
