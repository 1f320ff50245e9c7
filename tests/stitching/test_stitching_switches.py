"""The stitches and switches that a matching brings."""

from typing import Any

import pytest
from hypothesis import given, settings
from stitching_examples import matching_of, random_matching, random_network, seeds

from netstitch.errors import StitchingError
from netstitch.matching.matches import Match, Matching
from netstitch.networks.feature_layout import MAP, VECTOR
from netstitch.networks.graph import Graph
from netstitch.stitching import FeatureRef, Switchboard, make_switchboard

A, B, C = (random_network(seed, name) for seed, name in ((1, "a"), (2, "b"), (3, "c")))
GRAPHS = (A.graph, B.graph)
THREE = (*GRAPHS, C.graph)


def refused(graphs: tuple[Graph, ...], matching: Matching, **settings: Any) -> str:
    with pytest.raises(StitchingError) as caught:
        make_switchboard(graphs, matching, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_match_of_two_brings_two_stitches_and_two_switches() -> None:
    board = make_switchboard(GRAPHS, matching_of(("s1", "s2")))
    assert board.cardinalities == (2, 2, 3)
    assert [(s.source, s.target) for s in board.stitches] == [
        (FeatureRef(0, "s1"), FeatureRef(1, "s2")),
        (FeatureRef(1, "s2"), FeatureRef(0, "s1")),
    ]
    assert [(s.place, s.stitches) for s in board.switches] == [
        (FeatureRef(0, "s1"), (None, 1)),
        (FeatureRef(1, "s2"), (None, 0)),
    ]


def test_a_match_of_three_brings_three_switches_of_three_choices() -> None:
    board = make_switchboard(THREE, matching_of(("s1", "s2", "s3"), ("s4", None, "s5")))
    assert board.cardinalities == (3, 3, 3, 2, 2, 7)
    assert len(board.stitches) == 6 + 2
    for switch in board.switches:
        sources = [board.stitches[i].source.network for i in switch.stitches if i is not None]
        assert sources == sorted(set(sources))  # choices in the order of the networks
        for index in switch.stitches[1:]:
            assert index is not None
            assert board.stitches[index].target == switch.place
            assert board.stitches[index].match == switch.match


def test_stitches_know_their_shapes_and_cost() -> None:
    board = make_switchboard(GRAPHS, matching_of(("s1", "s2"), ("pool", "pool")))
    for stitch in board.stitches:
        source = THREE[stitch.source.network].by_name[stitch.source.point].shape
        target = THREE[stitch.target.network].by_name[stitch.target.point].shape
        assert source is not None
        assert target is not None
        assert (stitch.inputs, stitch.outputs) == (source[1], target[1])
        assert stitch.layout == (MAP if len(source) == 4 else VECTOR)
        positions = 16 if stitch.layout == MAP else 1
        assert stitch.multiply_adds == stitch.inputs * stitch.outputs * positions
        weight = stitch.layer().weight
        assert tuple(weight.shape[:2]) == (stitch.outputs, stitch.inputs)


def check_order(graphs: tuple[Graph, ...], board: Switchboard) -> None:
    """No point depends on one of a later match, through any networks."""
    group = {
        (network, name): index
        for index, match in enumerate(board.matches)
        for network, name in match.items()
    }
    for network, graph in enumerate(graphs):
        last: dict[str, int] = {}
        for node in graph.nodes:
            latest = max((last[name] for name in node.inputs), default=-1)
            own = group.get((network, node.name))
            assert own is None or own > latest
            last[node.name] = latest if own is None else own


@settings(deadline=None, max_examples=60)
@given(seeds, seeds)
def test_groups_stand_in_topological_order(seed: int, order: int) -> None:
    networks = [random_network(seed + i, name) for i, name in enumerate("abc")]
    graphs = tuple(network.graph for network in networks)
    matching = random_matching(networks, order)
    board = make_switchboard(graphs, matching)
    assert len(board.matches) == len(matching)
    assert [s.match for s in board.switches] == sorted(s.match for s in board.switches)
    check_order(graphs, board)


def test_no_matches_leave_the_output_switch() -> None:
    board = make_switchboard(GRAPHS, matching_of())
    assert board.cardinalities == (3,)
    assert board.outputs == ((0,), (1,), (0, 1))


def chain(*names: str) -> Graph:
    from netstitch.networks.graph import INPUT, Node, Ref

    nodes = [Node("input", INPUT, shape=("batch", 3, 4, 4))]
    for name in names:
        source = Ref(nodes[-1].name)
        shape = ("batch", 3, 4, 4)
        nodes.append(Node(name, "aten.relu.default", (source,), shape=shape, point=True))
    return Graph(tuple(nodes), ((None, names[-1]),))


def test_a_cycle_is_refused() -> None:
    graphs = (chain("p", "q", "r"), chain("u", "v", "w"))
    assert "cycle" in refused(graphs, matching_of(("p", "v"), ("q", "u")))


def test_a_cycle_over_three_networks_is_refused() -> None:
    graphs = (chain("a1", "a2"), chain("b1", "b2"), chain("c1", "c2"))
    rows = (("a2", "b1", None), (None, "b2", "c1"), ("a1", None, "c2"))
    assert "cycle" in refused(graphs, matching_of(*rows))
    make_switchboard(graphs, matching_of(*rows[:2]))  # two of them are fine


def test_the_earlier_point_comes_first_where_the_order_leaves_a_choice() -> None:
    graphs = (chain("p", "q"), chain("u", "v"))
    board = make_switchboard(graphs, matching_of(("q", "v"), ("p", "u")))
    assert [match[0] for match in board.matches] == ["p", "q"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("s1", "nobody")], "'nobody'"),
        ([("s1_weight", "s2")], "no point"),
        ([("input", "s2")], "'input'"),
        ([("s1", "s2"), ("s1", "s3")], "two matches"),
        ([("s1", None)], "fewer than two"),
        ([("s1", "s2", "s3")], "names 3 networks"),
        ([("s1", "pool")], "cannot be stitched"),
    ],
)
def test_matchings_that_do_not_belong(rows: list[tuple[str | None, ...]], reason: str) -> None:
    if rows == [("s1_weight", "s2")]:
        names = [node.name for node in A.graph.nodes if node.operation == "weight"]
        rows = [(names[0], "s2")]
    assert reason in refused(GRAPHS, matching_of(*rows))


def test_images_of_different_size_cannot_be_stitched() -> None:
    from dataclasses import replace

    nodes = chain("p").nodes
    larger = Graph((nodes[0], replace(nodes[1], shape=("batch", 3, 8, 4))), ((None, "p"),))
    match = Matching((Match(("p", "p")),), 1, 1, "by hand")
    assert "height and width" in refused((chain("p"), larger), match)
