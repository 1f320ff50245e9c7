"""The demo's trained networks and images, as the experiment `demo` names them."""

from collections.abc import Callable
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from netstitch.demo import demo_networks
from netstitch.demo.fashion_mnist import read_idx, to_images
from netstitch.tasks import Classification, from_arrays

Arrays = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Images (n, 1, 28, 28) with values in [0, 1], and their classes (n,)."""


def resnet() -> nn.Module:
    """Return the ResNet, trained on 55,000 other images than the search sees."""
    return _trained("resnet", demo_networks.resnet)


def mobilenet() -> nn.Module:
    """Return the MobileNet-like network, trained as the ResNet."""
    return _trained("mobilenet", demo_networks.mobilenet)


def training() -> Arrays:
    """Return 4,096 images that the networks were trained on, for the stitches."""
    return _images("stitching")


def validation() -> Arrays:
    """Return 2,048 images that the networks have not seen, for the search."""
    return _images("validation")


def test() -> Arrays:
    """Return all 10,000 test images."""
    return _images("test")


def load_models() -> dict[str, nn.Module]:
    """Return the two networks by name."""
    return {"resnet": resnet(), "mobilenet": mobilenet()}


def load_task() -> Classification:
    """Return the classification of the images."""
    return Classification(
        training=from_arrays(*training(), name="training"),
        validation=from_arrays(*validation(), name="validation"),
        test=from_arrays(*test(), name="test"),
        classes=demo_networks.CLASSES,
    )


def _trained(name: str, build: Callable[[], nn.Module]) -> nn.Module:
    model = build()
    with as_file(files("netstitch.demo") / "data" / f"{name}.safetensors") as path:
        model.load_state_dict(load_file(path))
    return model


def _images(part: str) -> Arrays:
    with as_file(files("netstitch.demo") / "data") as folder:
        images = to_images(read_idx(folder / f"{part}-images.idx.xz"))
        return images, read_idx(folder / f"{part}-labels.idx.xz").astype(np.int64)
