"""Two networks without a point in common are told why, and what to do."""

import pytest
import torch
from torch import Tensor, nn

from netstitch.errors import MatchingError
from netstitch.matching import match
from netstitch.networks import capture


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0][:, -1])


class OfTokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 1), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x).mean(1))


def refused(model: nn.Module, *shape: int, other: nn.Module | None = None) -> str:
    example = torch.rand(2, *shape)
    networks = [capture(each, example) for each in (model, other or model)]
    with pytest.raises(MatchingError) as caught:
        match(*networks)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("build", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_recurrent_network_is_called_that(build: type[nn.RNNBase]) -> None:
    text = refused(Recurrent(build(5, 6, batch_first=True)), 7, 5)
    assert "Recurrent is recurrent" in text
    assert "'layer'" in text
    assert "choose networks of convolutions or linear layers" in text
    assert text.count("is recurrent") == 1  # of two networks of one name, once


def test_a_network_of_tokens_is_called_that() -> None:
    assert "OfTokens computes tokens (batch, t, c)" in refused(OfTokens(), 7, 8)


def test_a_network_of_one_layer_has_its_output_alone() -> None:
    assert "Linear has no point but its output (linear)" in refused(nn.Linear(4, 3), 4)


def test_networks_of_other_sizes_name_these() -> None:
    def model(stride: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 1, stride), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    text = refused(model(2), 3, 8, 8, other=model(4))
    assert "are maps of 4x4, those of Sequential maps of 2x2" in text
