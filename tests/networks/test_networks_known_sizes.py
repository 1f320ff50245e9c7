import pytest
import torch
from torch import nn

from netstitch.networks import capture
from netstitch.networks.graph import Graph
from netstitch.networks.known_sizes import with_known_sizes
from netstitch.networks.module import build_module


class Reshapes(nn.Module):
    def forward(self, x):
        n = x.shape[0]
        y = x.reshape(n, -1, 3).transpose(1, 2).reshape(n, 2, -1)
        z = y.reshape(-1, 6)
        return (z + 1).reshape(n, -1).view(n, 12)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_all_sizes_but_that_of_the_batch_are_written_out(count):
    network = capture(Reshapes(), torch.randn(2, 4, 3), name="reshapes")
    graph = network.graph
    known = Graph(tuple(map(with_known_sizes, graph.nodes)), graph.outputs)
    assert sum(a != b for a, b in zip(graph.nodes, known.nodes, strict=True)) >= 2
    inputs = torch.randn(count, 4, 3)
    found = build_module(known, network.weights)(inputs)
    assert found.shape == (count, 12)
    if count:
        assert torch.equal(found, network(inputs))
    else:
        with pytest.raises(RuntimeError, match="cannot reshape"):
            network(inputs)
