import numpy as np
import pytest
import torch
from chain_examples import line, random_networks
from hypothesis import assume, given, settings
from matching_examples import all_acyclic_matchings
from named_networks import network, node, small
from torch import nn

from netstitch.errors import MatchingError
from netstitch.matching import Match, compatible, equivalence_classes, match
from netstitch.networks.graph import WEIGHT


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
        (-np.ones((4, 4)), "a_stem with b_stem, of first and second, is -1.0"),
        (
            lambda node_a, node_b: float("nan"),
            "a_stem with b_stem, of first and second, is nan",
        ),
        ("heavy", "a function of two points or an array"),
        (torch.ones(4, 4, requires_grad=True), "a function of two points or an array"),
    ],
)
def test_bad_weights_are_named(weights, message):
    with pytest.raises(MatchingError, match=message):
        match(small("first", "a"), small("second", "b"), weights=weights)


@pytest.mark.parametrize(
    "networks, message",
    [
        ([], "no network was given to match: give two or more"),
        ([small("lonely", "a")], "one network, lonely, was given to match: give two or more"),
    ],
)
def test_fewer_than_two_networks_are_refused(networks, message):
    with pytest.raises(MatchingError, match=message):
        match(*networks)


@pytest.mark.parametrize(
    "given, message",
    [
        (nn.Linear(2, 3), r"the model Linear: capture it first, ns\.capture\(model, example\)"),
        ([small("first", "a")], r"a list: give the networks one by one, ns\.match\(\*networks\)"),
        ("resnet", "a str: give what ns"),
        (None, "a NoneType: give what ns"),
    ],
)
def test_what_is_no_captured_network(given, message):
    with pytest.raises(MatchingError, match=f"match takes captured networks, got {message}"):
        match(given, small("second", "b"))


def test_a_function_that_gives_no_weights_is_named():
    with pytest.raises(
        MatchingError, match="a_stem with b_stem, of first and second, is no number"
    ):
        match(small("first", "a"), small("second", "b"), weights=lambda u, v: "much")


def test_different_inputs_name_both_shapes():
    with pytest.raises(MatchingError) as caught:
        match(small("first", "a"), small("second", "b", size=32))
    assert "first takes inputs of shape (batch, 3, 16, 16)" in str(caught.value)
    assert "second of (batch, 3, 32, 32)" in str(caught.value)


def test_different_output_shapes_name_both():
    with pytest.raises(MatchingError) as caught:
        match(small("first", "a", keys=("out",)), small("second", "b", keys=("out",), classes=5))
    assert "first gives 'out' (batch, 10) and second gives 'out' (batch, 5)" in str(caught.value)


def test_different_output_keys_name_both():
    with pytest.raises(MatchingError) as caught:
        match(small("first", "a"), small("second", "b", keys=("out", "aux")))
    assert "first gives one tensor (batch, 10) and second gives 'aux' (batch, 10), 'out' (" in str(
        caught.value
    )


def test_nothing_compatible_names_both():
    a = network("first", node("fa", ("x",), 4, 9, 9))
    with pytest.raises(MatchingError, match="no point of first is compatible with one of second"):
        match(a, network("second", node("fb", ("x",), 4, 7, 7)))


def test_distinct_points_are_matched_once_at_the_end_of_their_chain():
    a, (conv_a, norm_a, _) = line("conv", "norm", "pool", name="a")
    b, (conv_b, norm_b, _) = line("conv", "norm", "pool", name="b")
    assert list(match(a, b, points="all")) == [Match((conv_a, conv_b)), Match((norm_a, norm_b))]
    found = match(a, b, points="distinct")
    assert list(found) == [Match((norm_a, norm_b))]
    assert found.weight == found.upper_bound == 1


def test_chains_of_several_layouts_meet_where_they_can():
    """Pooled and flat features are one chain; the other network has pooled ones alone."""
    a, (pool, flat, _) = line("pool", "flatten", "sin", name="a")
    b, (cell, _, last) = line("pool", "sin", "flatten", name="b")
    assert a.graph.by_name[flat].shape == b.graph.by_name[last].shape
    assert list(match(a, b, points="distinct")) == [Match((pool, cell))]


def slow_distinct(a, b):
    """All acyclic matchings of all points, of which those count that use no chain twice."""

    def side(network):
        steps = [node for node in network.graph.nodes if node.operation != WEIGHT]
        at = {node.name: index for index, node in enumerate(steps)}
        edges = [(at[name], at[n.name]) for n in steps for name in n.inputs if name in at]
        chain = {n.name: i for i, c in enumerate(equivalence_classes(network.graph)) for n in c}
        output = network.graph.outputs[0][1]
        return steps, edges, [chain.get(node.name) for node in steps], output

    (steps_a, edges_a, chain_a, end_a), (steps_b, edges_b, chain_b, end_b) = side(a), side(b)
    weights = np.array(
        [
            [compatible(u, v) and u.name != end_a and v.name != end_b for v in steps_b]
            for u in steps_a
        ],
        float,
    )
    best = 0
    problem = (len(steps_a), edges_a, len(steps_b), edges_b, weights)
    for pairs in all_acyclic_matchings(*problem):
        used_a, used_b = [chain_a[i] for i, _ in pairs], [chain_b[j] for _, j in pairs]
        if len(set(used_a)) == len(used_a) and len(set(used_b)) == len(used_b):
            best = max(best, len(pairs))
    return best


@settings(max_examples=60, deadline=None)
@given(random_networks(most=5, name="a"), random_networks(most=5, name="b"))
def test_distinct_points_give_the_most_matches_that_use_no_chain_twice(a, b):
    assume(
        a.graph.by_name[a.graph.outputs[0][1]].shape == b.graph.by_name[b.graph.outputs[0][1]].shape
    )
    expected = slow_distinct(a, b)
    assume(expected > 0)
    found = match(a, b, points="distinct")
    assert len(found) == expected
    for each, side in ((a, 0), (b, 1)):
        chain = {n.name: i for i, c in enumerate(equivalence_classes(each.graph)) for n in c}
        used = [chain[one.points[side]] for one in found]
        assert len(set(used)) == len(used)


def test_balanced_matches_join_equal_shares_where_the_count_takes_the_first():
    a, steps = line("conv", "sin", "conv", "sin", "conv", "sin", "pool", name="a")
    b, (conv, _) = line("conv", "pool", name="b")
    assert match(a, b).matches[0].points == (steps[0], conv)
    balanced = match(a, b, objective="balanced")
    # b's convolution is all that b computes, as is a's last one.
    assert balanced.matches[0].points[0] in steps[4:6]
    assert balanced.weight == pytest.approx(1)
    assert balanced.exact


@pytest.mark.parametrize(
    "options, message",
    [
        ({"points": "distict"}, "points is 'distict'; did you mean 'distinct'?"),
        ({"points": 3}, "points is 3; expected 'all' or 'distinct'"),
        ({"objective": "balance"}, "objective is 'balance'; did you mean 'balanced'?"),
        ({"objective": "stitchability"}, "removed: give 'count' or 'balanced', or weights of your"),
        ({"objective": "savings"}, "objective is 'savings'; it was removed"),
        ({"objective": "balanced", "weights": np.ones((4, 4))}, "give one of both"),
    ],
)
def test_choices_that_do_not_exist_or_do_not_fit(options, message):
    with pytest.raises(MatchingError) as caught:
        match(small("first", "a"), small("second", "b"), **options)
    assert message in str(caught.value)


def test_weights_from_a_tensor_and_from_a_function_of_shapes():
    """Stitches between narrow points are cheap: the pooled features are wide and lose."""
    a, b = small("first", "a"), small("second", "b")
    per_stitch = match(a, b, weights=lambda u, v: 1 / (u.shape[1] * v.shape[1]))
    assert per_stitch.weight == pytest.approx(1 / 16 + 1 / 64 + 1 / 64)
    found = match(a, b, weights=torch.eye(4) * 3)
    assert (len(found), found.weight) == (3, 9)


def test_weights_that_are_all_zero_are_named():
    a, b = small("first", "a"), small("second", "b")
    with pytest.raises(MatchingError, match="every match of first with second has weight 0"):
        match(a, b, weights=np.zeros((4, 4)))


def test_weights_of_distinct_points_are_those_of_the_points_that_are_kept():
    a, (_, norm_a, _) = line("conv", "norm", "pool", name="a")
    b, (_, norm_b, _) = line("conv", "norm", "pool", name="b")
    asked = []

    def worth(u, v):
        asked.append((u.name, v.name))
        return 2.0

    assert match(a, b, points="distinct", weights=worth).weight == 2
    assert asked == [(norm_a, norm_b)]
