import pytest
from chain_examples import Builder, line, random_networks
from hypothesis import given, settings

from netstitch.errors import MatchingError
from netstitch.matching import OBJECTIVES, POINTS, MatchingSettings, compatible
from netstitch.matching.objectives import LEAST, balanced, shares_before


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_listed_choice_exists(points, objective):
    MatchingSettings(points=points, objective=objective)


def test_the_nearest_word_is_offered():
    with pytest.raises(MatchingError, match=r"objective is 'balance'; did you mean 'balanced'"):
        MatchingSettings(objective="balance")


def test_balance_falls_with_the_distance_of_shares():
    """A match at shares s and t makes a network of s + (1 - t) and one of t + (1 - s)."""
    a, steps = line("conv", "conv", "conv", "conv", name="a")
    worth = balanced(a.graph, a.graph)
    node = a.graph.by_name
    for i, u in enumerate(steps):
        for j, v in enumerate(steps):
            s, t = (i + 1) / 4, (j + 1) / 4
            assert worth(node[u], node[v]) == pytest.approx(1 - abs(s + (1 - t) - 1))


@settings(max_examples=30, deadline=None)
@given(random_networks(name="a"), random_networks(name="b"))
def test_every_compatible_pair_counts_for_something(a, b):
    worth = balanced(a.graph, b.graph)
    for u in a.graph.points:
        for v in b.graph.points:
            if compatible(u, v):
                assert LEAST <= worth(u, v) <= 1


def test_a_line_is_computed_from_its_start():
    network, (first, norm, second) = line("conv", "norm", "conv")
    assert shares_before(network.graph) == {first: 0.5, norm: 0.5, second: 1}


def test_inside_a_residual_block_the_stem_counts_with_the_branch():
    builder = Builder()
    stem = builder.apply("conv", "x")
    branch = builder.apply("conv", stem)
    joined = builder.apply("add", branch, stem)
    head = builder.apply("conv", joined)
    before = shares_before(builder.network([head]).graph)
    assert before[stem] == pytest.approx(1 / 3)
    assert before[branch] == before[joined] == pytest.approx(2 / 3)


def test_a_network_without_multiply_adds_has_no_shares():
    network, (only,) = line("sin")
    assert shares_before(network.graph) == {only: 0}


def ways_back(graph, start):
    """All nodes on ways from one back to the input; followed one by one."""
    found = {start}
    for name in graph.by_name[start].inputs:
        found |= ways_back(graph, name)
    return found


@settings(max_examples=60, deadline=None)
@given(random_networks(most=6))
def test_shares_are_those_of_nodes_followed_one_by_one(network):
    graph = network.graph
    total = graph.multiply_adds or 1
    for name, share in shares_before(graph).items():
        needed = ways_back(graph, name)
        assert share == sum(graph.by_name[each].multiply_adds for each in needed) / total
