"""Folding leaves what is computed as it was, and the norms away."""

import pytest
import torch
from torch import Tensor, nn

from netstitch.networks import capture
from netstitch.networks.folding import fold
from netstitch.networks.graph import Graph
from netstitch.networks.module import build_module


def random_norms(model: nn.Module) -> nn.Module:
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and ("running" in name or "norm" in name):
            tensor.uniform_(0.5, 1.5)
    return model.eval()


class Block(nn.Module):
    """A convolution and its norm, in parts that differ."""

    def __init__(self, layer: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.layer, self.norm = layer, norm

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer(x)).relu()


class Residual(Block):
    """The layer's output is read beside the norm."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        return self.norm(y) + y


class Repeated(Block):
    """The layer is used twice."""

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.layer(x)) + self.layer(x + 1)


def norms(graph: Graph) -> int:
    return sum(node.operation == "aten.batch_norm.default" for node in graph.nodes)


@pytest.mark.parametrize(
    "model, shape",
    [
        (Block(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)), (4, 5, 5)),
        (Block(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6)), (4, 5, 5)),
        (Block(nn.Conv2d(4, 8, 3, groups=4, stride=2), nn.BatchNorm2d(8)), (4, 5, 5)),
        (Block(nn.Conv2d(4, 6, 3, padding="same"), nn.BatchNorm2d(6, affine=False)), (4, 5, 5)),
        (Block(nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6, eps=0.1)), (4,)),
        (Block(nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6)), (4, 5)),
    ],
)
def test_a_layer_carries_the_norm_behind_it(model: nn.Module, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = capture(random_norms(model), torch.randn(2, *shape), name="net")
    before = {key: tensor.clone() for key, tensor in network.weights.items()}
    graph, weights = fold(network.graph, network.weights)
    assert (norms(network.graph), norms(graph)) == (1, 0)
    assert set(weights) == {"layer.weight", "layer.bias"}
    assert all(isinstance(tensor, nn.Parameter) for tensor in weights.values())
    inputs = torch.randn(7, *shape)
    torch.testing.assert_close(build_module(graph, weights)(inputs), network(inputs))
    assert all(torch.equal(network.weights[key], before[key]) for key in before)


@pytest.mark.parametrize(
    "model, shape",
    [
        (Residual(nn.Linear(4, 4), nn.BatchNorm1d(4)), (4,)),
        (Repeated(nn.Linear(4, 4), nn.BatchNorm1d(4)), (4,)),
        (Block(nn.Linear(5, 5), nn.BatchNorm1d(4)), (4, 5)),  # channels are not the features
        (Block(nn.ReLU(), nn.BatchNorm1d(4)), (4,)),
        (Block(nn.ConvTranspose2d(4, 4, 3), nn.BatchNorm2d(4)), (4, 5, 5)),
    ],
)
def test_what_cannot_be_folded_stays(model: nn.Module, shape: tuple[int, ...]) -> None:
    network = capture(random_norms(model), torch.randn(2, *shape), name="net")
    graph, weights = fold(network.graph, network.weights)
    assert graph == network.graph
    assert all(weights[key] is tensor for key, tensor in network.weights.items())


def test_a_chain_of_norms_goes_whole() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.BatchNorm1d(4))
    network = capture(random_norms(model), torch.randn(2, 4), name="net")
    graph, weights = fold(network.graph, network.weights)
    assert norms(graph) == 0
    inputs = torch.randn(7, 4)
    torch.testing.assert_close(build_module(graph, weights)(inputs), network(inputs))
