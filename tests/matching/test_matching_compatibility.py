"""Points that fit one another, and the message where none do."""

import pytest
import torch
from torch import Tensor, nn

from netstitch.errors import MatchingError
from netstitch.matching import compatible, match
from netstitch.matching.compatibility import candidates
from netstitch.networks import capture
from netstitch.networks.graph import BATCH, INPUT, Graph, Node, Ref


def point(*shape, point=True):
    return Node("x", "aten.relu.default", shape=(BATCH, *shape), point=point)


@pytest.mark.parametrize(
    "a, b, fits",
    [
        (point(8), point(500), True),
        (point(8, 7, 7), point(500, 7, 7), True),
        (point(8, 7, 9), point(8, 9, 7), False),
        (point(8, 7, 7), point(8, 14, 14), False),
        (point(8, 1, 1), point(8), False),
        (point(8, 16), point(8, 16), False),
        (point(8), point(8, point=False), False),
        (point(8, point=False), point(8), False),
        (point(8), Node("x", "aten.sym_size.int", point=True), False),
    ],
)
def test_linear_or_one_by_one_convolution_must_fit(a, b, fits):
    assert compatible(a, b) is fits
    assert compatible(b, a) is fits


def test_outputs_and_what_is_no_point_are_no_candidates():
    shape = (BATCH, 8)
    nodes = (
        Node("x", INPUT, shape=shape),
        Node("hidden", "aten.relu.default", (Ref("x"),), shape=shape, point=True),
        Node("logits", "aten.relu.default", (Ref("hidden"),), shape=shape, point=True),
    )
    graph = Graph(nodes, ((None, "logits"),))
    assert [node.name for node in candidates(graph)] == ["hidden"]


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
