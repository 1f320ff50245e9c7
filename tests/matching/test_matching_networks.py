from dataclasses import dataclass

import numpy as np
import pytest

from netstitch.errors import MatchingError
from netstitch.matching import Match, compatible, match
from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Graph, Node, Ref


@dataclass
class Plain:
    name: str
    graph: Graph


def node(name, reads, *shape, point=True):
    args = tuple(Ref(read) for read in reads)
    return Node(name, "aten.any.default", args, shape=(BATCH, *shape), point=point)


def network(name, *steps, size=16, classes=10, keys=(None,)):
    """Steps between an input and a linear head; the head reads the last of them."""
    nodes = (
        Node("x", INPUT, shape=(BATCH, 3, size, size)),
        Node("weight", WEIGHT, shape=(classes, 8), path="head.weight"),
        *steps,
        node("logits", (steps[-1].name, "weight"), classes),
    )
    return Plain(name, Graph(nodes, tuple((key, "logits") for key in keys)))


def small(name, prefix, **options):
    """A stem, a halved map, and pooled features."""
    return network(
        name,
        node(f"{prefix}_stem", ("x",), 4, 16, 16),
        node(f"{prefix}_half", (f"{prefix}_stem",), 8, 8, 8),
        node(f"{prefix}_pool", (f"{prefix}_half",), 8),
        **options,
    )


def test_points_of_equal_size_are_matched_in_order():
    found = match(small("first", "a"), small("second", "b"))
    assert list(found) == [
        Match(("a_stem", "b_stem")),
        Match(("a_half", "b_half")),
        Match(("a_pool", "b_pool")),
    ]
    assert len(found) == found.weight == found.upper_bound == 3
    assert found.exact


def test_crossing_matches_are_left_out():
    up_then_down = network(
        "a", node("a8", ("x",), 4, 8, 8), node("a16", ("a8",), 4, 16, 16), node("f", ("a16",), 8, 1)
    )
    down_then_up = network(
        "b", node("b16", ("x",), 4, 16, 16), node("b8", ("b16",), 4, 8, 8), node("g", ("b8",), 8, 1)
    )
    assert len(match(up_then_down, down_then_up)) == 1


def test_order_runs_through_nodes_that_are_no_points():
    a = network(
        "a",
        node("first", ("x",), 4, 8, 8),
        node("between", ("first",), 9, 9, 9, 9, point=False),
        node("second", ("between",), 4, 16, 16),
    )
    b = network("b", node("one", ("x",), 4, 16, 16), node("two", ("one",), 4, 8, 8))
    assert len(match(a, b)) == 1


def test_outputs_are_not_matched():
    a = network("a", node("fa", ("x",), 10))
    b = network("b", node("fb", ("x",), 10))
    assert list(match(a, b)) == [Match(("fa", "fb"))]


def test_weights_from_a_function_are_asked_of_compatible_points_only():
    asked = []

    def worth(node_a, node_b):
        asked.append((node_a, node_b))
        return 2.5 if node_a.name == "a_half" else 0.0

    found = match(small("first", "a"), small("second", "b"), weights=worth)
    assert list(found) == [Match(("a_half", "b_half"))]
    assert found.weight == 2.5
    assert len(asked) == 3
    assert all(compatible(*pair) for pair in asked)


def test_weights_from_an_array_follow_the_points():
    a, b = small("first", "a"), small("second", "b")
    weights = np.zeros((len(a.graph.points), len(b.graph.points)))
    weights[2, 2] = 4
    weights[0, 1] = 100  # not compatible
    weights[3, 3] = 100  # outputs
    found = match(a, b, weights=weights)
    assert list(found) == [Match(("a_pool", "b_pool"))]
    assert found.weight == 4


@pytest.mark.parametrize(
    "weights, message",
    [
        (
            np.ones((2, 2)),
            r"weights have shape \(2, 2\); the points of first and second need \(4, 4\)",
        ),
        (-np.ones((4, 4)), "matching a_stem with b_stem is -1.0"),
        (lambda node_a, node_b: float("nan"), "matching a_stem with b_stem is nan"),
        ("heavy", "a function of two points or an array"),
    ],
)
def test_bad_weights_are_named(weights, message):
    with pytest.raises(MatchingError, match=message):
        match(small("first", "a"), small("second", "b"), weights=weights)


@pytest.mark.parametrize("count, message", [(0, "give two"), (1, "give two"), (3, "not supported")])
def test_other_than_two_networks_are_refused(count, message):
    with pytest.raises(MatchingError, match=f"{count} networks were given to match: .*{message}"):
        match(*(small(str(number), "a") for number in range(count)))


def test_different_inputs_name_both_shapes():
    with pytest.raises(MatchingError) as caught:
        match(small("first", "a"), small("second", "b", size=32))
    assert "first takes inputs of shape (batch, 3, 16, 16)" in str(caught.value)
    assert "second of (batch, 3, 32, 32)" in str(caught.value)


def test_different_output_shapes_name_both():
    with pytest.raises(MatchingError) as caught:
        match(small("first", "a", keys=("out",)), small("second", "b", keys=("out",), classes=5))
    assert "first gives an output 'out' of shape (batch, 10) and second of (batch, 5)" in str(
        caught.value
    )


def test_different_output_keys_name_both():
    with pytest.raises(MatchingError) as caught:
        match(small("first", "a"), small("second", "b", keys=("out", "aux")))
    assert "first gives one tensor and second gives the outputs 'out', 'aux'" in str(caught.value)


def test_nothing_compatible_names_both():
    a = network("first", node("fa", ("x",), 4, 9, 9))
    with pytest.raises(MatchingError, match="no point of first is compatible with one of second"):
        match(a, network("second", node("fb", ("x",), 4, 7, 7)))
