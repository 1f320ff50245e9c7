"""Neighbours are the nearest; neighbourhoods converge when each is one genotype."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netstitch.optimization.linkage.gene_pool import (
    Neighbourhoods,
    WholePopulation,
    nearest,
    neighbourhood_size,
)
from netstitch.optimization.linkage.linkage_model import (
    MutualInformation,
    normalised_mutual_information,
    tree_subsets,
)

TWO = np.full(5, 2)


@given(n=st.integers(1, 20), k=st.integers(1, 20), seed=st.integers(0, 999))
def test_no_one_left_out_is_nearer_than_a_neighbour(n: int, k: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    genotypes, centre = generator.integers(3, size=(n, 4)), generator.integers(3, size=4)
    found = nearest(genotypes, centre, k, generator).tolist()
    assert len(set(found)) == len(found) == min(n, k)
    distance = [sum(a != b for a, b in zip(row, centre, strict=True)) for row in genotypes]
    others = [distance[i] for i in range(n) if i not in found]
    assert max(distance[i] for i in found) <= min(others, default=len(centre))


def test_equally_near_ones_take_turns() -> None:
    genotypes = np.eye(5, dtype=np.int64)
    centre = np.zeros(5, dtype=np.int64)
    first = {int(nearest(genotypes, centre, 1, np.random.default_rng(s))[0]) for s in range(40)}
    assert first == set(range(5))


@given(n=st.integers(4, 300), smallest=st.integers(1, 64), seed=st.integers(0, 999))
def test_neighbourhoods_have_their_least_size(n: int, smallest: int, seed: int) -> None:
    k = neighbourhood_size(n, np.random.default_rng(seed), smallest)
    assert min(n, smallest) <= k <= n


def test_small_neighbourhoods_are_likelier_than_large_ones() -> None:
    generator = np.random.default_rng(0)
    sizes = [neighbourhood_size(512, generator, 32) for _ in range(2000)]
    assert np.median(sizes) == pytest.approx(512 / 8.5, rel=0.1)  # m is 8.5 in the middle


def test_neighbours_are_donors_unless_all_of_the_population_is() -> None:
    generator = np.random.default_rng(0)
    genotypes = generator.integers(2, size=(64, 5))
    for pool in (
        WholePopulation(MutualInformation(TWO)),
        Neighbourhoods(MutualInformation(TWO), 4, "population"),
    ):
        assert pool.draw(genotypes, genotypes[0], generator)[1] is genotypes
    _, donors = Neighbourhoods(MutualInformation(TWO), 4).draw(genotypes, genotypes[0], generator)
    assert 4 <= len(donors) <= 64
    assert (donors == genotypes[0]).all(axis=1).any()  # a solution is its own nearest


@given(seed=st.integers(0, 999), changes=st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_what_is_known_of_a_population_is_what_would_be_learned(
    seed: int, changes: list[int]
) -> None:
    """The population may have changed since the last time or not."""
    generator = np.random.default_rng(seed)
    genotypes = generator.integers(2, size=(8, 5))
    pool = WholePopulation(MutualInformation(TWO))
    for change in changes:
        if change:
            genotypes = genotypes.copy()
            genotypes[generator.integers(8)] = generator.integers(2, size=5)
        found = pool.learn(genotypes, genotypes[0], np.random.default_rng(change))
        information = normalised_mutual_information(genotypes, TWO)
        expected = tree_subsets(information, TWO, np.random.default_rng(change))
        assert [one.tolist() for one in found] == [one.tolist() for one in expected]


def test_neighbourhoods_have_converged_when_each_genotype_fills_one() -> None:
    pool = Neighbourhoods(MutualInformation(TWO), 3)
    same = np.zeros((6, 5), dtype=np.int64)
    assert pool.converged(same, ["one"] * 6)
    assert pool.converged(same[:2], ["one"] * 2)  # a population smaller than a neighbourhood
    parted = np.repeat([[0] * 5, [1] * 5], 3, axis=0)
    assert pool.converged(parted, ["one"] * 3 + ["other"] * 3)
    assert not pool.converged(parted[:5], ["one"] * 3 + ["other"] * 2)
    assert not WholePopulation(MutualInformation(TWO)).converged(same, ["one"] * 6)


@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 1_000))
def test_neighbourhoods_are_those_of_whole_genotypes_whatever_is_compared(
    n: int, smallest: int, seed: int
) -> None:
    """Against the definition: no neighbour that may be among the nearest is another member."""
    generator = np.random.default_rng(seed)
    genotypes = generator.integers(0, 2, (n, 3))
    members = [bytes(one) for one in genotypes[:, :1]]  # two classes, in genotypes that drift
    expected = True
    for own, genotype in enumerate(genotypes):
        distances = [int((genotype != other).sum()) for other in genotypes]
        farthest = sorted(distances)[min(smallest, n) - 1]
        near = {members[i] for i, distance in enumerate(distances) if distance <= farthest}
        expected &= near == {members[own]}
    pool = Neighbourhoods(MutualInformation(TWO), smallest)
    assert pool.converged(genotypes, members) == expected


def test_nothing_is_learned_where_no_donor_differs() -> None:
    generator = np.random.default_rng(0)
    genotypes = np.zeros((8, 5), dtype=np.int64)
    for pool in (
        WholePopulation(MutualInformation(TWO)),
        Neighbourhoods(MutualInformation(TWO), 4),
        Neighbourhoods(MutualInformation(TWO), 4, "population"),
    ):
        subsets, donors = pool.draw(genotypes, genotypes[0], generator)
        assert subsets == []
        assert len(pool.learn(genotypes, genotypes[0], generator)) == 2 * 5 - 2
        assert (donors == 0).all()
    genotypes[7] = 1
    assert WholePopulation(MutualInformation(TWO)).draw(genotypes, genotypes[0], generator)[0]
