"""A small supernet of two captured convolutional networks, for tests of the whole."""

import torch
from torch import Tensor, nn

from netstitch.matching.matches import Match, Matching
from netstitch.networks import Network, capture
from netstitch.supernet.supernet import Supernet


class Small(nn.Module):
    """Convolution, batch norm, dropout, pooling, linear head; (b, 3, 8, 8) -> (b, 5)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(2 * width, 5)
        for norm in (self.bn1, self.bn2):
            nn.init.uniform_(norm.running_mean, -0.1, 0.1)  # type: ignore[arg-type]
            nn.init.uniform_(norm.running_var, 0.1, 0.5)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        return self.head(self.drop(x.mean((2, 3))))


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(count))


def models() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return Small(3).eval(), Small(4).eval()


def networks() -> tuple[Network, Network]:
    a, b = models()
    return capture(a, images(), name="A"), capture(b, images(), name="B")


def matching() -> Matching:
    rows = [("relu", "relu"), ("relu_2", "bn2_batch_norm"), ("mean", "mean")]
    return Matching(tuple(Match(row) for row in rows), 3.0, 4.0, "by hand")


def supernet() -> Supernet:
    torch.manual_seed(1)
    return Supernet(networks(), matching())
