"""Public architectures, with random weights and small inputs, are captured and have sane points."""

from typing import Any

import pytest
import torch
import torchvision
from networks_examples import operations
from torch import Tensor, nn

from netstitch.networks import Network, capture
from netstitch.networks.operations import KINDS

timm = pytest.importorskip("timm")


def check(model: nn.Module, size: int) -> Network:
    model.eval()
    generator = torch.Generator().manual_seed(1)
    network = capture(model, torch.randn(2, 3, size, size, generator=generator))
    with torch.no_grad():
        for count in (1, 4):
            batch = torch.randn(count, 3, size, size, generator=generator)
            found, expected = network(batch), model(batch)
            if isinstance(expected, Tensor):
                found, expected = {"": found}, {"": expected}
            for key in expected:
                scale = expected[key].abs().max()
                assert (found[key] - expected[key]).abs().max() <= 1e-4 * scale
    assert set(operations(network)) <= {*KINDS, "input", "weight"}
    for point in network.graph.points:
        assert point.shape is not None
        assert len(point.shape) in (2, 4)
        assert point.shape[0] == "batch"
    return network


def build(name: str, **options: object) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, pretrained=False, num_classes=7, **options)  # type: ignore[no-any-return]


# Points expected of each, as found by reading the architectures: every convolution, norm,
# activation, sum and pooling of convolutional networks; of vision transformers only the patch
# embedding and what follows the pooling of tokens.
QUICK: dict[str, tuple[int, int, int, dict[str, Any]]] = {
    "resnet18": (64, 60, 75, {}),
    # 4 blocks of 7, a stem of 2, 3 times 2 between the stages, a head of 4.
    "convnext_atto": (64, 40, 40, {"depths": (1, 1, 1, 1)}),
    "vit_tiny_patch16_224": (32, 2, 8, {"img_size": 32, "depth": 2}),
}
HEAVY: dict[str, tuple[int, int, int, dict[str, Any]]] = {
    "mobilenetv3_small_050": (64, 110, 210, {}),
    "mixer_s32_224": (64, 2, 8, {"img_size": 64}),
    "efficientnet_b0": (64, 200, 350, {}),
    "densenet121": (64, 350, 600, {}),
    "regnetx_002": (64, 100, 200, {}),
    "swin_tiny_patch4_window7_224": (224, 1, 10, {}),
    "levit_128s": (224, 2, 120, {}),
    "poolformer_s12": (64, 40, 200, {}),
    "edgenext_xx_small": (64, 20, 120, {}),
    "inception_v3": (96, 250, 400, {}),
    "coatnet_0_rw_224": (224, 30, 200, {}),
}


def check_timm(name: str, row: tuple[int, int, int, dict[str, Any]]) -> Network:
    size, fewest, most, options = row
    network = check(build(name, **options), size)
    assert fewest <= len(network.graph.points) <= most, len(network.graph.points)
    return network


@pytest.mark.parametrize("name", QUICK)
def test_quick_ones(name: str) -> None:
    network = check_timm(name, QUICK[name])
    if name == "resnet18":
        assert network.graph.by_name["layer3_0_conv2_conv2d"].path == "layer3.0.conv2"
        assert "layer3.0.conv2.weight" in network.weights


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_heavy_ones(name: str) -> None:
    check_timm(name, HEAVY[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"])
def test_segmentation_networks_return_dictionaries(name: str) -> None:
    torch.manual_seed(0)
    options = {"aux_loss": True} if name.startswith("deeplab") else {}
    model = getattr(torchvision.models.segmentation, name)(
        weights=None, weights_backbone=None, num_classes=3, **options
    )
    network = check(model, 64)
    expected = ("out", "aux") if options else ("out",)
    assert network.graph.output_keys == expected
