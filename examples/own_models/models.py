"""Two small networks of different families for the same task: name one of eight shapes.

Both read (batch, 1, 32, 32) floats in [0, 1] and put out (batch, 8) logits. netstitch calls
`resnet()` and `mobilenet()`, without arguments, and then loads the weights of experiment.toml.
"""

import torch
from torch import nn

CLASSES = 8


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """Feature maps of 16, 8 and 4 pixels (He et al., 2016)."""

    def __init__(self, widths=(10, 20, 40)):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 3, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.stage1 = ResidualBlock(widths[0], widths[0], 1)
        self.stage2 = nn.Sequential(
            ResidualBlock(widths[0], widths[1], 2), ResidualBlock(widths[1], widths[1], 1)
        )
        self.stage3 = ResidualBlock(widths[1], widths[2], 2)
        self.head = nn.Linear(widths[2], CLASSES)

    def forward(self, x):
        x = self.stage3(self.stage2(self.stage1(self.stem(x))))
        return self.head(x.mean((2, 3)))


class SeparableBlock(nn.Module):
    """Filter each channel on its own, then mix the channels by a 1x1 convolution."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.filter = nn.Conv2d(inputs, inputs, 5, stride, 2, groups=inputs, bias=False)
        self.norm1 = nn.BatchNorm2d(inputs)
        self.mix = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = self.norm1(self.filter(x))
        return nn.functional.gelu(self.norm2(self.mix(x)))


class MobileNet(nn.Module):
    """Feature maps of 16, 8 and 4 pixels, no shortcuts (Howard et al., 2017)."""

    def __init__(self, widths=(12, 28, 56)):
        super().__init__()
        small, middle, large = widths
        self.stem = nn.Sequential(
            nn.Conv2d(1, small, 3, 2, 1, bias=False), nn.BatchNorm2d(small), nn.GELU()
        )
        self.features = nn.Sequential(
            SeparableBlock(small, small, 1),
            SeparableBlock(small, middle, 2),
            SeparableBlock(middle, middle, 1),
            SeparableBlock(middle, large, 2),
            SeparableBlock(large, large, 1),
        )
        self.head = nn.Linear(large, CLASSES)

    def forward(self, x):
        return self.head(self.features(self.stem(x)).mean((2, 3)))


def resnet():
    return ResNet()


def mobilenet():
    return MobileNet()
