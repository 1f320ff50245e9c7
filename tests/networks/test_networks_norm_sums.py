import pytest
import torch
from torch import nn

from netstitch.networks import capture
from netstitch.networks.folding import BATCH_NORM
from netstitch.networks.module import build_module
from netstitch.networks.norm_sums import norms_as_sums


def normed(affine: bool) -> nn.Module:
    torch.manual_seed(0)
    body = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, affine=affine), nn.Flatten(), nn.BatchNorm1d(48)
    )
    for norm in (body[1], body[3]):
        nn.init.uniform_(norm.running_mean, -1, 1)  # type: ignore[arg-type]
        nn.init.uniform_(norm.running_var, 0.1, 2)  # type: ignore[arg-type]
    return body.eval()


@pytest.mark.parametrize("affine", [True, False])
def test_a_product_and_a_sum_give_what_a_norm_does(affine):
    network = capture(normed(affine), torch.randn(2, 2, 6, 6), name="normed")
    graph, weights = norms_as_sums(network.graph, network.weights)
    assert not any(node.operation == BATCH_NORM for node in graph.nodes)
    inputs = torch.randn(5, 2, 6, 6)
    module = build_module(graph, weights)
    torch.testing.assert_close(module(inputs), network(inputs), rtol=1e-5, atol=1e-6)
    assert not any("running" in key for key in module.state_dict())
    assert module.state_dict().keys() == weights.keys()


def test_norms_by_the_statistics_of_their_batch_stay():
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.InstanceNorm2d(3), nn.Flatten()).eval()
    network = capture(module, torch.randn(2, 2, 6, 6), name="normed")
    graph, weights = norms_as_sums(network.graph, network.weights)
    assert graph == network.graph
    assert weights.keys() == network.weights.keys()
