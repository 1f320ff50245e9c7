"""The networks of the demo of version 0.x: a ResNet and a MobileNet-like one for Fashion-MNIST.

Both were trained on all 55,000 images (20 and 24 epochs, shifted and mirrored images), so that
neither beats the other and their ensemble gains little. Their weights lie in benchmarks/weights.
"""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from netstitch.demo.demo_networks import CLASSES, BasicBlock, InvertedResidual, Normalise, normed

WEIGHTS = Path(__file__).parent / "weights"


class SmallResNet(nn.Module):
    """A ResNet of five residual blocks, 2.6 million multiply-adds an image."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.stem = normed(1, 12, 3, 2, nn.ReLU)
        self.layer1 = nn.Sequential(BasicBlock(12, 12, 1))
        self.layer2 = nn.Sequential(BasicBlock(12, 24, 2), BasicBlock(24, 24, 1))
        self.layer3 = nn.Sequential(BasicBlock(24, 48, 2), BasicBlock(48, 48, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(48, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(self.normalise(x))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(self.flatten(self.pool(x)))
        return logits


class SmallMobileNet(nn.Module):
    """Seven inverted residuals with squeeze-excitation, 1.5 million multiply-adds an image."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.stem = normed(1, 12, 3, 2, nn.ReLU)
        plan = [(12, 12, 2, 1), (12, 24, 3, 2), (24, 24, 3, 1), (24, 24, 3, 1)]
        plan += [(24, 40, 4, 2), (40, 40, 4, 1), (40, 40, 4, 1)]
        self.features = nn.Sequential(*(InvertedResidual(*row) for row in plan))
        self.head = normed(40, 160, activation=nn.Hardswish)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(160, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.features(self.stem(self.normalise(x))))
        logits: Tensor = self.classifier(self.flatten(self.pool(x)))
        return logits


def trained(models: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """The models, with the weights that lie here under their names."""
    for name, model in models.items():
        model.load_state_dict(load_file(WEIGHTS / f"{name}.safetensors"))
    return models


def old_models() -> dict[str, nn.Module]:
    """The two networks, trained."""
    return trained({"resnet": SmallResNet(), "mobilenet": SmallMobileNet()})
