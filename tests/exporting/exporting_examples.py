"""Small supernets to export subnetworks of."""

import torch
from small_supernets import as_they_are
from torch import Tensor, nn

from netstitch.demo.demo_networks import InvertedNetwork, ResidualNetwork, example
from netstitch.matching.matches import Match, Matching
from netstitch.networks import Network, capture
from netstitch.supernet.supernet import Supernet


class TwoHeads(nn.Module):
    """A dictionary whose keys are names of other things in the exported graph as well."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, features), nn.ReLU(), nn.Linear(features, 6))
        self.wide, self.narrow = nn.Linear(6, 4), nn.Linear(6, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = torch.relu(self.body(x))
        return {"relu": self.wide(y), "input": self.narrow(y)}


class OneHead(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, features), nn.ReLU(), nn.Linear(features, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def join(a: Network, b: Network, pairs: list[tuple[str, str]]) -> Supernet:
    matches = tuple(Match(pair) for pair in pairs)
    return as_they_are(Supernet([a, b], Matching(matches, len(matches), len(matches), "by hand")))


def small(model: type[nn.Module] = OneHead, features: tuple[int, int] = (7, 8)) -> Supernet:
    """Two networks, named after the features of their hidden layer, joined behind it."""
    torch.manual_seed(0)
    a, b = (capture(model(n), torch.zeros(2, 5), name=f"net{n}") for n in features)
    return join(a, b, [(a.graph.points[1].name, b.graph.points[1].name)])


def demo() -> Supernet:
    """Two of the demo's networks, untrained, joined once at each size of their feature maps."""
    torch.manual_seed(0)
    built = {"a": ResidualNetwork(), "b": InvertedNetwork()}
    a, b = (capture(model, example(), name=name) for name, model in built.items())
    return join(a, b, [(_middle(a, size), _middle(b, size)) for size in (14, 7, 4)])


def _middle(network: Network, size: int) -> str:
    """The middle one of the points that are `size` pixels wide."""
    found = [
        point.name
        for point in network.graph.points
        if point.shape is not None and point.shape[2:] == (size, size)
    ]
    return found[len(found) // 2]
