import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from netstitch.errors import DataError
from netstitch.tasks import Preprocessing
from netstitch.tasks.datasets.preprocessing import to_colour


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(("width", "height"), [(40, 60), (60, 40), (32, 32), (10, 200)])
def test_as_torchvision_composes_it(width, height):
    preprocessing = Preprocessing(size=28)
    composed = v2.Compose(
        [
            v2.Resize(32, interpolation=v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(28),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(preprocessing.mean, preprocessing.std),
        ]
    )
    image = noise(width, height)
    result = preprocessing(image)
    assert type(result) is torch.Tensor
    assert torch.equal(result, composed(image))


def test_one_mean_makes_grey_inputs():
    result = Preprocessing(size=8, mean=(0.5,), std=(0.25,))(Image.new("RGB", (20, 20), "white"))
    assert result.shape == (1, 8, 8)
    assert result.unique().tolist() == [2.0]


@pytest.mark.parametrize(
    ("mode", "colour"),
    [("L", 255), ("1", 1), ("RGBA", "white"), ("CMYK", (0, 0, 0, 0)), ("LA", (255, 255))],
)
def test_white_is_white_in_every_mode(mode, colour):
    image = to_colour(Image.new(mode, (4, 4), colour))
    assert image.mode == "RGB"
    assert image.getextrema() == ((255, 255),) * 3


def test_sixteen_bits_are_scaled_and_not_clipped():
    grey = Image.fromarray(np.full((4, 4), 0x8000, np.uint16))
    assert to_colour(grey).getextrema() == ((128, 128),) * 3


def test_palettes_with_transparency_convert_without_a_warning(recwarn):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([10, 20, 30] * 256)
    image.info["transparency"] = b"\x00" * 256
    assert to_colour(image).getpixel((0, 0)) == (10, 20, 30)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "size is 0; expected 1 or more"),
        ({"crop": 0.0}, "crop is 0.0; expected more than 0"),
        ({"crop": 1.5}, "crop is 1.5; expected 1 or less"),
        ({"std": (0, 0, 0)}, "expected 1 .grey. or 3 .RGB. of each, and std above 0"),
        ({"mean": (0.5,)}, "mean has 1 values and std 3"),
    ],
)
def test_senseless_settings(settings, message):
    with pytest.raises(DataError, match=message):
        Preprocessing(**settings)
