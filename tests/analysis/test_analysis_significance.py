"""Tests of significance against scipy, and against cases that are counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from netstitch.analysis.significance import holm, p_better, pairwise
from netstitch.errors import DataError

values = st.lists(st.integers(0, 50).map(lambda n: n / 50), min_size=2, max_size=8)


@given(values, st.integers(0, 2**32))
def test_paired_by_seed_it_is_the_signed_rank_test(first: list[float], seed: int) -> None:
    second = np.random.default_rng(seed).permutation(first).tolist()
    (pair,) = pairwise({"a": dict(enumerate(first)), "b": dict(enumerate(second))})
    differences = np.array(first) - np.array(second)
    assert pair.paired
    if differences.any():
        assert pair.p == stats.wilcoxon(differences).pvalue
        kept = differences[differences != 0]
        ranks = stats.rankdata(np.abs(kept))
        expected = (ranks[kept > 0].sum() - ranks[kept < 0].sum()) / ranks.sum()
        assert pair.effect == pytest.approx(expected)
        assert pair.difference == np.median(differences)
    else:
        assert (pair.p, pair.effect, pair.difference) == (1.0, 0.0, 0.0)


@given(values, values)
def test_of_other_seeds_it_is_the_rank_sum_test(first: list[float], second: list[float]) -> None:
    others = {-1 - seed: value for seed, value in enumerate(second)}
    (pair,) = pairwise({"a": dict(enumerate(first)), "b": others})
    assert not pair.paired
    assert pair.p == stats.mannwhitneyu(first, second).pvalue
    better = sum((a > b) - (a < b) for a in first for b in second)
    assert pair.effect == pytest.approx(better / (len(first) * len(second)))


def test_five_seeds_all_better() -> None:
    """Two of the 2^5 ways to sign five ranks are as far out: p = 2 / 32."""
    better = {seed: 0.5 + 0.01 * seed for seed in range(5)}
    worse = {seed: 0.4 + 0.005 * seed for seed in range(5)}
    (pair,) = pairwise({"better": better, "worse": worse})
    assert pair.p == pytest.approx(2 / 32)
    assert pair.effect == 1.0


def test_three_ways_are_three_pairs_corrected_for_their_number() -> None:
    groups = {
        name: {seed: shift + seed for seed in range(6)}
        for name, shift in zip("abc", (0, 9, 4), strict=True)
    }
    pairs = pairwise(groups)
    assert [(pair.first, pair.second) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [pair.p for pair in pairs] == pytest.approx([2 / 64] * 3)
    assert [pair.corrected for pair in pairs] == pytest.approx([6 / 64] * 3)


@pytest.mark.parametrize("runs", [{}, {1: float("nan")}])
def test_a_way_without_numbers(runs: dict[int, float]) -> None:
    with pytest.raises(DataError, match="b has no runs"):
        pairwise({"a": {1: 0.5}, "b": runs})


def test_of_right_and_wrong_it_is_the_exact_binomial_of_the_samples_that_differ() -> None:
    a = np.array([1] * 9 + [0] * 2 + [1] * 5, dtype=bool)
    b = np.array([0] * 9 + [1] * 2 + [1] * 5, dtype=bool)
    assert p_better(a, b) == pytest.approx(stats.binom.sf(8, 11, 0.5))
    assert p_better(b, a) == pytest.approx(stats.binom.sf(1, 11, 0.5))


def test_networks_that_never_differ_are_equal() -> None:
    assert p_better([True, False], [True, False]) == 1.0


def test_shares_are_ranked() -> None:
    random = np.random.default_rng(0)
    low = random.uniform(0, 0.8, 40)
    assert p_better(low + 0.1, low) < 1e-6
    assert p_better(low, low + 0.1) > 0.99
    assert p_better(random.uniform(size=40), random.uniform(size=40)) > 1e-3


def test_the_smallest_is_multiplied_by_most_and_the_order_stays() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []
