"""Folders of small images, for tests of what is read and what is not."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def paint(path: Path, seed: int = 0, **settings: object) -> Path:
    """A picture of noise in a file, whose ending says its kind; different for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise(seed).save(path, **settings)
    return path


def noise(seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    return Image.fromarray(values)


def class_folders(root: Path, names: Iterable[str], each: int = 2) -> Path:
    """A folder of images for each name, all of them different."""
    for label, name in enumerate(names):
        for index in range(each):
            paint(root / name / f"{index}.png", 100 * label + index)
    return root
