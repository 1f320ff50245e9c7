"""The demo's trained networks and images, as the experiment `demo` names them."""

from collections.abc import Callable, Sequence
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from netstitch.demo.demo_networks import DenseNetwork, InvertedNetwork, ResidualNetwork
from netstitch.demo.fashion_mnist import read_idx, to_images
from netstitch.experiments import find_experiment, read_experiment
from netstitch.experiments import load_task as load_experiment_task
from netstitch.tasks import Classification

Arrays = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Images (n, 1, 28, 28) with values in [0, 1], and their classes (n,)."""

PAIR = ("inverted", "residual")
"""The two networks that the experiment `demo` joins."""


def inverted() -> nn.Module:
    """Return the inverted network, trained on a third of 55,000 images."""
    return _trained("inverted", InvertedNetwork)


def dense() -> nn.Module:
    """Return the dense network, trained on another third."""
    return _trained("dense", DenseNetwork)


def residual() -> nn.Module:
    """Return the residual network, trained on the last third."""
    return _trained("residual", ResidualNetwork)


NETWORKS = {"inverted": inverted, "dense": dense, "residual": residual}


def training() -> Arrays:
    """Return 4,096 images for the stitches, a third of them trained on by each network."""
    return _images("stitching")


def held_out() -> Arrays:
    """Return 5,000 images that no network has seen, for the search."""
    return _images("held-out")


def test() -> Arrays:
    """Return all 10,000 test images."""
    return _images("test")


def load_models(names: Sequence[str] = PAIR) -> dict[str, nn.Module]:
    """Return networks by name, by default the two that `netstitch demo` joins."""
    return {name: NETWORKS[name]() for name in names}


def load_task() -> Classification:
    """Return the classification of the images."""
    task = load_experiment_task(read_experiment(find_experiment("demo")))
    assert isinstance(task, Classification)
    return task


def _trained(name: str, build: Callable[[], nn.Module]) -> nn.Module:
    model = build()
    with as_file(files("netstitch.demo") / "data" / f"{name}.safetensors") as path:
        model.load_state_dict(load_file(path))
    return model


def _images(part: str) -> Arrays:
    with as_file(files("netstitch.demo") / "data") as folder:
        images = to_images(read_idx(folder / f"{part}-images.idx.xz"))
        return images, read_idx(folder / f"{part}-labels.idx.xz").astype(np.int64)
