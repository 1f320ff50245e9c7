"""From an image of any mode and size to a network's input."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks.datasets.given import is_count

Interpolation = Literal["bicubic", "bilinear"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop the middle, scale to [0, 1], normalise: what ImageNet networks are tested with.

    The orientation that a camera noted is not applied, as torchvision and timm do not.

    Attributes:
        size: Edge of the square input in pixels.
        mean: Per channel, of values in [0, 1]; one value makes grey inputs, three make RGB.
        std: As `mean`.
        crop: The part of the resized image's shorter edge that the crop keeps.
        interpolation: Of the resizing.

    Raises:
        DataError: For settings that make no sense.
    """

    size: int = 224
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    crop: float = 0.875
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        numbers = (self.crop, *_numbers(self.mean), *_numbers(self.std))
        if not is_count(self.size) or not all(isinstance(one, Real) for one in numbers):
            raise DataError(
                f"preprocessing: size {self.size!r:.40}, crop {self.crop!r:.40}, mean "
                f"{self.mean!r:.40} and std {self.std!r:.40} do not fit; expected pixels of an "
                "edge, a number, and a list of numbers for mean and for std"
            )
        if self.interpolation not in get_args(Interpolation):
            raise DataError(
                f"preprocessing: interpolation {self.interpolation!r:.40} is not known; give "
                "'bicubic' or 'bilinear'"
            )
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
            raise DataError(
                f"preprocessing: mean has {len(self.mean)} values and std {len(self.std)}; "
                "expected 1 (grey) or 3 (RGB) of each"
            )
        if not 0 < self.crop <= 1 or min(self.std) <= 0:
            raise DataError(
                f"preprocessing: size {self.size}, crop {self.crop} and std {tuple(self.std)} do "
                "not fit; expected a size of 1 or more, a crop in (0, 1] and positive std"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """An input's channels, height and width."""
        return len(self.mean), self.size, self.size

    def __call__(self, image: Image.Image) -> Tensor:
        """Return the input of an image of any mode, (channels, size, size) float32."""
        # Here, not above: torchvision takes longer to import than all of this room.
        from torchvision.transforms.v2 import functional as images

        image = to_colour(image) if len(self.mean) == 3 else _to_eight_bits(image).convert("L")
        cropped = self._cropped(image, images.InterpolationMode(self.interpolation))
        values = images.to_dtype(images.to_image(cropped), torch.float32, scale=True)
        normalised: Tensor = images.normalize(values, list(self.mean), list(self.std))
        return normalised.as_subclass(Tensor)

    def mask(self, image: Image.Image) -> Tensor:
        """Return a label map as (size, size) uint8 class numbers, cropped as its image is.

        Each pixel has the class of the nearest one.

        Raises:
            DataError: For a map that has colours in the place of class numbers.
        """
        from torchvision.transforms.v2 import functional as images

        if image.mode not in ("P", "L"):
            raise DataError(
                f"is a label map of mode {image.mode}; expected class numbers in a palette or in "
                "grey, one byte each"
            )
        # A palette says which colour a class is shown in; its numbers are the classes.
        numbers = Image.fromarray(np.asarray(image))
        cropped = self._cropped(numbers, images.InterpolationMode.NEAREST)
        return torch.from_numpy(np.array(cropped))

    def _cropped(self, image: Image.Image, interpolation: Any) -> Any:
        from torchvision.transforms.v2 import functional as images

        edge = max(self.size, round(self.size / self.crop))
        resized = images.resize(image, [edge], interpolation=interpolation)
        return images.center_crop(resized, [self.size, self.size])


def to_colour(image: Image.Image) -> Image.Image:
    """Return the image as RGB, from grey, CMYK, palettes and 16-bit grey, without transparency.

    Raises:
        DataError: For images of floating-point numbers, of which nobody says what is white.
    """
    if image.mode == "F":
        raise DataError("holds floating-point numbers; expected bytes, convert it")
    image = _to_eight_bits(image)
    if "transparency" in image.info:
        image = image.convert("RGBA")  # straight to RGB Pillow warns
    return image.convert("RGB")


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey to bytes; Pillow's own conversion would clip everything over 255."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        values = np.asarray(image, dtype=np.int64)
        return Image.fromarray((values.clip(0, 65_535) >> 8).astype(np.uint8))
    return image


def _numbers(values: object) -> Sequence[object]:
    """Return what should be a list of numbers; something that is none where it is no list."""
    return values if isinstance(values, Sequence) and not isinstance(values, str) else (None,)
