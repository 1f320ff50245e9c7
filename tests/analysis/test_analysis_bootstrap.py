import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.analysis import Interval, paired_difference
from netstitch.errors import DataError


def resampled(a, b, resamples: int, seed: int, level: float) -> Interval:
    """The slow twin: draw the samples themselves, with replacement, again and again."""
    generator = np.random.default_rng(seed)
    differences = a.astype(float) - b
    drawn = generator.integers(0, len(a), (resamples, len(a)))
    low, high = np.quantile(differences[drawn].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(differences.mean(), low, high, level)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.floats(0.3, 0.95), st.floats(0.3, 0.95), st.integers(50, 300))
def test_as_resampling_the_samples(seed, accuracy_a, accuracy_b, size):
    generator = np.random.default_rng(seed)
    a, b = generator.random(size) < accuracy_a, generator.random(size) < accuracy_b
    fast = paired_difference(a, b, seed=seed)
    slow = resampled(a, b, 4_000, seed + 1, 0.95)
    assert fast.difference == pytest.approx(slow.difference)
    # Quantiles of sums of 0 and 1 jump by 1 / size, and 4,000 draws leave noise of about as much.
    spread = slow.high - slow.low
    assert fast.low == pytest.approx(slow.low, abs=2.1 / size + 0.05 * spread)
    assert fast.high == pytest.approx(slow.high, abs=2.1 / size + 0.05 * spread)


def test_known_width():
    """The deviation is sqrt(m) / n where n samples differ in m, here 20 / 10,000."""
    a, b = np.zeros(10_000, bool), np.zeros(10_000, bool)
    a[:200], b[200:400] = True, True
    interval = paired_difference(a, b, seed=1)
    assert interval.difference == 0
    assert interval.low == pytest.approx(-1.96 * 0.002, rel=0.05)
    assert interval.high == pytest.approx(1.96 * 0.002, rel=0.05)


def test_pairing_makes_equal_networks_certain():
    right = np.random.default_rng(0).random(500) < 0.9
    assert paired_difference(right, right, seed=1) == Interval(0.0, 0.0, 0.0)


def test_swapping_the_networks_mirrors_the_interval():
    generator = np.random.default_rng(5)
    a, b = generator.random(2_000) < 0.9, generator.random(2_000) < 0.8
    there, back = paired_difference(a, b, seed=2), paired_difference(b, a, seed=3)
    assert there.difference == pytest.approx(-back.difference)
    assert there.low == pytest.approx(-back.high, abs=1.5e-3)


def test_a_seed_repeats():
    generator = np.random.default_rng(5)
    a, b = generator.random(500) < 0.9, generator.random(500) < 0.8
    found = paired_difference(a, b, seed=1)
    assert paired_difference(a, b, seed=1) == found


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([], [], "one or more"),
        ([True], [True, False], "1 and 2 samples cannot be paired"),
        ([[True]], [[True]], r"shape \(1, 1\)"),
        ([1.5], [1], "outside"),
        ([float("nan")], [1], "outside"),
    ],
)
def test_what_is_no_outcome(a, b, message):
    with pytest.raises(DataError, match=message):
        paired_difference(a, b, seed=1)


def test_an_interval_the_wrong_way_round():
    with pytest.raises(ValueError, match="no interval"):
        Interval(0.0, 1.0, -1.0)


def test_shares_are_resampled_like_samples() -> None:
    random = np.random.default_rng(5)
    a, b = random.random(60), random.random(60)
    found = paired_difference(a, b, seed=1)
    assert found.difference == pytest.approx((a - b).mean())
    picked = random.integers(60, size=(20_000, 60))
    low, high = np.quantile((a - b)[picked].mean(1), [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.01)
    assert found.high == pytest.approx(high, abs=0.01)
