"""Small models that the tests of networks capture."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from netstitch.networks import Network, capture
from netstitch.networks.graph import Node


class TinyCNN(nn.Module):
    """Two convolutions, a norm, dropout and a linear head; (b, 3, 8, 8) -> (b, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.block = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=False)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block(self.stem(x)).relu()
        return self.head(self.drop(x.mean((2, 3))))


class TwoHeads(nn.Module):
    """A dictionary of two outputs, None and a number; (b, 4) -> (b, 3) and (b, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(4, 6)
        self.out = nn.Linear(6, 3)
        self.aux = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> dict[str, Any]:
        x = self.body(x).tanh()
        return {"out": self.out(x), "aux": self.aux(x), "none": None, "number": 3}


class Model(nn.Module):
    """A model whose forward is a function of itself and its input."""

    def __init__(self, function: Callable[[Any, Tensor], Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def images(count: int = 2, channels: int = 3, size: int = 8) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(count))


def rows(count: int = 2, features: int = 4) -> Tensor:
    return torch.randn(count, features, generator=torch.Generator().manual_seed(count))


def captured(function: Callable[[Any, Tensor], Any], example: Tensor, **parts: Any) -> Network:
    return capture(Model(function, **parts), example, name="example")


def operations(network: Network) -> list[str]:
    return [node.operation for node in network.graph.nodes]


def node_of(network: Network, operation: str) -> Node:
    """The only node of an operation."""
    (found,) = [node for node in network.graph.nodes if node.operation == operation]
    return found


def message(error: BaseException) -> str:
    """Return an error's message; fails unless it is one line."""
    text = str(error)
    assert "\n" not in text
    return text
