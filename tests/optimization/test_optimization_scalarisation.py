import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.optimization.operators.scalarisation import (
    Scale,
    best_on_weights,
    first_weights,
    reassigned,
    scattered_subset,
    tschebysheff,
    weighted_sum,
)


def test_a_range_of_zero_counts_as_one_and_failures_do_not_count() -> None:
    scale = Scale.of(np.array([[3.0, 5.0], [7.0, 5.0], [np.inf, np.inf]]))
    assert scale.least.tolist() == [3.0, 5.0]
    assert scale.extent.tolist() == [4.0, 1.0]


def test_of_failures_alone_the_scale_is_still_usable() -> None:
    scale = Scale.of(np.full((3, 2), np.inf))
    assert tschebysheff(np.array([0.5, 0.0]), np.array([1.0, 1.0]), scale) == 0.5


def test_the_worst_weighted_cost_decides_and_nothing_is_under_zero() -> None:
    scale = Scale(np.array([0.0, 10.0]), np.array([1.0, 20.0]))
    costs = np.array([[0.5, 20.0], [0.5, 30.0], [-3.0, 5.0]])
    values = tschebysheff(costs, np.array([0.4, 0.6]), scale)
    assert values.tolist() == pytest.approx([0.3, 0.6, 0.0])


def test_a_failure_is_infinite_even_where_its_weight_is_zero() -> None:
    scale = Scale(np.zeros(2), np.ones(2))
    assert tschebysheff(np.array([np.inf, np.inf]), np.array([0.0, 1.0]), scale) == np.inf


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_first_weights_sum_to_one_with_the_directions_among_them(objectives: int) -> None:
    weights = first_weights(20, objectives, np.random.default_rng(0))
    assert weights.shape == (20, objectives)
    assert (weights >= 0).all()
    assert weights.sum(axis=1) == pytest.approx(np.ones(20))
    for direction in np.eye(objectives).tolist():
        assert direction in weights.tolist()


def test_first_weights_are_scattered() -> None:
    first = np.sort(first_weights(11, 2, np.random.default_rng(1))[:, 0])
    assert np.diff(first).min() > 0.03
    assert np.diff(first).max() < 0.2


@settings(deadline=None)
@given(
    points=st.lists(st.tuples(*[st.integers(0, 9)] * 2), min_size=1, max_size=20),
    data=st.data(),
)
def test_each_chosen_point_is_the_farthest_from_the_others(
    points: list[tuple[int, int]], data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, len(points)))
    table = np.array(points, dtype=np.float64)
    chosen = scattered_subset(table, n).tolist()
    assert chosen[0] == 0
    assert len(set(chosen)) == n
    for step in range(1, n):
        left = [index for index in range(len(points)) if index not in chosen[:step]]
        near = {i: min(np.sum((table[i] - table[j]) ** 2) for j in chosen[:step]) for i in left}
        assert near[chosen[step]] == max(near.values())


@settings(deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 99), failed=st.integers(0, 12))
def test_weights_go_to_the_best_that_is_left(n: int, seed: int, failed: int) -> None:
    generator = np.random.default_rng(seed)
    costs = generator.random((n, 2))
    costs[:failed] = np.inf
    weights = first_weights(n, 2, generator)
    scale = Scale.of(costs)
    new = reassigned(weights, costs, scale, np.random.default_rng(seed))
    # the same, spelled out
    left = list(range(n))
    for index in np.random.default_rng(seed).permutation(n):
        best = min(left, key=lambda i: (float(tschebysheff(costs[i], weights[index], scale)), i))
        assert new[best].tolist() == weights[index].tolist()
        left.remove(best)


@settings(deadline=None)
@given(seed=st.integers(0, 99), failed=st.booleans())
def test_a_weighted_sum_is_that_of_normalised_costs(seed: int, failed: bool) -> None:
    generator = np.random.default_rng(seed)
    costs, weights = generator.normal(size=3), generator.dirichlet(np.ones(3))
    scale = Scale(np.array([-0.5, 0.0, 0.5]), np.array([1.0, 2.0, 3.0]))
    if failed:
        costs[1] = np.inf
        assert weighted_sum(costs, weights, scale) == np.inf
        return
    expected = 0.0
    for cost, weight, least, extent in zip(costs, weights, scale.least, scale.extent, strict=True):
        expected += weight * max(0.0, (cost - least) / extent)
    assert float(weighted_sum(costs, weights, scale)) == pytest.approx(expected)


@settings(deadline=None)
@given(n=st.integers(1, 12), wanted=st.integers(0, 14), seed=st.integers(0, 99), over=st.booleans())
def test_each_weight_takes_the_best_that_none_before_it_has(
    n: int, wanted: int, seed: int, over: bool
) -> None:
    generator = np.random.default_rng(seed)
    costs = generator.integers(4, size=(n, 2)).astype(np.float64)  # many are equal
    violations = generator.integers(2, size=n) * 0.1 if over else np.zeros(n)
    weights, scale = first_weights(max(2, wanted), 2, generator)[:wanted], Scale.of(costs)
    chosen = best_on_weights(costs, weights, scale, violations)
    assert len(chosen) == len(set(chosen)) == min(n, wanted)
    for step, taken in enumerate(chosen):
        left = [index for index in range(n) if index not in chosen[:step]]
        least = min(violations[left])
        left = [index for index in left if violations[index] == least]
        values = {one: float(tschebysheff(costs[one], weights[step], scale)) for one in left}
        assert values[taken] == min(values.values())
        equal = [one for one in left if values[one] == values[taken]]
        dominating = (costs[equal] <= costs[taken]).all(1) & (costs[equal] < costs[taken]).any(1)
        assert not dominating.any()
