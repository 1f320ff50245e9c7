"""The regression, against the posterior that a textbook writes down for all rows at once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netstitch.optimization.linear_surrogate.linear_model import LinearModel

NOISE = 0.1


@given(seed=st.integers(0, 10**6), rows=st.integers(0, 9))
def test_coefficients_vary_around_those_of_ridge_regression(seed: int, rows: int) -> None:
    """Five coefficients, from fewer rows or more."""
    generator = np.random.default_rng(seed)
    prior = generator.uniform(0.1, 3.0, 5)
    features = generator.integers(0, 3, (rows, 5)).astype(np.float64)
    targets = generator.normal(0.0, 2.0, (rows, 2))
    model = LinearModel(prior, NOISE)
    for row in features:
        model.learn(row)
    drawn = np.stack([model.drawn(targets, generator) for _ in range(400)])
    covariance = np.linalg.inv(np.diag(1 / prior) + features.T @ features / NOISE**2)
    expected = covariance @ features.T @ targets / NOISE**2
    deviation = np.sqrt(np.diag(covariance))[:, None]
    errors = (drawn.mean(axis=0) - expected) / deviation
    assert np.abs(errors).max() < 6 / np.sqrt(400)
    assert (drawn.std(axis=0) / deviation).min() > 0.7
    assert (drawn.std(axis=0) / deviation).max() < 1.4


def test_what_rows_share_varies_together() -> None:
    generator = np.random.default_rng(0)
    prior, rows = np.array([1.0, 4.0, 0.25]), np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    for times in (1, 3):  # fewer rows than coefficients, and more
        model = LinearModel(prior, NOISE)
        for row in np.tile(rows, (times, 1)):
            model.learn(row)
        nothing = np.zeros((2 * times, 1))
        drawn = np.stack([model.drawn(nothing, generator)[:, 0] for _ in range(4_000)])
        precision = np.diag(1 / prior) + times * rows.T @ rows / NOISE**2
        np.testing.assert_allclose(np.cov(drawn.T), np.linalg.inv(precision), atol=0.06)
