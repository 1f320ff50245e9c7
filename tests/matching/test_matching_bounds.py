import numpy as np
import pytest
from hypothesis import given, settings
from matching_examples import any_floats, orders, problems, slow_maximum

from netstitch.matching.acyclic.bounds import (
    assignment,
    assignment_bound,
    chain_cover,
    parts,
    prices,
    relaxed_bound,
)


@settings(deadline=None, max_examples=300)
@given(problems(any_floats))
def test_prices_prove_the_assignment(problem):
    weights = problem[4]
    if not weights.any():
        return
    matched = assignment(weights)
    price_a, price_b = prices(weights, matched)
    assert (price_a[:, None] + price_b >= weights - 1e-9).all()
    total = price_a.sum() + price_b.sum()
    assert total == pytest.approx(assignment_bound(weights, matched), rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(problems(any_floats))
def test_no_acyclic_matching_weighs_more_than_the_bounds(problem):
    weights = problem[4]
    if not weights.any():
        return
    matched = assignment(weights)
    best = slow_maximum(*problem)
    bound = assignment_bound(weights, matched)
    relaxed = relaxed_bound(*orders(*problem[:4]), weights, matched, enough=0.0)
    assert best * (1 - 1e-12) <= relaxed <= bound


def test_order_within_chains_lowers_the_bound():
    # Crossing pairs of two chains: both without order, one with it.
    weights = np.array([[0.0, 1.0], [1.0, 0.0]])
    matched = assignment(weights)
    order = orders(2, [(0, 1)], 2, [(0, 1)])
    assert assignment_bound(weights, matched) == 2
    assert relaxed_bound(*order, weights, matched, enough=1.0) == 1


def test_a_chain_cover_follows_branches():
    order, _ = orders(5, [(0, 1), (0, 2), (1, 3), (2, 4)], 0, [])
    assert chain_cover(order) == [[0, 1, 3], [2, 4]]


def test_parts_are_as_few_as_the_states_allow():
    order, _ = orders(40, [(i, i + 4) for i in range(36)], 0, [])
    assert [len(part) for part in parts(order, 100_000)] == [11**4]
    assert [len(part) for part in parts(order, 1)] == [11] * 4
    assert sum(len(part) for part in parts(order, 300)) <= 300
