"""Graphs whose operations do not take their arguments are found without computing anything."""

import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
import torch
from networks_examples import Model, TinyCNN, captured, images, rows

from netstitch.networks import Network, capture
from netstitch.networks.graph import Argument, Graph, Node, Ref
from netstitch.networks.propagation import check_arguments


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return capture(TinyCNN(), images())


def changed(graph: Graph, name: str, **changes: Any) -> Graph:
    nodes = tuple(replace(n, **changes) if n.name == name else n for n in graph.nodes)
    return replace(graph, nodes=nodes)


def extended(graph: Graph, operation: str, *args: Argument, **about: Any) -> Graph:
    """One more node, that no output needs to depend on."""
    return replace(graph, nodes=(*graph.nodes, Node("more", operation, args, **about)))


def test_what_was_captured_is_right(network: Network) -> None:
    check_arguments(network.graph)


def test_sizes_that_are_computed(network: Network) -> None:
    def forward(m: Model, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0] * 2, -1).reshape(x.shape[0], -1)

    check_arguments(captured(forward, rows()).graph)


@pytest.mark.parametrize(
    "operation, args",
    [
        ("aten.view.default", (Ref("relu"), (10**15,))),
        ("aten.view.default", (Ref("relu"), ("x",))),
        ("aten.relu.default", (Ref("relu"), 3)),
        ("aten.relu.default", ()),
        ("aten.relu.default", ("x",)),
        ("aten.arange.default", (10**15,)),
        ("aten.eye.default", (10**9,)),
        ("aten.repeat.default", (Ref("relu"), (10**6, 10**6, 1, 1))),
        ("aten.linear.default", (Ref("relu"), Ref("head_weight"))),
        ("int.mul", ((1, 2), 10**15)),
        ("int.mul", (2**62, 2)),
        ("int.floordiv", (1, 0)),
        ("getitem", (Ref("relu"), "x")),
    ],
)
def test_arguments_that_do_not_fit(
    network: Network, operation: str, args: tuple[Argument, ...]
) -> None:
    tracemalloc.start()
    with pytest.raises(ValueError, match="node 'more'"):
        check_arguments(extended(network.graph, operation, *args))
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": ("batch", 99)},
        {"shape": ("batch",)},
        {"shape": (2, 5)},
        {"dtype": "float64"},
        {"dtype": "int64"},
    ],
)
def test_a_node_that_says_something_else_of_its_value(
    network: Network, changes: dict[str, Any]
) -> None:
    name = network.graph.outputs[0][1]
    with pytest.raises(ValueError, match=f"node '{name}'"):
        check_arguments(changed(network.graph, name, **changes))


def test_a_shape_that_depends_on_values_is_not_known(network: Network) -> None:
    """Nor is that of what reads it."""
    graph = extended(network.graph, "aten.one_hot.default", Ref("labels"), shape=("batch", 3))
    labels = Node("labels", "aten.argmax.default", (Ref("head_linear"), 1), shape=("batch",),
                  dtype="int64")  # fmt: skip
    nodes = (*graph.nodes[:-1], labels, graph.nodes[-1])
    check_arguments(replace(graph, nodes=nodes))
