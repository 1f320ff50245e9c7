import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from netstitch.errors import SearchError
from netstitch.optimization.operators.initialisation import (
    Initialisation,
    initial_population,
    nonzero_probability,
    random_genotype,
)


def test_the_expected_number_of_nonzeros_is_the_papers() -> None:
    assert nonzero_probability(309) == pytest.approx(0.02)
    assert nonzero_probability(3) == 0.5


@settings(deadline=None)
@given(
    cardinalities=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    n=st.integers(1, 40),
    percent=st.integers(0, 100),
    seed=st.integers(0, 99),
)
@example(cardinalities=[2, 2], n=10, percent=90, seed=0)  # (1 - 0.9) * 10 is under 1 in floats
def test_every_balanced_column_has_exactly_its_nonzeros(
    cardinalities: list[int], n: int, percent: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    genotypes = initial_population(cardinalities, n, percent / 100, (-1,), generator)
    assert genotypes.shape == (n, len(cardinalities))
    assert (genotypes >= 0).all()
    assert (genotypes < np.array(cardinalities)).all()
    expected = n - (100 - percent) * n // 100
    for column, cardinality in list(zip(genotypes.T, cardinalities, strict=True))[:-1]:
        assert np.count_nonzero(column) == (expected if cardinality > 1 else 0)


def test_rows_are_shuffled_apart_and_values_spread() -> None:
    genotypes = initial_population((2, 2, 4, 3), 600, 0.5, (-1,), np.random.default_rng(1))
    # independent columns agree in about half of their rows
    assert 240 < np.count_nonzero(genotypes[:, 0] == genotypes[:, 1]) < 360
    values, counts = np.unique(genotypes[:, 2], return_counts=True)
    assert values.tolist() == [0, 1, 2, 3]
    assert counts[0] == 300
    assert counts[1:].min() > 70
    assert np.bincount(genotypes[:, 3]).min() > 150  # uniform, 0 included


def test_a_random_genotype_has_the_same_distribution() -> None:
    generator = np.random.default_rng(2)
    drawn = np.array([random_genotype((2, 4, 1, 3), 0.1, (-1,), generator) for _ in range(2000)])
    assert np.count_nonzero(drawn[:, :2], axis=0) == pytest.approx([200, 200], abs=60)
    assert not drawn[:, 2].any()
    assert np.bincount(drawn[:, 3]) == pytest.approx([667, 667, 667], abs=100)


@pytest.mark.parametrize("probability", [-0.1, 1.1, math.nan])
def test_a_probability_out_of_range_is_refused(probability: float) -> None:
    with pytest.raises(SearchError, match="probability"):
        Initialisation(probability)
