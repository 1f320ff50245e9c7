"""Three and more networks in `match`: groups of points, weights of pairs, and what is told."""

import warnings
from itertools import combinations

import numpy as np
import pytest
from chain_examples import line, random_networks
from hypothesis import assume, given, settings
from joint_examples import has_cycle
from named_networks import network, node, small

from netstitch.errors import MatchingError
from netstitch.matching import Match, compatible, match
from netstitch.matching.acyclic.joint import DirectedGraph
from netstitch.matching.objectives import balanced
from netstitch.networks.graph import WEIGHT

PAIRS = [(0, 1), (0, 2), (1, 2)]


def trio():
    return small("first", "a"), small("second", "b"), small("third", "c")


def told(*networks, **options):
    """The matching, and the lines that its listener was told."""
    lines = []
    return match(*networks, **options, listener=lambda event: lines.append(event.text)), lines


def test_points_of_three_networks_are_joined_in_groups():
    found, lines = told(*trio())
    assert list(found) == [
        Match(("a_stem", "b_stem", "c_stem")),
        Match(("a_half", "b_half", "c_half")),
        Match(("a_pool", "b_pool", "c_pool")),
    ]
    assert found.weight == found.upper_bound == 9  # three pairs each
    assert found.exact
    assert found.names == ("first", "second", "third")
    assert lines == []


def test_where_one_network_lacks_a_point_the_others_are_joined():
    short = network("short", node("half", ("x",), 8, 8, 8))
    found = match(small("first", "a"), short, small("third", "c"))
    assert [each.points for each in found] == [
        ("a_stem", None, "c_stem"),
        ("a_half", "half", "c_half"),
        ("a_pool", None, "c_pool"),
    ]
    assert found.weight == found.upper_bound == 5


@settings(max_examples=40, deadline=None)
@given(
    random_networks(most=5, name="a"),
    random_networks(most=5, name="b"),
    random_networks(most=5, name="c"),
)
def test_groups_of_random_networks_are_compatible_and_acyclic(a, b, c):
    networks = (a, b, c)
    ends = {one.graph.by_name[one.graph.outputs[0][1]].shape for one in networks}
    assume(len(ends) == 1)
    try:
        found, _ = told(*networks)
    except MatchingError:
        assume(False)
    steps = [[n.name for n in one.graph.nodes if n.operation != WEIGHT] for one in networks]
    graphs = [
        DirectedGraph(len(names), [
            (names.index(read), names.index(each))
            for each in names for read in one.graph.by_name[each].inputs if read in names
        ])
        for one, names in zip(networks, steps, strict=True)
    ]  # fmt: skip
    groups = [[(i, steps[i].index(name)) for i, name in each.members.items()] for each in found]
    assert not has_cycle(graphs, groups)
    pairs = 0
    for each in found:
        nodes = [networks[i].graph.by_name[name] for i, name in each.members.items()]
        assert all(compatible(u, v) for u, v in combinations(nodes, 2))
        pairs += len(nodes) * (len(nodes) - 1) // 2
    assert pairs == found.weight <= found.upper_bound


def test_a_class_of_two_layouts_gives_the_point_that_all_others_fit():
    """Pooled and flat features are one class: two networks meet in the flat ones, all in pooled."""
    a, (pool_a, _, _) = line("pool", "flatten", "sin", name="a")
    b, (pool_b, _, _) = line("pool", "flatten", "sin", name="b")
    c, (pool_c, _, _) = line("pool", "sin", "flatten", name="c")
    assert match(a, b).matches[0].points == ("n2", "n2")
    assert Match((pool_a, pool_b, pool_c)) in list(match(a, b, c))


def test_every_objective_is_summed_over_pairs():
    made = [line("conv", "sin", "conv", "sin", "conv", "pool", name=name)[0] for name in "abc"]
    made.append(line("conv", "pool", name="d")[0])
    found = match(*made, objective="balanced")
    expected = 0.0
    for each in found:
        nodes = {i: made[i].graph.by_name[name] for i, name in each.members.items()}
        for i, j in combinations(nodes, 2):
            expected += balanced(made[i].graph, made[j].graph)(nodes[i], nodes[j])
    assert found.weight == pytest.approx(expected)
    assert found.weight <= found.upper_bound


def test_weights_are_given_for_each_pair_of_networks():
    """Arrays and functions side by side; a weight of 0 keeps two networks apart."""
    weights = {
        (0, 1): np.full((4, 4), 2.0),
        (0, 2): lambda u, v: 3.0 if u.name == "a_pool" else 0.0,
        (1, 2): np.full((4, 4), 0.5),
    }
    found = match(*trio(), weights=weights)
    assert [each.points for each in found] == [
        ("a_stem", "b_stem", None),
        ("a_half", "b_half", None),
        ("a_pool", "b_pool", "c_pool"),
    ]
    assert found.weight == 2 + 2 + 5.5
    assert found.upper_bound == 6 + 3 + 1.5


def test_one_function_weighs_all_pairs_the_earlier_network_first():
    asked = []

    def worth(u, v):
        asked.append((u.name[0], v.name[0]))
        return 1.0

    assert match(*trio(), weights=worth).weight == 9
    assert set(asked) == {("a", "b"), ("a", "c"), ("b", "c")}


@pytest.mark.parametrize(
    "weights, message",
    [
        (np.ones((4, 4)), "must be a function of two points, or a mapping with"),
        ({(0, 1): np.ones((4, 4))}, r"given for \(0, 1\); expected one entry for each .*\(1, 2\)"),
        ({}, "given for no pair; expected one entry"),
        (dict.fromkeys([*PAIRS, (2, 3)], np.ones((4, 4))), r"given for .*\(2, 3\); expected one"),
        (dict.fromkeys(PAIRS, np.ones((4, 3))), r"shape \(4, 3\); the points of first and second"),
        (dict.fromkeys(PAIRS, -np.ones((4, 4))), "a_stem with b_stem, of first and second, is -1"),
        (dict.fromkeys(PAIRS, np.zeros((4, 4))), "match of first with second or third has weight"),
    ],
)
def test_bad_weights_of_three_networks_are_named(weights, message):
    with pytest.raises(MatchingError, match=message):
        match(*trio(), weights=weights)


def odd(name):
    """A network of maps of a size that no other one has."""
    return network(name, node(f"{name}_odd", ("x",), 4, 7, 7))


def test_a_network_that_fits_no_other_is_named_and_the_others_go_on():
    a, b, _ = trio()
    found, lines = told(a, odd("strange"), b)
    assert found.matches[0].points == ("a_stem", None, "b_stem")
    assert found.weight == found.upper_bound == len(found) == 3
    (said,) = lines
    assert said.startswith("strange is joined to no other network")
    assert "points of strange are maps of 7x7, those of first maps of 16x16" in said


def test_where_nothing_fits_all_are_named():
    other = network("other", node("nine", ("x",), 4, 9, 9))
    with pytest.raises(MatchingError) as caught:
        match(odd("strange"), other, network("third", node("five", ("x",), 4, 5, 5)))
    message = str(caught.value)
    assert message.startswith(
        "no points of strange, other, third are compatible: points of strange"
    )
    assert "maps of 7x7, those of other maps of 9x9, those of third maps of 5x5" in message


def test_the_same_network_twice_is_matched_and_told():
    a, b, _ = trio()
    found, lines = told(a, b, a)
    assert found.weight == 9
    assert lines == [
        "networks 1 and 3, first and first, are the same: nothing lies between them; leave one out "
        "unless you mean it"
    ]
    with pytest.warns(UserWarning, match="networks 1 and 2, first and first, are the same"):
        match(a, a)


def test_networks_of_equal_weights_are_the_same_and_of_others_are_not():
    one, _ = line("conv", "norm", "sin", name="one")
    copy, _ = line("conv", "norm", "sin", name="copy")
    assert len(told(one, copy)[1]) == 1
    for tensor in copy.weights.values():
        tensor.add_(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        match(one, copy)


def residual(name, blocks):
    """A ResNet for small images, of which every block has seven points."""
    steps, last = [node(f"{name}_stem", ("x",), 4, 32, 32)], f"{name}_stem"
    for stage, size in enumerate((32, 16, 8)):
        for block in range(blocks):
            start = last
            for part in ("conv1", "norm1", "relu1", "conv2", "norm2"):
                reads, last = (last,), f"{name}{stage}_{block}_{part}"
                steps.append(node(last, reads, 4, size, size))
            # A shortcut halves the map where the first block does.
            shortcut = f"{name}{stage}_{block}_shortcut"
            steps.append(node(shortcut, (start,), 4, size, size))
            steps.append(node(f"{name}{stage}_{block}_sum", (last, shortcut), 4, size, size))
            last = f"{name}{stage}_{block}_sum"
    steps.append(node(f"{name}_pool", (last,), 4))
    return network(name, *steps, size=32)


def test_three_residual_networks_of_rising_depth_reach_the_bound():
    made = [residual("a", 3), residual("b", 5), residual("c", 9)]
    found = match(*made)
    smaller = len(made[0].graph.points) - 1  # all but the output
    middle = len(made[1].graph.points) - 1
    assert found.exact
    assert found.weight == 2 * smaller + middle
