from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint_examples import brute_force, has_cycle, joint_maximum, joint_problems, worth
from matching_examples import any_floats, branches, problems, recorded, small_integers

from netstitch.errors import MatchingError
from netstitch.matching import maximum_acyclic_matching
from netstitch.matching.acyclic.joint import JOINT, DirectedGraph, joint_acyclic_matching

CHAIN = DirectedGraph(2, [(0, 1)])


def check(graphs, weights, found):
    """Assert the properties of every result."""
    groups = [tuple(group.items()) for group in found.groups]
    points = [point for group in groups for point in group]
    assert len(set(points)) == len(points)
    assert all(len(group) > 1 and worth(weights, group) for group in groups)
    assert not has_cycle(graphs, groups)
    assert found.weight == pytest.approx(sum(worth(weights, group) for group in groups))
    assert found.weight <= found.upper_bound


triples = st.one_of(joint_problems(small_integers, 3, 4), joint_problems(any_floats, 3, 4))
quadruples = st.one_of(joint_problems(small_integers, 4, 3), joint_problems(any_floats, 4, 3))


@settings(max_examples=60, deadline=None)
@given(st.one_of(triples, quadruples))
def test_the_maximum_lies_between_the_weight_and_the_bound(problem):
    graphs, weights = problem
    found = joint_acyclic_matching(graphs, weights)
    check(graphs, weights, found)
    best = joint_maximum(graphs, weights)
    assert found.weight <= best * (1 + 1e-12)
    assert best <= found.upper_bound * (1 + 1e-12)
    alone = [
        joint_acyclic_matching([graphs[i], graphs[j]], {(0, 1): table})
        for (i, j), table in weights.items()
    ]
    assert found.upper_bound <= sum(each.upper_bound for each in alone) * (1 + 1e-12)
    assert found.weight >= max(each.weight for each in alone) * (1 - 1e-12)


@settings(max_examples=40, deadline=None)
@given(st.one_of(joint_problems(small_integers, 3, 2), joint_problems(small_integers, 4, 2)))
def test_the_slow_twin_is_the_maximum_of_all_sets_of_groups(problem):
    assert joint_maximum(*problem) == brute_force(*problem)


@pytest.mark.parametrize("count, most", [(3, 5), (4, 3)])
@pytest.mark.parametrize("whole", [True, False], ids=["count", "weights"])
def test_matching_one_graph_after_the_other_comes_near_the_maximum(count, most, whole):
    rng, shares = np.random.default_rng(count), []
    for _ in range(25):
        sizes = rng.integers(2, most + 1, count)
        graphs = [
            DirectedGraph(n, [e for e in combinations(range(n), 2) if rng.random() < 0.5])
            for n in map(int, sizes)
        ]
        kinds = [rng.integers(0, 2, n) for n in sizes]
        weights = {
            (i, j): (kinds[i][:, None] == kinds[j]) * (1.0 if whole else rng.random(sizes[[i, j]]))
            for i, j in combinations(range(count), 2)
        }
        best = joint_maximum(graphs, weights)
        shares.append(joint_acyclic_matching(graphs, weights).weight / best if best else 1)
    assert min(shares) >= 0.75
    assert np.mean(shares) >= 0.99
    assert np.mean(np.array(shares) > 1 - 1e-9) >= 0.85


@settings(max_examples=60, deadline=None)
@given(problems(any_floats))
def test_two_graphs_are_matched_as_the_exact_solver_does(problem):
    n_a, edges_a, n_b, edges_b, weights = problem
    graphs = [DirectedGraph(n_a, edges_a), DirectedGraph(n_b, edges_b)]
    found = joint_acyclic_matching(graphs, {(0, 1): weights})
    exact = maximum_acyclic_matching(*problem)
    assert [(group[0], group[1]) for group in found.groups] == list(exact.pairs)
    assert (found.weight, found.upper_bound) == (exact.weight, exact.upper_bound)
    assert found.method == exact.method


def test_the_bound_is_out_of_reach_where_stages_come_in_rotated_orders():
    """Any two networks share one stage; all three matches together would make a cycle."""
    stages = ["ab", "bc", "ca"]
    weights = {
        (i, j): np.array([[float(u == v) for v in stages[j]] for u in stages[i]])
        for i, j in combinations(range(3), 2)
    }
    found = joint_acyclic_matching([CHAIN] * 3, weights)
    assert found.weight == joint_maximum([CHAIN] * 3, weights) == 2
    assert found.upper_bound == 3


def test_a_node_joins_only_where_it_fits_every_member():
    """The third graph's node fits one node of a group and not the other."""
    one = DirectedGraph(1, [])
    weights = {(0, 1): [[3.0]], (0, 2): [[2.0]], (1, 2): [[0.0]]}
    weights = {pair: np.array(table) for pair, table in weights.items()}
    found = joint_acyclic_matching([one] * 3, weights)
    assert found.groups == ({0: 0, 1: 0},)
    assert (found.weight, found.upper_bound, found.method) == (3, 5, JOINT)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_recorded_networks_reach_the_bound_in_every_order(order):
    """The paper's two ResNets, and the first once more: every node fits its own copy."""
    n_a, edges_a, n_b, edges_b, across = recorded("imagenet-b")
    a, b = DirectedGraph(n_a, edges_a), DirectedGraph(n_b, edges_b)
    within = (across @ across.T > 0).astype(float)
    table = {("a", "b"): across, ("b", "a"): across.T, ("a", "a"): within}
    names = ["aba"[each] for each in order]
    graphs = [{"a": a, "b": b}[name] for name in names]
    weights = {(i, j): table[names[i], names[j]] for i, j in combinations(range(3), 2)}
    found = joint_acyclic_matching(graphs, weights)
    check(graphs, weights, found)
    assert found.weight == found.upper_bound


def test_graphs_too_wide_for_the_exact_programme_are_enclosed():
    rng = np.random.default_rng(5)
    graphs = [DirectedGraph(*branches(rng, 3, 3)) for _ in range(3)]
    weights = {pair: rng.random((9, 9)) for pair in combinations(range(3), 2)}
    found = joint_acyclic_matching(graphs, weights, state_cap=60)
    check(graphs, weights, found)
    assert 0.5 * found.upper_bound <= found.weight < found.upper_bound
    exact = joint_acyclic_matching(graphs, weights)
    assert exact.weight <= found.upper_bound
    assert found == joint_acyclic_matching(graphs, weights, state_cap=60)


def test_a_cycle_is_refused():
    loop = DirectedGraph(2, [(0, 1), (1, 0)])
    weights = dict.fromkeys([(0, 1), (0, 2), (1, 2)], np.eye(2))
    with pytest.raises(MatchingError, match="cycle"):
        joint_acyclic_matching([CHAIN, CHAIN, loop], weights)
