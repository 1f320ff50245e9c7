"""The two small networks of the demo: a ResNet and a MobileNet-like network.

Both read Fashion-MNIST images, (batch, 1, 28, 28) float32 in [0, 1], normalise them, and halve
them in the stem, so that their feature maps are 14, 7 and 4 pixels wide: the sizes at which a 1x1
convolution can join them. They come from different families on purpose: He et al. (2016), and
Howard et al. (2019) with inverted residuals, squeeze-excitation and hard swish.
"""

import torch
from torch import Tensor, nn

MEAN, DEVIATION = 0.2860, 0.3530  # of the training images' pixels
CLASSES = 10


class Normalise(nn.Module):
    """Centre and scale pixels; a part of the network, so that a stitched network carries it too."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (x - mean) / deviation."""
        return (x - MEAN) / DEVIATION


def _normed(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    activation: type[nn.Module] | None = None,
    groups: int = 1,
) -> nn.Sequential:
    """Return a convolution, which keeps sizes but for its stride, with what follows it."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        *([activation()] if activation is not None else []),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; (b, n, h, w) -> (b, m, h / stride, w / stride)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        other = stride != 1 or inputs != outputs
        self.downsample = _normed(inputs, outputs, 1, stride) if other else None
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu1(self.bn1(self.conv1(x)))
        joined: Tensor = self.relu2(self.bn2(self.conv2(x)) + shortcut)
        return joined


class SmallResNet(nn.Module):
    """A ResNet of five residual blocks, 2.6 million multiply-adds an image."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.stem = _normed(1, 12, 3, 2, nn.ReLU)
        self.layer1 = nn.Sequential(BasicBlock(12, 12, 1))
        self.layer2 = nn.Sequential(BasicBlock(12, 24, 2), BasicBlock(24, 24, 1))
        self.layer3 = nn.Sequential(BasicBlock(24, 48, 2), BasicBlock(48, 48, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(48, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (b, 10) of images (b, 1, 28, 28)."""
        x = self.stem(self.normalise(x))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(self.flatten(self.pool(x)))
        return logits


class SqueezeExcitation(nn.Module):
    """Scale every channel by a gate computed from all channels' means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(8, channels // 4)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.relu = nn.ReLU()
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels (b, n, h, w), scaled."""
        gates: Tensor = self.gate(self.expand(self.relu(self.reduce(self.pool(x)))))
        return x * gates


class InvertedResidual(nn.Module):
    """Expand, filter each channel, squeeze-excite, project; a shortcut where shapes allow it."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        # As in MobileNetV3, the wide and early maps take the cheaper activation.
        activation = nn.Hardswish if inputs > 24 else nn.ReLU
        self.expand = _normed(inputs, hidden, activation=activation)
        self.filter = _normed(hidden, hidden, 3, stride, activation, groups=hidden)
        self.se = SqueezeExcitation(hidden)
        self.project = _normed(hidden, outputs)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y: Tensor = self.project(self.se(self.filter(self.expand(x))))
        return x + y if self.shortcut else y


class SmallMobileNet(nn.Module):
    """Seven inverted residuals with squeeze-excitation, 1.5 million multiply-adds an image."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.stem = _normed(1, 12, 3, 2, nn.ReLU)
        plan = [(12, 12, 2, 1), (12, 24, 3, 2), (24, 24, 3, 1), (24, 24, 3, 1)]
        plan += [(24, 40, 4, 2), (40, 40, 4, 1), (40, 40, 4, 1)]
        self.features = nn.Sequential(*(InvertedResidual(*row) for row in plan))
        self.head = _normed(40, 160, activation=nn.Hardswish)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(160, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (b, 10) of images (b, 1, 28, 28)."""
        x = self.head(self.features(self.stem(self.normalise(x))))
        logits: Tensor = self.classifier(self.flatten(self.pool(x)))
        return logits


def resnet() -> nn.Module:
    """Return the demo's ResNet, untrained."""
    return SmallResNet()


def mobilenet() -> nn.Module:
    """Return the demo's MobileNet-like network, untrained."""
    return SmallMobileNet()


def example() -> Tensor:
    """Return two blank images in the shape that both networks read."""
    return torch.zeros(2, 1, 28, 28)
