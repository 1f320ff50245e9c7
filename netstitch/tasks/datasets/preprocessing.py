"""From an image of any mode and size to a network's input."""

from typing import Annotated, Literal, Self

import numpy as np
import torch
from PIL import Image
from pydantic import Field, model_validator
from torch import Tensor

from netstitch.errors import DataError
from netstitch.files.settings import Positive, Settings

Interpolation = Literal["bicubic", "bilinear"]
# A file has arrays where the settings have tuples; everything else is taken at its word.
PerChannel = Annotated[tuple[float, ...], Field(strict=False, min_length=1, max_length=3)]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Preprocessing(Settings):
    """Resize, crop the middle, scale to [0, 1], normalise: what ImageNet networks are tested with.

    The orientation that a camera noted is not applied, as torchvision and timm do not. Settings
    that make no sense raise a DataError.
    """

    refusal = DataError

    size: Positive = 224
    """Edge of the square input in pixels, for image folders."""
    crop: float = Field(default=0.875, gt=0, le=1)
    """Part of the resized image's shorter edge that is kept, for image folders."""
    interpolation: Interpolation = "bicubic"
    """The method of resizing, for image folders: 'bicubic' or 'bilinear'."""
    mean: PerChannel = IMAGENET_MEAN
    """Per channel, of values in [0, 1], for image folders, where one value makes grey inputs, and
    for arrays of bytes; by default ImageNet's for folders, and bytes are not normalised; refused
    beside floating-point arrays, unless [networks.images] has to know what they are normalised
    with."""
    std: PerChannel = IMAGENET_STD
    """Per channel, as mean, and by default as mean."""

    @model_validator(mode="after")
    def _alike(self) -> Self:
        if len(self.mean) != len(self.std) or len(self.mean) == 2 or min(self.std) <= 0:
            raise ValueError(
                f"mean has {len(self.mean)} values and std {len(self.std)}; expected 1 (grey) or 3 "
                "(RGB) of each, and std above 0"
            )
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """An input's channels, height and width."""
        return len(self.mean), self.size, self.size

    def __call__(self, image: Image.Image) -> Tensor:
        """Return the input of an image of any mode, (channels, size, size) float32."""
        # Here, not above: torchvision takes longer to import than all of this room.
        from torchvision.transforms.v2 import functional as images

        image = to_colour(image) if len(self.mean) == 3 else _to_eight_bits(image).convert("L")
        cropped = self._cropped(image, self.interpolation)
        values = images.to_dtype(images.to_image(cropped), torch.float32, scale=True)
        normalised: Tensor = images.normalize(values, list(self.mean), list(self.std))
        return normalised.as_subclass(Tensor)

    def mask(self, image: Image.Image) -> Tensor:
        """Return a label map as (size, size) uint8 class numbers, cropped as its image is.

        Each pixel has the class of the nearest one.

        Raises:
            DataError: For a map that has colours in the place of class numbers.
        """
        if image.mode not in ("P", "L"):
            raise DataError(
                f"is a label map of mode {image.mode}; expected class numbers in a palette or in "
                "grey, one byte each"
            )
        # A palette says which colour a class is shown in; its numbers are the classes.
        numbers = Image.fromarray(np.asarray(image))
        return torch.from_numpy(np.array(self._cropped(numbers, "nearest")))

    def _cropped(self, image: Image.Image, interpolation: str) -> Image.Image:
        from torchvision.transforms.v2 import functional as images

        edge = max(self.size, round(self.size / self.crop))
        kind = images.InterpolationMode(interpolation)
        resized = images.resize(image, [edge], interpolation=kind)
        cropped: Image.Image = images.center_crop(resized, [self.size, self.size])
        return cropped


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
