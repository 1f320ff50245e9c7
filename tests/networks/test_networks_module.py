"""From a graph and weights to a module."""

from dataclasses import replace

import pytest
import torch
from networks_examples import TinyCNN, TwoHeads, images, rows
from torch import nn

from netstitch.networks import Network, capture
from netstitch.networks.module import ancestors, build_module


@pytest.fixture
def network() -> Network:
    return capture(TinyCNN(), images())


def test_values_of_any_nodes_can_be_read(network: Network) -> None:
    names = ["relu", "stem_0_conv2d", "relu", "input"]
    values = build_module(network.graph, network.weights, outputs=names)(images(3))
    assert [value.shape[1] for value in values] == [6, 4, 6, 3]
    assert torch.equal(values[0], values[2])


def test_what_is_not_needed_is_left_out(network: Network) -> None:
    module = build_module(network.graph, network.weights, outputs=["stem_0_conv2d"])
    assert set(module.state_dict()) == {"stem.0.weight", "stem.0.bias"}


def test_a_key_of_a_dictionary_output_alone() -> None:
    network = capture(TwoHeads(), rows())
    name = dict(network.graph.outputs)["aux"]
    (value,) = build_module(network.graph, network.weights, outputs=[name])(rows(3))
    assert torch.equal(value, network(rows(3))["aux"])


def test_it_holds_the_very_tensors_given(network: Network) -> None:
    module = build_module(network.graph, network.weights)
    assert dict(module.named_parameters())["head.weight"] is network.weights["head.weight"]


def test_parameters_and_buffers_stay_what_they_are(network: Network) -> None:
    module = build_module(network.graph, network.weights)
    assert set(dict(module.named_buffers())) == {"stem.1.running_mean", "stem.1.running_var"}
    assert all(isinstance(p, nn.Parameter) for p in module.parameters())


def test_ancestors(network: Network) -> None:
    found = ancestors(network.graph, ["stem_0_conv2d"])
    assert found == {"input", "stem_0_conv2d", "stem_0_weight", "stem_0_bias"}


def test_a_network_keeps_the_weights_of_steps_that_no_output_reads() -> None:
    whole = capture(TwoHeads(), rows())
    graph = replace(whole.graph, outputs=whole.graph.outputs[:1])
    network = Network("one head", graph, whole.weights)
    assert network.weights.keys() == whole.weights.keys()
    name = dict(whole.graph.outputs)["aux"]
    (value,) = build_module(graph, network.weights, outputs=[name])(rows(3))
    assert torch.equal(value, whole(rows(3))["aux"])
