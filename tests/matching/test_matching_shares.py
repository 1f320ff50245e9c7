import pytest
from chain_examples import Builder, line, random_networks
from hypothesis import given, settings

from netstitch.matching.shares import optional_shares, shares_before


def test_a_line_is_computed_and_spared_from_its_start():
    network, (first, norm, second) = line("conv", "norm", "conv")
    assert shares_before(network.graph) == {first: 0.5, norm: 0.5, second: 1}
    assert optional_shares(network.graph) == shares_before(network.graph)


def test_inside_a_residual_block_only_the_branch_is_spared():
    builder = Builder()
    stem = builder.apply("conv", "x")
    branch = builder.apply("conv", stem)
    joined = builder.apply("add", branch, stem)
    head = builder.apply("conv", joined)
    graph = builder.network([head]).graph
    before, spared = shares_before(graph), optional_shares(graph)
    assert before[branch] == pytest.approx(2 / 3)
    assert spared[branch] == pytest.approx(1 / 3)
    assert spared[joined] == pytest.approx(2 / 3)
    assert spared[stem] == pytest.approx(1 / 3)


def test_a_network_without_multiply_adds_has_no_shares():
    network, (only,) = line("sin")
    assert shares_before(network.graph) == optional_shares(network.graph) == {only: 0}


def ways_back(graph, start, stop=None):
    """All nodes on ways from one back to the input, not through `stop`; followed one by one."""
    if start == stop:
        return set()
    found = {start}
    for name in graph.by_name[start].inputs:
        found |= ways_back(graph, name, stop)
    return found


@settings(max_examples=60, deadline=None)
@given(random_networks(most=6))
def test_shares_are_those_of_nodes_followed_one_by_one(network):
    graph = network.graph
    output = graph.outputs[0][1]

    def cost(names):
        return sum(graph.by_name[name].multiply_adds for name in names)

    total = graph.multiply_adds or 1
    before, spared = shares_before(graph), optional_shares(graph)
    for point in graph.points:
        assert before[point.name] == cost(ways_back(graph, point.name)) / total
        without = cost(ways_back(graph, output, stop=point.name))
        assert spared[point.name] == pytest.approx(
            (cost(ways_back(graph, output)) - without) / total
        )
        assert 0 <= spared[point.name] <= before[point.name] + 1e-12
