"""Public architectures, with random weights and small inputs, are captured and have sane points."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from networks_examples import operations
from torch import Tensor, nn

from netstitch.files.documents import validated
from netstitch.networks import Network, capture
from netstitch.networks.network_files import GraphDocument, graph_to_json, to_graph
from netstitch.networks.operations import KINDS
from netstitch.networks.sources.model_sources import load_model

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
    path = Path("graph.json")
    document = validated(graph_to_json(network.graph), GraphDocument, path)
    assert to_graph(document, path) == network.graph
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
    # As `python benchmarks/capturing.py` found them, give or take a tenth.
    "convmixer_768_32": (64, 207, 254, {}),
    "cs3darknet_focus_s": (64, 105, 129, {}),
    "deit_tiny_patch16_224": (224, 2, 4, {}),
    "dla46x_c": (64, 151, 185, {}),
    "dpn48b": (64, 249, 305, {}),
    "efficientformer_l1": (224, 153, 189, {}),
    "ghostnet_050": (64, 16, 20, {}),
    "gmlp_ti16_224": (224, 2, 4, {}),
    "hardcorenas_b": (64, 169, 207, {}),
    "hrnet_w18_small": (64, 284, 348, {}),
    "inception_next_atto": (64, 163, 201, {}),
    "legacy_seresnet18": (64, 112, 138, {}),
    "legacy_xception": (64, 151, 185, {}),
    "mobilevit_xxs": (64, 90, 112, {}),
    "pit_ti_224": (224, 7, 9, {}),
    "pvt_v2_b0": (64, 37, 47, {}),
    "repghostnet_050": (64, 288, 354, {}),
    "res2next50": (64, 341, 417, {}),
    "resnest14d": (64, 79, 97, {}),
    "resnetv2_18": (64, 59, 73, {}),
    "rexnet_100": (64, 261, 321, {}),
    "selecsls42": (64, 118, 146, {}),
    "skresnet18": (64, 10, 14, {}),
    "swiftformer_xs": (64, 149, 183, {}),
    "tresnet_m": (64, 285, 349, {}),
    "vgg11": (64, 26, 32, {}),
    "visformer_tiny": (224, 123, 151, {}),
    "vit_tiny_r_s16_p8_224": (224, 8, 10, {}),
    "xception41p": (64, 162, 199, {}),
}
TORCHVISION: dict[str, tuple[int, int, int]] = {
    "alexnet": (64, 15, 25),
    "mnasnet0_5": (64, 120, 180),
    "shufflenet_v2_x0_5": (64, 100, 300),
    "squeezenet1_1": (64, 50, 90),
    "googlenet": (64, 150, 260),
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
@pytest.mark.parametrize("name", TORCHVISION)
def test_heavy_ones_of_torchvision(name: str) -> None:
    torch.manual_seed(0)
    size, fewest, most = TORCHVISION[name]
    model = load_model(f"torchvision:{name}")
    network = check(model, size)
    assert fewest <= len(network.graph.points) <= most, len(network.graph.points)


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
