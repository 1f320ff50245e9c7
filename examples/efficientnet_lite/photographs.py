"""Crops of the photographs and textures that scikit-image, scikit-learn and matplotlib carry.

Crops of one picture are much alike, so each picture is in one part only: what is measured is how
networks behave on pictures that neither fitting nor the search has seen.
"""

from pathlib import Path

import matplotlib
import numpy as np
import skimage
import sklearn
import torch
from PIL import Image
from torch import Tensor

from netstitch.tasks import Preprocessing

SIZE = 128
"""A third of the work of 224 pixels, at which they were trained; they still know what they see."""
LARGEST, SMALLEST = 1.0, 0.15
"""The largest and smallest share of the picture's area that a crop shows."""

FOLDERS = {
    "skimage": Path(skimage.__file__).parent / "data",
    "sklearn": Path(sklearn.__file__).parent / "datasets" / "images",
    "matplotlib": Path(matplotlib.get_data_path()) / "sample_data",
}
PARTS = {
    "training": [
        "skimage/astronaut.png", "skimage/brick.png", "skimage/cell.png", "skimage/coins.png",
        "skimage/clock_motion.png", "skimage/grass.png", "skimage/gravel.png", "skimage/ihc.png",
        "skimage/hubble_deep_field.jpg", "skimage/moon.png", "skimage/motorcycle_left.png",
        "skimage/page.png", "skimage/retina.jpg", "skimage/text.png", "sklearn/flower.jpg",
        "skimage/horse.png",
    ],
    "validation": ["skimage/camera.png", "skimage/chelsea.png", "sklearn/china.jpg"],
    "test": ["skimage/coffee.png", "skimage/rocket.jpg", "matplotlib/grace_hopper.jpg"],
}  # fmt: skip
OBVIOUS = {
    "skimage/camera.png": "tripod",
    "skimage/chelsea.png": "cat",
    "skimage/coffee.png": "espresso",
    "skimage/motorcycle_left.png": "moped",
    "sklearn/china.jpg": "palace",
}
"""A word of the class that anybody would give."""

# What the networks were trained with.
prepare = Preprocessing(size=224, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
prepare_crop = Preprocessing(size=SIZE, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), crop=1.0)


def training() -> Tensor:
    return crops("training", 384)


def validation() -> Tensor:
    return crops("validation", 128)


def test() -> Tensor:
    return crops("test", 128)


def crops(part: str, count: int) -> Tensor:
    """(count, 3, SIZE, SIZE) random crops, half of them mirrored, of a part's pictures in turn."""
    pictures = [picture(name) for name in PARTS[part]]
    random = np.random.default_rng([len(part), count])
    return torch.stack([crop(pictures[i % len(pictures)], random) for i in range(count)])


def crop(image: Image.Image, random: np.random.Generator) -> Tensor:
    edge = min(image.size)
    side = max(32, round(edge * random.uniform(SMALLEST, LARGEST) ** 0.5))
    left, top = (int(random.integers(0, room - side + 1)) for room in image.size)
    values = prepare_crop(image.crop((left, top, left + side, top + side)))
    return values.flip(2) if random.random() < 0.5 else values


def picture(name: str) -> Image.Image:
    """A picture such as "skimage/coffee.png"."""
    package, _, file = name.partition("/")
    with Image.open(FOLDERS[package] / file) as opened:
        opened.load()
        return opened.convert("RGB")
