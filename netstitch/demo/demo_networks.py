"""The three small networks of the demo, of three families.

They read Fashion-MNIST images, (batch, 1, 28, 28) float32 in [0, 1], normalise them, and halve
them in the stem, so that their feature maps are 14, 7 and 4 pixels wide: the sizes at which a 1x1
convolution can join them. One has inverted residuals with squeeze-excitation and hard swish
(Howard et al., 2019), one layers that read all before them (Huang et al., 2017), one blocks beside
a shortcut (He et al., 2016).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

MEAN, DEVIATION = 0.2860, 0.3530  # of the training images' pixels
CLASSES = 10


class Normalise(nn.Module):
    """Centre and scale pixels; a part of the network, so that a stitched network carries it too."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (x - mean) / deviation."""
        return (x - MEAN) / DEVIATION


def normed(
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


def _classifier(channels: int) -> nn.Sequential:
    """Return the layers that make logits (b, 10) of features (b, channels, h, w)."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES))


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
        self.expand = normed(inputs, hidden, activation=activation)
        self.filter = normed(hidden, hidden, 3, stride, activation, groups=hidden)
        self.se = SqueezeExcitation(hidden)
        self.project = normed(hidden, outputs)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y: Tensor = self.project(self.se(self.filter(self.expand(x))))
        return x + y if self.shortcut else y


class InvertedNetwork(nn.Module):
    """Four inverted residuals with squeeze-excitation, 0.9 million multiply-adds an image."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.stem = normed(1, 12, 3, 2, nn.ReLU)
        plan = [(12, 24, 3, 2), (24, 24, 3, 1), (24, 40, 4, 2), (40, 40, 4, 1)]
        self.features = nn.Sequential(*(InvertedResidual(*row) for row in plan))
        self.head = normed(40, 160, activation=nn.Hardswish)
        self.classifier = _classifier(160)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (b, 10) of images (b, 1, 28, 28)."""
        x = self.head(self.features(self.stem(self.normalise(x))))
        logits: Tensor = self.classifier(x)
        return logits


class DenseLayer(nn.Module):
    """Channels, and new ones computed of all of them; (b, n, h, w) -> (b, n + growth, h, w)."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(inputs, growth, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels, and behind them the new ones."""
        return torch.cat([x, self.conv(self.relu(self.norm(x)))], 1)


class Transition(nn.Module):
    """Fewer channels, at half the size; (b, n, h, w) -> (b, m, h / 2, w / 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.relu = nn.ReLU()
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.pool = nn.AvgPool2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels at half the size, rounded up."""
        halved: Tensor = self.pool(self.conv(self.relu(self.norm(x))))
        return halved


class DenseNetwork(nn.Module):
    """Three dense layers at each of three sizes, 2.3 million multiply-adds an image."""

    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.stem = nn.Conv2d(1, 16, 3, 2, 1, bias=False)
        self.features = nn.Sequential()
        channels = 16
        for growth, reduced in ((8, 24), (12, 40), (16, None)):
            for _ in range(3):
                self.features.append(DenseLayer(channels, growth))
                channels += growth
            if reduced is not None:
                self.features.append(Transition(channels, reduced))
                channels = reduced
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.classifier = _classifier(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (b, 10) of images (b, 1, 28, 28)."""
        x = self.features(self.stem(self.normalise(x)))
        logits: Tensor = self.classifier(self.relu(self.norm(x)))
        return logits


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
        self.downsample = normed(inputs, outputs, 1, stride) if other else None
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu1(self.bn1(self.conv1(x)))
        joined: Tensor = self.relu2(self.bn2(self.conv2(x)) + shortcut)
        return joined


class ResidualNetwork(nn.Module):
    """Residual blocks at three sizes; with its defaults 5.7 million multiply-adds an image."""

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 96), depth: int = 1) -> None:
        """Build the network, untrained.

        Args:
            widths: Channels at each of the sizes.
            depth: Blocks at each of the sizes.
        """
        super().__init__()
        self.normalise = Normalise()
        self.stem = normed(1, widths[0], 3, 2, nn.ReLU)
        self.layers = nn.Sequential(
            *(BasicBlock(widths[0], widths[0], 1) for _ in range(depth)),
        )
        for inputs, outputs in pairwise(widths):
            self.layers.append(BasicBlock(inputs, outputs, 2))
            self.layers.extend(BasicBlock(outputs, outputs, 1) for _ in range(depth - 1))
        self.classifier = _classifier(widths[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (b, 10) of images (b, 1, 28, 28)."""
        logits: Tensor = self.classifier(self.layers(self.stem(self.normalise(x))))
        return logits


def example() -> Tensor:
    """Return two blank images in the shape that the networks read."""
    return torch.zeros(2, 1, 28, 28)
