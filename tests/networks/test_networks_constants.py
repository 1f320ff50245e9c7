"""Values that a model computes without its input are weights of the network."""

from pathlib import Path

import pytest
import torch
from networks_examples import captured, images, operations, rows
from torch import Tensor, nn
from torch.nn import functional as F

from netstitch.networks import Network
from netstitch.networks.network_files import load_network, write_network


def outlying(network: Network) -> set[str]:
    """Operations besides a linear layer."""
    return set(operations(network)) - {"input", "weight", "aten.linear.default"}


def test_arithmetic_of_weights_is_done_once_and_keeps_the_name_of_its_weight() -> None:
    """A low-rank update: W + B A, as fine-tuned models have it."""
    layer = nn.Linear(4, 3)
    up, down = nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(2, 4))
    network = captured(
        lambda m, x: F.linear(x, m.layer.weight + m.up @ m.down, m.layer.bias),
        rows(), layer=layer, up=up, down=down,
    )  # fmt: skip
    assert not outlying(network)
    assert set(network.weights) == {"layer.weight", "layer.bias"}
    assert all(isinstance(tensor, nn.Parameter) for tensor in network.weights.values())
    torch.testing.assert_close(network.weights["layer.weight"], layer.weight + up @ down)
    assert network.multiply_adds == 12  # of the layer alone


def test_a_standardised_convolution_is_a_plain_one() -> None:
    def forward(m: nn.Module, x: Tensor) -> Tensor:
        spread, mean = torch.var_mean(m.conv.weight, (1, 2, 3), keepdim=True)
        return F.conv2d(x, (m.conv.weight - mean) / (spread + 1e-6).sqrt(), m.conv.bias)

    conv = nn.Conv2d(3, 4, 3)
    network = captured(forward, images(), conv=conv)
    assert set(operations(network)) == {"input", "weight", "aten.conv2d.default"}
    assert set(network.weights) == {"conv.weight", "conv.bias"}


def test_operations_that_are_not_listed_may_make_weights() -> None:
    network = captured(
        lambda m, x: x @ torch.linalg.svd(m.matrix)[0],
        rows(),
        matrix=nn.Parameter(torch.randn(4, 4)),
    )
    assert "aten.linalg_svd.default" not in operations(network)
    assert set(network.weights) == {"matrix"}


def test_a_parameter_that_is_only_viewed_stays_one_weight() -> None:
    """As where an output layer shares its matrix with another one."""
    table = nn.Parameter(torch.randn(4, 4))
    network = captured(lambda m, x: (x @ m.table.t()).relu() @ m.table, rows(), table=table)
    assert set(network.weights) == {"table"}
    assert torch.equal(network.weights["table"], table)


def test_tables_of_integers_and_masks_stay_what_they_are() -> None:
    index, mask = torch.tensor([3, 1, 0, 2]), torch.tensor([True, False, True, True])
    network = captured(
        lambda m, x: torch.where(~m.mask, x[:, m.index + 0], 0.0), rows(), index=index, mask=mask
    )
    found = {str(tensor.dtype) for tensor in network.weights.values()}
    assert found >= {"torch.int64", "torch.bool"}
    assert not list(network.parameters())
    torch.testing.assert_close(network(rows(3)), torch.where(~mask, rows(3)[:, index], 0.0))


def test_what_follows_the_batch_size_is_not_folded() -> None:
    token = nn.Parameter(torch.randn(1, 4))
    network = captured(lambda m, x: x + m.token.expand(x.shape[0], -1) * 2, rows(), token=token)
    for count in (1, 5):
        torch.testing.assert_close(network(rows(count)), rows(count) + 2 * token)


def test_complex_numbers_are_made_of_real_weights(tmp_path: object) -> None:
    """Weights are real; a filter in the frequencies is viewed as complex where it is used."""
    filters = nn.Parameter(torch.randn(8, 5, 2))
    network = captured(
        lambda m, x: torch.fft.irfft2(torch.fft.rfft2(x) * torch.view_as_complex(m.f), s=(8, 8)),
        images(), f=filters,
    )  # fmt: skip
    assert {tensor.dtype for tensor in network.weights.values()} == {torch.float32}


def test_a_layer_that_is_used_twice_has_one_weight() -> None:
    layer = nn.Linear(4, 4)
    network = captured(
        lambda m, x: F.linear(F.linear(x, m.layer.weight * 2).relu(), m.layer.weight * 2),
        rows(),
        layer=layer,
    )
    assert set(network.weights) == {"layer.weight"}


@pytest.mark.parametrize("scale", [1.0, -3.0])
def test_folded_weights_are_saved_and_loaded(tmp_path: Path, scale: float) -> None:
    layer = nn.Linear(4, 3)
    network = captured(lambda m, x: F.linear(x, m.layer.weight * scale), rows(), layer=layer)
    write_network(network, tmp_path)
    again = load_network(tmp_path)
    assert torch.equal(again(rows(3)), network(rows(3)))
    assert [key for key, _ in again.named_parameters()] == ["module.layer.weight"]
