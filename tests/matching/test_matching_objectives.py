import pytest
from chain_examples import line, random_networks
from hypothesis import given, settings

from netstitch.errors import MatchingError
from netstitch.matching import OBJECTIVES, POINTS, compatible
from netstitch.matching.objectives import LEAST, balanced, check_choices


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_listed_choice_exists(points, objective):
    check_choices(points, objective)


def test_the_nearest_word_is_offered():
    with pytest.raises(MatchingError, match=r"objective 'balance' .* did you mean 'balanced'"):
        check_choices("all", "balance")


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
