"""Random views of images, in which refining sees them: crops, and mirror images.

They make many images of few. Teacher and stitched network see the same view, and labels of maps
move with their images.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.fit_settings import FittingSettings
from netstitch.fitting.refinement.behaviour_losses import VOID
from netstitch.fitting.refinement.refine_images import Examples
from netstitch.networks.graph import Dimension

NO_CLASS = -100
"""The label of pixels that do not count, in maps of whole numbers other than bytes."""

STREAM = 5
"""Sets the numbers that views are drawn from apart from others of the same seed."""


class Views(FittingSettings):
    """Random views of images; without any setting they are the images themselves."""

    called = "views"

    padding: int = Field(default=0, ge=0)
    """Pixels added at each edge, before a part of the image's size is cut out at random; 0 to cut
    nothing."""
    fill: Literal["edge", "zero"] = "edge"
    """The added pixels: those at the 'edge' again, or 'zero'."""
    flip: bool = False
    """Mirror half of the images, left to right."""

    @property
    def some(self) -> bool:
        """True where a view may be something else than its image."""
        return self.padding > 0 or self.flip

    def check_images(self, shape: Sequence[Dimension]) -> None:
        """Raise FittingError unless inputs of a shape, (batch, ...), can be seen in such views."""
        if not self.some:
            return
        if len(shape) != 4:
            raise FittingError(
                "views are of images, (batch, channels, height, width), and inputs have shape "
                f"({', '.join(map(str, shape))}): leave the views out"
            )
        height, width = shape[-2:]
        if self.fill == "zero" and any(
            isinstance(size, int) and self.padding >= size for size in (height, width)
        ):
            raise FittingError(
                f"padding of views is {self.padding}, and images have {height} x {width} pixels, "
                "so that a view may have none of them: give less"
            )

    def check_labels(self, examples: Examples) -> None:
        """Raise FittingError unless labels stay as they are, or are maps to be moved."""
        labels = examples.labels
        if not self.some or labels is None or labels.ndim == 1:
            return
        if labels.shape[-2:] != examples.inputs.shape[-2:] or labels.is_floating_point():
            raise FittingError(
                f"labels {str(labels.dtype).removeprefix('torch.')} {tuple(labels.shape)} cannot "
                f"follow the views of inputs {tuple(examples.inputs.shape)}: expected class "
                "numbers (batch,), or maps of them of the images' height and width; leave the "
                "views out"
            )


AS_THEY_ARE = Views()
"""No views but the images themselves."""


def viewed(examples: Examples, views: Views, seed: int, position: int) -> Examples:
    """Return each image in a view of its own, with its label; labels of maps are moved likewise.

    What is drawn depends on the seed and the batch's position among all images alone, so that
    training can go on from anywhere.
    """
    if not views.some:
        return examples
    inputs, labels = examples.inputs, examples.labels
    generator = np.random.default_rng([seed, STREAM, position])
    places = _places(inputs, views, generator)
    zero = views.fill == "zero"
    seen = _moved(inputs, *places, 0 if zero else None)
    if labels is not None and labels.ndim > 1:
        none = VOID if labels.dtype == torch.uint8 else NO_CLASS
        labels = _moved(labels, *places, none if zero else None)
    return Examples(seen, labels)


def _places(inputs: Tensor, views: Views, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return the row (n, height) and the column (n, width) that each pixel of a view is from.

    Those outside the image are negative, or as many as there are and more.
    """
    count, (height, width) = len(inputs), inputs.shape[-2:]
    drawn = generator.integers(-views.padding, views.padding, (2, count), endpoint=True)
    top, left = torch.from_numpy(drawn).to(inputs.device)
    rows = top[:, None] + torch.arange(height, device=top.device)
    columns = left[:, None] + torch.arange(width, device=top.device)
    if views.flip:
        mirrored = torch.from_numpy(generator.random(count) < 0.5).to(top.device)
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    return rows, columns


def _moved(values: Tensor, rows: Tensor, columns: Tensor, outside: int | None) -> Tensor:
    """Return (n, ..., height, width) values of these rows and columns.

    What is outside becomes a number, or the nearest value at the edge where there is none.
    """
    height, width = values.shape[-2:]
    every = torch.arange(len(values), device=rows.device)[:, None, None]
    near = every, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]
    found = values.movedim((-2, -1), (1, 2))[near]
    if outside is not None:
        kept = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
        found[~(kept[0][:, :, None] & kept[1][:, None, :])] = outside
    return found.movedim((1, 2), (-2, -1))
