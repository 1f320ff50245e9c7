"""Feature layouts: the axis of the channels, the sizes that must agree, the layer that translates.

With one more in `LAYOUTS`, tensors of it are points, and matched, stitched, fitted and exported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

BATCH = "batch"
"""The symbolic size of dimension 0; derived sizes are expressions of it, such as "49*batch"."""

Dimension = int | str
"""A static size, or an expression of the batch size."""

StitchLayer = nn.Linear | nn.Conv2d
"""A linear map of features, with a bias."""


@dataclass(frozen=True)
class FeatureLayout:
    """One way for a tensor to hold features.

    A stitch translates channels, and does so alike at every position of the other axes.

    Attributes:
        name: what messages call a point of this layout.
        axes: names of the axes, the batch first; the channels are called "c".
        operation: what a stitch between points of this layout computes.
        kernel: sizes of a stitch's weight behind (outputs, inputs): those of a convolution, or
            none where a linear layer translates the last axis.
    """

    name: str
    axes: tuple[str, ...]
    operation: str
    kernel: tuple[()] | tuple[int, int] = ()

    @property
    def channels(self) -> int:
        """The axis of the channels."""
        return self.axes.index("c")

    def sizes(self, shape: Sequence[Dimension]) -> tuple[Dimension, ...]:
        """Return the sizes that must agree between two points: all but batch and channels."""
        return tuple(size for axis, size in enumerate(shape) if axis > 0 and axis != self.channels)

    def described(self, shape: Sequence[Dimension]) -> str:
        """Return the name for points of a shape, such as "maps of 7x7"."""
        sizes = self.sizes(shape)
        return f"{self.name}s" + (f" of {'x'.join(map(str, sizes))}" if sizes else "")

    def holds(self, features: Tensor, count: int, width: int) -> bool:
        """Return whether a tensor has this layout, for so many samples and channels."""
        shape = features.shape
        return len(shape) == len(self.axes) and (shape[0], shape[self.channels]) == (count, width)

    def layer(self, inputs: int, outputs: int) -> StitchLayer:
        """Return a new stitch between so many channels, with PyTorch's own initial weights."""
        if self.kernel:
            return nn.Conv2d(inputs, outputs, self.kernel)
        return nn.Linear(inputs, outputs)

    def rows(
        self, features: Tensor, samples: Tensor, positions: int | None = None, seed: int = 0
    ) -> Tensor:
        """Return the chosen samples' features as (observations, channels), a row for each position.

        Every position counts as an observation, since a stitch maps positions one by one. Rows are
        float32, in memory that may be overwritten; their order never depends on strides.

        Args:
            features: a tensor of this layout.
            samples: int64 indices into the batch.
            positions: at most so many of each sample, drawn at random; the same ones for all
                samples, and for tensors of equal sizes and one seed. Neighbours are so much alike
                that more of them tell little. By default all.
            seed: of the draw.
        """
        width = features.shape[self.channels]
        last = features.movedim(self.channels, -1)
        count = prod(last.shape[1:-1])
        if positions is not None and count > positions:
            generator = torch.Generator().manual_seed(seed)
            drawn = torch.randperm(count, generator=generator)[:positions].sort().values
            drawn = drawn.to(features.device)
            if last.is_contiguous():
                chosen = last.flatten(1, -2)[samples[:, None], drawn]
            else:
                chosen = features.movedim(self.channels, 1).flatten(2)[samples[:, None], :, drawn]
            return chosen.float().reshape(-1, width)
        if len(self.axes) == 2 or last.is_contiguous():
            return last.index_select(0, samples).float().reshape(-1, width)
        # Positions stay the fastest axis: the transpose of a channel-major matrix costs nothing,
        # and matrix products take either.
        first = features.movedim(self.channels, 0)
        return first.index_select(1, samples).float().reshape(width, -1).T


VECTOR = FeatureLayout("vector", ("batch", "c"), "aten.linear.default")
MAP = FeatureLayout("map", ("batch", "c", "h", "w"), "aten.conv2d.default", kernel=(1, 1))
LAYOUTS = (VECTOR, MAP)


def find_layout(shape: Sequence[Dimension] | None, channels: int | None) -> FeatureLayout | None:
    """Return the layout of a tensor whose axis of channels is known; None where there is none."""
    rank = -1 if shape is None else len(shape)
    fitting = (each for each in LAYOUTS if (len(each.axes), each.channels) == (rank, channels))
    return next(fitting, None)


def stitchable(
    shape: Sequence[Dimension] | None, dtype: str | None, channels: int | None = 1
) -> bool:
    """Return whether stitches read tensors of this shape and type, whatever they hold."""
    return (
        shape is not None
        and find_layout(shape, channels) is not None
        and shape[0] == BATCH
        and all(isinstance(size, int) and size > 0 for size in shape[1:])
        and dtype == "float32"
    )
