"""The demo's embedded data and trained networks."""

from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from safetensors.torch import load_file
from torch import nn

from netstitch.demo.demo_networks import CLASSES, mobilenet, resnet
from netstitch.demo.fashion_mnist import read_idx, to_images
from netstitch.tasks import Classification, Samples, from_arrays

MODELS: dict[str, Callable[[], nn.Module]] = {"resnet": resnet, "mobilenet": mobilenet}


def load_task() -> Classification:
    """Classify Fashion-MNIST: 4,096 images for stitches, 2,048 for the search, 10,000 to test."""
    with as_file(files("netstitch.demo") / "data") as folder:
        return Classification(
            training=_samples(folder, "stitching"),
            validation=_samples(folder, "validation"),
            test=_samples(folder, "test"),
            classes=CLASSES,
        )


def load_models() -> dict[str, nn.Module]:
    """The two networks by name, trained on 55,000 other images than the search sees."""
    models = {}
    with as_file(files("netstitch.demo") / "data") as folder:
        for name, build in MODELS.items():
            models[name] = build()
            models[name].load_state_dict(load_file(folder / f"{name}.safetensors"))
    return models


def _samples(folder: Path, part: str) -> Samples:
    images = to_images(read_idx(folder / f"{part}-images.idx.xz"))
    labels = read_idx(folder / f"{part}-labels.idx.xz").astype(np.int64)
    return from_arrays(images, labels, name=part)
