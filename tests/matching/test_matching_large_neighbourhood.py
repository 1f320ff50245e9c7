from math import inf

import numpy as np
from hypothesis import given, settings
from matching_examples import any_floats, branches, orders, problems, slow_maximum

from netstitch.matching import is_acyclic
from netstitch.matching.acyclic.downsets import chain
from netstitch.matching.acyclic.dynamic_program import heaviest_way, pairs_of
from netstitch.matching.acyclic.large_neighbourhood import improved


def total(weights, pairs):
    return sum(weights[pair] for pair in pairs)


@settings(deadline=None, max_examples=100)
@given(problems(any_floats))
def test_never_lighter_and_always_acyclic(problem):
    *graphs, weights = problem
    a, b = orders(*graphs)
    start = pairs_of(heaviest_way(chain(a), chain(b), weights))
    found = improved(a, b, weights, start, inf, states=16)
    assert is_acyclic(*graphs, found)
    assert total(weights, start) <= total(weights, found) * (1 + 1e-12)
    assert total(weights, found) <= slow_maximum(*problem) * (1 + 1e-12)


def test_betters_a_linear_order_of_wide_graphs():
    rng = np.random.default_rng(1)
    graphs = (*branches(rng, 8, 5), *branches(rng, 8, 5))
    weights = rng.random((40, 40))
    a, b = orders(*graphs)
    start = pairs_of(heaviest_way(chain(a), chain(b), weights))
    found = improved(a, b, weights, start, inf, states=20_000)
    assert is_acyclic(*graphs, found)
    assert total(weights, found) > 1.05 * total(weights, start)


def test_ends_when_the_weight_is_enough():
    weights = np.array([[1.0, 2.0]])
    a, b = orders(1, [], 2, [])
    assert improved(a, b, weights, ((0, 0),), enough=1.0) == ((0, 0),)
