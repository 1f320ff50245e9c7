"""One-sided tests of networks on the same samples."""

import numpy as np
import pytest
from scipy.stats import binom

from netstitch.analysis.paired_test import p_better


def test_of_right_and_wrong_it_is_the_exact_binomial_of_the_samples_that_differ() -> None:
    a = np.array([1] * 9 + [0] * 2 + [1] * 5, dtype=bool)
    b = np.array([0] * 9 + [1] * 2 + [1] * 5, dtype=bool)
    assert p_better(a, b) == pytest.approx(binom.sf(8, 11, 0.5))
    assert p_better(b, a) == pytest.approx(binom.sf(1, 11, 0.5))


def test_networks_that_never_differ_are_equal() -> None:
    assert p_better([True, False], [True, False]) == 1.0


def test_shares_are_ranked() -> None:
    random = np.random.default_rng(0)
    low = random.uniform(0, 0.8, 40)
    assert p_better(low + 0.1, low) < 1e-6
    assert p_better(low, low + 0.1) > 0.99
    assert p_better(random.uniform(size=40), random.uniform(size=40)) > 1e-3
