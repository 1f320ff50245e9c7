import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matching_examples import graphs, merged_has_cycle

from netstitch.errors import MatchingError
from netstitch.matching.acyclic.partial_order import is_acyclic, partial_order, topological_order

DIAMOND = [(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5)]


def test_lowest_number_first_alternates_between_branches():
    assert topological_order(6, DIAMOND, "A") == [0, 1, 2, 3, 4, 5]


def test_newest_first_follows_a_branch_to_its_end():
    assert topological_order(6, DIAMOND, "A", first="newest") == [0, 1, 3, 2, 4, 5]


@settings(deadline=None)
@given(graphs(most=8), st.sampled_from(["lowest", "newest"]))
def test_every_node_comes_after_what_it_reads(graph, first):
    n, edges = graph
    order = topological_order(n, edges, "A", first=first)
    assert sorted(order) == list(range(n))
    assert all(order.index(source) < order.index(target) for source, target in edges)


def test_a_cycle_is_named():
    with pytest.raises(MatchingError, match="graph B: node 1 lies on a cycle"):
        topological_order(3, [(0, 1), (1, 2), (2, 1)], "B")


def test_an_edge_out_of_range_is_named():
    with pytest.raises(MatchingError, match=r"graph A: the edge \(0, 3\) names a node outside"):
        topological_order(3, [(0, 3)], "A")


def test_order_among_kept_nodes_passes_through_the_others():
    order = partial_order([0, 1, 2, 3, 4, 5], DIAMOND, [1, 2, 5])
    assert order.nodes == (1, 2, 5)
    assert order.below == (0b000, 0b000, 0b011)


def test_predecessors_leave_out_what_is_implied():
    order = partial_order([0, 1, 2], [(0, 1), (1, 2), (0, 2)], [0, 1, 2])
    assert order.predecessors() == [[], [0], [1]]


def test_a_part_keeps_the_order_through_what_is_left_out():
    order = partial_order([0, 1, 2, 3, 4, 5], DIAMOND, range(6)).part([0, 3, 4])
    assert order.nodes == (0, 3, 4)
    assert order.below == (0b000, 0b001, 0b001)


def test_rearranging_moves_positions_only():
    order = partial_order([0, 1, 2, 3, 4, 5], DIAMOND, range(6)).part([0, 2, 4, 1, 3, 5])
    assert order.nodes == (0, 2, 4, 1, 3, 5)
    assert order.predecessors() == [[], [0], [1], [0], [3], [2, 4]]


def test_a_band_of_width_one_is_linear_and_a_full_one_changes_nothing():
    order = partial_order([0, 1, 2, 3, 4, 5], DIAMOND, range(6))
    assert order.banded(1).predecessors() == [[], [0], [1], [2], [3], [4]]
    assert order.banded(6) == order


def test_crossing_pairs_of_two_chains_make_a_cycle():
    chain = [(0, 1)]
    assert is_acyclic(2, chain, 2, chain, [(0, 0), (1, 1)])
    assert not is_acyclic(2, chain, 2, chain, [(0, 1), (1, 0)])


@settings(deadline=None)
@given(graphs(least=2), graphs(least=2), st.data())
def test_is_acyclic_equals_following_all_ways(graph_a, graph_b, data):
    n_a, n_b = graph_a[0], graph_b[0]
    targets = data.draw(st.permutations(range(n_b)))
    sources = data.draw(st.permutations(range(n_a)))
    count = data.draw(st.integers(1, min(n_a, n_b)))
    pairs = list(zip(sources, targets, strict=False))[:count]
    assert is_acyclic(*graph_a, *graph_b, pairs) == (
        not merged_has_cycle(*graph_a, *graph_b, pairs)
    )


@pytest.mark.parametrize("pairs", [[(0, 0), (0, 1)], [(2, 0)], [(0, -1)]])
def test_pairs_that_are_no_matching_are_refused(pairs):
    with pytest.raises(MatchingError, match="pair"):
        is_acyclic(2, [], 2, [], pairs)
