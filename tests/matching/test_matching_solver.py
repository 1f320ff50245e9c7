import numpy as np
import pytest
from hypothesis import given, settings
from matching_examples import (
    CASES,
    any_floats,
    branches,
    problems,
    recorded,
    slow_maximum,
    small_integers,
)

from netstitch.errors import MatchingError
from netstitch.matching import is_acyclic, maximum_acyclic_matching
from netstitch.matching.acyclic.solver import BANDS, BOUNDS_MEET, PROGRAM

CHAIN = [(0, 1), (1, 2)]


def check(problem, found):
    """Assert the properties of every result."""
    *graphs, weights = problem
    assert is_acyclic(*graphs, found.pairs)
    assert all(weights[pair] > 0 for pair in found.pairs)
    assert found.weight == pytest.approx(sum(weights[pair] for pair in found.pairs), rel=1e-12)
    assert found.weight <= found.upper_bound


@settings(deadline=None, max_examples=500)
@given(problems(small_integers))
def test_maximum_of_integer_weights(problem):
    found = maximum_acyclic_matching(*problem)
    check(problem, found)
    assert found.weight == found.upper_bound == slow_maximum(*problem)


@settings(deadline=None, max_examples=500)
@given(problems(any_floats))
def test_maximum_of_any_weights(problem):
    found = maximum_acyclic_matching(*problem)
    check(problem, found)
    assert found.weight == found.upper_bound
    assert found.weight == pytest.approx(slow_maximum(*problem), rel=1e-11)


@settings(deadline=None, max_examples=60)
@given(problems(any_floats, most=5))
def test_above_the_cap_the_bounds_enclose_the_maximum(problem):
    found = maximum_acyclic_matching(*problem, state_cap=8)
    check(problem, found)
    best = slow_maximum(*problem)
    assert found.weight <= best * (1 + 1e-12)
    assert found.upper_bound >= best * (1 - 1e-12)


@pytest.mark.parametrize("name", CASES)
def test_recorded_networks_at_their_maxima(name):
    problem = recorded(name)
    found = maximum_acyclic_matching(*problem)
    check(problem, found)
    assert len(found.pairs) == found.weight == found.upper_bound == CASES[name]


@pytest.mark.parametrize("name", CASES)
def test_recorded_networks_with_weights_need_the_programme(name):
    *graphs, compatible = recorded(name)
    weights = compatible * np.random.default_rng(7).random(compatible.shape)
    found = maximum_acyclic_matching(*graphs, weights)
    check((*graphs, weights), found)
    assert found.method == PROGRAM
    assert found.weight == found.upper_bound


@pytest.mark.parametrize("name", ["imagenet-a", "voc"])
def test_recorded_networks_above_the_cap_come_within_five_percent(name):
    *graphs, compatible = recorded(name)
    weights = compatible * np.random.default_rng(7).random(compatible.shape)
    exact = maximum_acyclic_matching(*graphs, weights)
    found = maximum_acyclic_matching(*graphs, weights, state_cap=100_000)
    check((*graphs, weights), found)
    assert found.method == BANDS
    assert found.weight <= exact.weight * (1 + 1e-12)
    assert exact.weight <= found.upper_bound * (1 + 1e-12)
    assert found.upper_bound <= 1.05 * found.weight


def test_graphs_too_wide_for_the_programme_are_enclosed():
    rng = np.random.default_rng(3)
    graph_a, graph_b = branches(rng, 12, 8), branches(rng, 12, 8)
    depth = np.arange(96) // 20
    weights = (depth[:, None] == depth) * rng.random((96, 96))
    problem = (*graph_a, *graph_b, weights)
    found = maximum_acyclic_matching(*problem, state_cap=10**6)
    check(problem, found)
    assert found.method == BANDS
    assert found.upper_bound <= 1.1 * found.weight


def test_equal_input_gives_equal_output_above_the_cap():
    rng = np.random.default_rng(4)
    problem = (*branches(rng, 5, 4), *branches(rng, 5, 4), rng.random((20, 20)))
    once = maximum_acyclic_matching(*problem, state_cap=1000)
    assert once.method == BANDS
    assert once == maximum_acyclic_matching(*problem, state_cap=1000)


def test_ties_break_towards_the_earliest_match():
    found = maximum_acyclic_matching(3, CHAIN, 1, [], np.ones((3, 1)))
    assert found.pairs == ((0, 0),)
    assert found.method == BOUNDS_MEET


def test_ties_of_the_programme_break_towards_the_earliest_match():
    # Only one of the crossing pairs fits, and both weigh the same; nothing can be matched at first,
    # so the first move is the single node 0 of A.
    weights = [[0.0, 2.0], [2.0, 0.0]]
    found = maximum_acyclic_matching(2, [(0, 1)], 2, [(0, 1)], weights)
    assert found.method == PROGRAM
    assert found.pairs == ((1, 0),)


def test_a_heavy_pair_outweighs_two_light_ones():
    weights = [[1.0, 5.0], [0.0, 1.0]]
    found = maximum_acyclic_matching(2, [(0, 1)], 2, [(0, 1)], weights)
    assert found.pairs == ((0, 1),)
    assert found.weight == 5


def test_the_second_order_finds_what_the_first_cannot():
    two_branches = [(0, 2), (1, 3)]  # by lowest number 0 1 2 3, branch by branch 0 2 1 3
    weights = np.zeros((4, 4))
    for i, j in [(0, 0), (2, 1), (1, 2), (3, 3)]:
        weights[i, j] = 1
    problem = (4, two_branches, 4, [(0, 1), (1, 2), (2, 3)], weights)
    found = maximum_acyclic_matching(*problem)
    assert found.pairs == ((0, 0), (2, 1), (1, 2), (3, 3))
    assert found.method == BOUNDS_MEET


@pytest.mark.parametrize("n_a, n_b", [(0, 0), (0, 2), (2, 0), (2, 2)])
def test_nothing_compatible_is_an_empty_matching(n_a, n_b):
    found = maximum_acyclic_matching(n_a, [], n_b, [], np.zeros((n_a, n_b)))
    assert found.pairs == ()
    assert found.weight == found.upper_bound == 0


@pytest.mark.parametrize(
    "weights, message",
    [
        ([[1.0, 1.0]], r"shape \(1, 2\); graphs of 2 and 2 nodes need \(2, 2\)"),
        ([[1.0, 1.0], [-1.0, 1.0]], r"the pair \(1, 0\) is -1.0"),
        ([[1.0, np.nan], [1.0, 1.0]], r"the pair \(0, 1\) is nan"),
        ([[1.0, np.inf], [1.0, 1.0]], r"the pair \(0, 1\) is inf"),
        ([[1e308, 1e308], [1e308, 1e308]], "too large to add up"),
        ([["x", 1], [1, 1]], "array of numbers"),
    ],
)
def test_bad_weights_are_named(weights, message):
    with pytest.raises(MatchingError, match=message):
        maximum_acyclic_matching(2, [], 2, [], weights)


@pytest.mark.parametrize(
    "edges, message",
    [
        ([(0, 2)], r"graph B: the edge \(0, 2\)"),
        ([(-1, 0)], r"graph B: the edge \(-1, 0\)"),
        ([(0, 1), (1, 0)], "graph B: node 0 lies on a cycle"),
        ([(1, 1)], "graph B: node 1 lies on a cycle"),
        ([3], "graph B: edges must be"),
    ],
)
def test_bad_edges_are_named(edges, message):
    with pytest.raises(MatchingError, match=message):
        maximum_acyclic_matching(2, [], 2, edges, np.ones((2, 2)))
