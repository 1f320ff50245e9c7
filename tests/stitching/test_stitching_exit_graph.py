"""Graphs of exits: what they compute, what it costs, and which exits there cannot be."""

from math import prod
from typing import Any

import pytest
import torch
from exit_examples import (
    Mixer,
    exit_outputs,
    joined,
    plainly,
    random_weights,
    segmenters,
    value_of,
    with_exits,
)
from small_supernets import SIZE, small_supernet
from torch import nn
from torch.nn import functional

from netstitch.errors import StitchingError
from netstitch.networks import capture, feature_layout
from netstitch.networks.content import content_keys
from netstitch.networks.feature_layout import FeatureLayout
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.module import ancestors, build_module
from netstitch.stitching.exit import Exit, point_key
from netstitch.stitching.exit_graph import SMALLEST, add_features, exit_output
from netstitch.stitching.structure import Structure
from netstitch.stitching.subgraph import NodeList, input_node
from netstitch.supernet.supernet import Supernet


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return with_exits(small_supernet())


def test_an_exit_is_the_mean_over_positions_through_a_linear_map(supernet: Supernet) -> None:
    inputs = torch.randn(3, 2, SIZE, SIZE)
    for one, together in zip(supernet.exits, exit_outputs(supernet, inputs), strict=True):
        expected = plainly(supernet, one, inputs)
        assert torch.allclose(supernet.subnetwork(one)(inputs), expected, atol=1e-5)
        assert torch.allclose(together, expected, atol=1e-5)


def test_channels_that_are_the_same_everywhere_deviate_by_nothing_and_have_gradients() -> None:
    supernet = small_supernet()
    [point, *_] = [node for node in supernet.graphs[0].points if len(node.shape or ()) == 4]
    output = exit_output(supernet.structure, None)
    nodes = NodeList()
    nodes.append(input_node(supernet.graphs[0]))
    place = 0, point.name
    mean, deviation = add_features(nodes, supernet.structure, output, place, "input")
    module = build_module(Graph(nodes.all, (("mean", mean), ("deviation", deviation))), {})
    for scale in (1e-3, 1.0, 100.0):
        features = scale * torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
        features[:, 0] = scale
        features.requires_grad_()
        found = module(features)
        flat = features.flatten(2)
        expected = (flat.var(2, correction=0) + SMALLEST).sqrt()
        torch.testing.assert_close(found["mean"], flat.mean(2), rtol=1e-6, atol=1e-6 * scale)
        torch.testing.assert_close(found["deviation"], expected, rtol=1e-5, atol=1e-6 * scale)
        [gradient] = torch.autograd.grad(found["deviation"].sum(), features)
        [wanted] = torch.autograd.grad(expected.sum(), features)
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-5)
        assert found["deviation"][:, 0].max() < 1.1e-4


def test_what_stands_before_an_exit_is_the_beginning_of_its_network(supernet: Supernet) -> None:
    for one in supernet.exits:
        name = supernet.names[one.network]
        alone = supernet.genotype(name)
        network = set(content_keys(supernet.pruned_graph(alone)).values())
        keys = content_keys(supernet.pruned_graph(one))
        own = [key for node, key in keys.items() if not node.startswith("exit_")]
        graph = supernet.graphs[one.network]
        needed = ancestors(graph, [*one.points, graph.input.name])
        computed = [node for node in needed if graph.by_name[node].operation != WEIGHT]
        assert set(own) <= network
        assert len(own) == len(computed)


def test_the_cost_is_that_of_the_beginning_and_of_the_map(supernet: Supernet) -> None:
    for one in supernet.exits:
        graph = supernet.graphs[one.network]
        needed = [n for n in graph.nodes if n.name in ancestors(graph, one.points)]
        points = [graph.by_name[point] for point in one.points]
        # A mean and a deviation of each channel of a map.
        features = sum(int(p.shape[1]) * (2 if len(p.shape) == 4 else 1) for p in points)
        before = sum(node.multiply_adds for node in needed)
        assert supernet.macs(one) == before + 3 * features
        weights = supernet.networks[one.network].weights
        read = [weights[node.path] for node in needed if node.operation == WEIGHT]
        parameters = sum(t.numel() for t in read if isinstance(t, nn.Parameter))
        assert supernet.parameters_of(one) == parameters + 3 * features + 3
        # Four steps of mean and variance read a whole map; two more, and perhaps joining, channels.
        maps = [p.shape[1:] for p in points if len(p.shape) == 4]
        pooled = sum(4 * prod(shape) + 2 * shape[0] for shape in maps)
        elementwise = sum(node.elementwise for node in needed)
        assert supernet.elementwise(one) == elementwise + pooled


def test_exits_of_tokens_and_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = FeatureLayout("token", ("batch", "t", "c"), "aten.linear.default")
    monkeypatch.setattr(feature_layout, "LAYOUTS", (*feature_layout.LAYOUTS, tokens))
    torch.manual_seed(0)
    supernet = with_exits(joined([Mixer(8), Mixer(5)], torch.randn(2, 5, 6)))
    layouts = {
        supernet.graphs[one.network].by_name[one.point].layout.name for one in supernet.exits
    }
    assert layouts == {"token", "vector"}
    inputs = torch.randn(4, 5, 6)
    for one, found in zip(supernet.exits, exit_outputs(supernet, inputs), strict=True):
        assert torch.allclose(found, plainly(supernet, one, inputs), atol=1e-5)


def test_exits_of_maps_whose_channels_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    class ChannelsLast(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.stem, self.mix = nn.Conv2d(3, width, 4, 4), nn.Linear(width, width)
            self.head = nn.Linear(width, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.mix(self.stem(x).permute(0, 2, 3, 1)).relu()
            return self.head(x.mean((1, 2)))

    last = FeatureLayout("map of rows", ("batch", "h", "w", "c"), "aten.linear.default")
    monkeypatch.setattr(feature_layout, "LAYOUTS", (*feature_layout.LAYOUTS, last))
    supernet = with_exits(joined([ChannelsLast(4), ChannelsLast(6)], torch.randn(2, 3, 8, 8)))
    inputs = torch.randn(3, 3, 8, 8)
    for one, found in zip(supernet.exits, exit_outputs(supernet, inputs), strict=True):
        assert torch.allclose(found, plainly(supernet, one, inputs), atol=1e-5)


def test_exits_of_segmentation_are_made_at_each_position_and_upsampled() -> None:
    supernet = segmenters()
    exits = [Exit(0, (node.name,)) for node in supernet.graphs[0].points]
    weights = random_weights(supernet, exits, "out")
    supernet.set_exits(exits, weights, output="out")
    inputs = torch.randn(2, 3, 16, 16)
    for one, found in zip(exits, exit_outputs(supernet, inputs), strict=True):
        key = point_key("wide", one.point)
        maps = value_of(supernet.networks[0].module, one.point, inputs)
        small = functional.conv2d(maps, weights[f"{key}.weight"], weights[f"{key}.bias"])
        expected = functional.interpolate(small, size=(16, 16), mode="bilinear")
        assert found.shape == (2, 4, 16, 16)
        assert torch.allclose(found, expected, atol=1e-4)
        assert torch.equal(supernet.subnetwork(one)(inputs)["out"], found)
        channels, height, width = map(int, maps.shape[1:])
        beginning = ancestors(supernet.graphs[0], one.points)
        before = sum(n.multiply_adds for n in supernet.graphs[0].nodes if n.name in beginning)
        assert supernet.macs(one) == before + 4 * channels * height * width


def test_exits_put_out_probabilities_where_the_networks_do() -> None:
    torch.manual_seed(0)
    models = [Mixer(width, nn.Softmax(1)) for width in (4, 6)]
    supernet = joined(models, torch.randn(2, 5, 6))
    one = Exit(1, (supernet.graphs[1].points[-3].name,))
    supernet.set_exits([one], random_weights(supernet, [one]))
    inputs = torch.randn(7, 5, 6)
    [found] = exit_outputs(supernet, inputs)
    assert torch.allclose(found, plainly(supernet, one, inputs).softmax(1), atol=1e-5)


def test_a_point_may_have_the_name_of_an_attribute_of_modules() -> None:
    assert point_key("net", "to") == "exits.net.to_"
    assert point_key("net", "layer1_relu") == "exits.net.layer1_relu"


@pytest.mark.parametrize(
    "network, points, message",
    [
        ("wide", ("relu",), r"must be the index \(int\) of a basis network, got 'wide'"),
        (0, "relu", "an exit reads the points 'relu'; expected their names, as a tuple"),
        (0, [1], r"an exit reads the points \[1\]; expected their names"),
        (2, ("relu",), "an exit is of network 2; expected 0 to 1"),
        (0, ("rleu",), "wide has no point 'rleu'; did you mean 'relu'"),
        (0, (), "reads no points; expected one or more points in the order of computation"),
        (0, ("relu", "relu"), "reads relu, relu; expected one or more points in the order"),
        (0, ("mean", "relu"), "reads mean, relu; expected one or more points in the order"),
    ],
)
def test_exits_that_cannot_be(network: Any, points: Any, message: str) -> None:
    with pytest.raises(StitchingError, match=message):
        small_supernet().set_exits([Exit(network, points)], {})


def test_an_exit_of_maps_reads_one_point_that_is_a_map() -> None:
    supernet = segmenters()
    names = [node.name for node in supernet.graphs[0].points[:2]]
    with pytest.raises(StitchingError, match="for outputs that are maps, it reads one point"):
        supernet.set_exits([Exit(0, tuple(names))], {})


def test_of_several_outputs_one_is_named() -> None:
    supernet = small_supernet(keys=True)
    one = Exit(0, (supernet.graphs[0].points[0].name,))
    weights = random_weights(supernet, [one], "aux")
    with pytest.raises(StitchingError, match="outputs are 'out', 'aux'; name the one"):
        supernet.set_exits([one], weights)
    with pytest.raises(StitchingError, match="do not have 'logits', they are 'out', 'aux'"):
        supernet.set_exits([one], weights, output="logits")
    supernet.set_exits([one], weights, output="aux")
    assert list(supernet.subnetwork(one)(torch.randn(2, 2, SIZE, SIZE))) == ["aux"]


def test_outputs_of_other_shapes_have_no_exits() -> None:
    class Sequence(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.a, self.b = nn.Conv1d(3, width, 3, 1, 1), nn.Conv1d(width, 2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(self.a(x).relu())

    graph = capture(Sequence(2), torch.randn(2, 3, 9)).graph
    structure = Structure(("a", "b"), (graph, graph), small_supernet().board)
    with pytest.raises(StitchingError, match="exits are for outputs"):
        exit_output(structure, None)
