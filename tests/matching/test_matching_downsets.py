from itertools import combinations

from hypothesis import given, settings
from matching_examples import graphs

from netstitch.matching.acyclic.downsets import chain, downsets
from netstitch.matching.acyclic.partial_order import partial_order, topological_order

ROOM = 10**6


def order_of(n, edges):
    return partial_order(topological_order(n, edges, "A"), edges, range(n))


def members(found):
    """The downsets as sets of nodes, read off the moves."""
    sets = {0: frozenset()}
    for number in range(len(found)):
        for move in range(found.starts[number], found.starts[number + 1]):
            larger = sets[number] | {int(found.nodes[move])}
            assert sets.setdefault(int(found.targets[move]), larger) == larger
    return sets


def slow_downsets(n, edges):
    subsets = [set(some) for size in range(n + 1) for some in combinations(range(n), size)]
    return {frozenset(some) for some in subsets if all(s in some for s, t in edges if t in some)}


@settings(deadline=None, max_examples=300)
@given(graphs(most=7))
def test_downsets_are_the_closed_subsets(graph):
    n, edges = graph
    found = downsets(order_of(n, edges), ROOM, ROOM)
    sets = members(found)
    assert len(sets) == len(found)
    assert set(sets.values()) == slow_downsets(n, edges)


@settings(deadline=None)
@given(graphs(most=7))
def test_moves_are_all_there_earliest_position_first(graph):
    n, edges = graph
    order = order_of(n, edges)
    found = downsets(order, ROOM, ROOM)
    sets = members(found)
    for number, present in sets.items():
        moves = found.nodes[found.starts[number] : found.starts[number + 1]].tolist()
        larger = {frozenset(present | {node}) for node in range(n) if node not in present}
        assert {present | {node} for node in moves} == larger & set(sets.values())
        places = [order.nodes.index(node) for node in moves]
        assert places == sorted(places)


@settings(deadline=None)
@given(graphs(most=7))
def test_layers_hold_downsets_of_one_size(graph):
    found = downsets(order_of(*graph), ROOM, ROOM)
    sets = members(found)
    for size in range(graph[0] + 1):
        layer = range(found.layers[size], found.layers[size + 1])
        assert {len(sets[number]) for number in layer} == {size}
    assert found.layers[-1] == len(found)


def test_many_downsets_outgrow_the_first_arrays():
    assert len(downsets(order_of(14, []), ROOM, ROOM)) == 2**14


def test_the_caps_are_kept_to_the_last_one():
    order = order_of(4, [])
    assert len(downsets(order, 16, 32)) == 16
    assert downsets(order, 15, 32) is None
    assert downsets(order, 16, 31) is None


def test_a_graph_far_too_wide_is_given_up_early():
    assert downsets(order_of(500, []), 10_000, 100_000) is None


def test_a_chain_has_its_prefixes():
    linear = [(i, i + 1) for i in range(4)]
    found = downsets(order_of(5, linear), ROOM, ROOM)
    same = chain(order_of(5, linear))
    for one, other in zip(vars(found).values(), vars(same).values(), strict=True):
        assert one.tolist() == other.tolist()
