"""A network's way from the task's images to its own is part of the network."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import netstitch as ns
from netstitch.errors import CaptureError
from netstitch.networks import adapted

OWN = {"mean": (0.2, 0.3, 0.4), "std": (0.5, 0.6, 0.7)}
TASK = {"task_mean": (0.485, 0.456, 0.406), "task_std": (0.229, 0.224, 0.225)}


def convolutional(width: int) -> nn.Module:
    torch.manual_seed(width)
    return nn.Sequential(
        nn.Conv2d(3, width, 3, 2, 1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, 4),
    ).eval()


def normalised(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    return (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


@pytest.mark.parametrize("size", [None, 8, 6, 12])
def test_an_adapted_network_gives_what_it_gives_on_its_own_images(size: int | None) -> None:
    model = convolutional(5)
    images = torch.rand(3, 3, 8, 8)
    own = normalised(images, OWN["mean"], OWN["std"])
    if size not in (None, 8):
        own = functional.interpolate(own, (size, size), mode="bilinear", antialias=size < 8)
    network = adapted(model, **OWN, **TASK, size=size)
    task = normalised(images, TASK["task_mean"], TASK["task_std"])
    assert torch.allclose(network(task), model(own), atol=1e-5)
    assert not model._forward_pre_hooks  # the model itself is as it was
    captured = ns.capture(network, task[:2])
    assert torch.allclose(captured(task), model(own), atol=1e-5)


def test_a_subnetwork_of_one_network_carries_only_its_adapter(tmp_path: Path) -> None:
    example = torch.rand(2, 3, 8, 8)
    one = ns.capture(adapted(convolutional(5), **OWN, size=12), example, name="one")
    other = ns.capture(convolutional(6), example, name="other")
    supernet = ns.Supernet([one, other], ns.match(one, other))
    images = torch.rand(5, 3, 8, 8)
    for name, network in (("one", one), ("other", other)):
        subnetwork = supernet.subnetwork(supernet.genotype(name))
        assert torch.allclose(subnetwork(images), network(images), atol=1e-6)
        held = [key for key in subnetwork.state_dict() if "adapter" in key]
        assert len(held) == (2 if name == "one" else 0)
    supernet.save(tmp_path / "supernet")
    loaded = ns.load(tmp_path / "supernet")
    ensemble = supernet.genotype("ensemble")
    assert torch.equal(loaded.subnetwork(ensemble)(images), supernet.subnetwork(ensemble)(images))


def test_images_in_a_networks_own_form_are_no_points() -> None:
    example = torch.rand(2, 3, 8, 8)
    plain = ns.capture(convolutional(5), example)
    own = ns.capture(adapted(convolutional(5), **OWN, size=12), example)
    assert [p.path for p in own.graph.points] == [p.path for p in plain.graph.points]


@pytest.mark.parametrize(
    "settings",
    [
        {"mean": (0.5,), "std": (0.5,)},
        {"mean": (0.5,) * 3, "std": (0.5, 0.0, 0.5)},
        {"mean": (0.5,) * 3, "std": (0.5,) * 3, "size": 0},
    ],
)
def test_numbers_that_do_not_fit(settings: dict[str, object]) -> None:
    with pytest.raises(CaptureError, match="give one number for each"):
        adapted(convolutional(5), **settings)  # type: ignore[arg-type]


def test_a_network_is_adapted_once() -> None:
    with pytest.raises(CaptureError, match="is adapted already"):
        adapted(adapted(convolutional(5), **OWN), **OWN)
