import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.optimization.operators.variation import (
    CROSSOVERS,
    mutation,
    one_point_crossover,
    two_point_crossover,
    uniform_crossover,
)


@settings(deadline=None)
@given(length=st.integers(1, 12), seed=st.integers(0, 999))
def test_a_child_is_one_parent_with_one_segment_of_the_other(length: int, seed: int) -> None:
    zeros, ones = np.zeros(length, dtype=np.int64), np.ones(length, dtype=np.int64)
    child = two_point_crossover(zeros, ones, np.random.default_rng(seed))
    inside = np.flatnonzero(child)
    assert inside.size > 0
    assert inside.tolist() == list(range(inside[0], inside[-1] + 1))
    assert not zeros.any()


def test_every_segment_is_as_likely() -> None:
    generator = np.random.default_rng(3)
    zeros, ones = np.zeros(4, dtype=np.int64), np.ones(4, dtype=np.int64)
    children = [tuple(two_point_crossover(zeros, ones, generator)) for _ in range(4000)]
    segments, counts = np.unique(children, axis=0, return_counts=True)
    assert len(segments) == 10  # 5 boundaries, choose 2
    assert counts == pytest.approx(np.full(10, 400), abs=100)


def test_one_point_takes_any_end_of_the_other_parent() -> None:
    generator = np.random.default_rng(3)
    zeros, ones = np.zeros(4, dtype=np.int64), np.ones(4, dtype=np.int64)
    children = [tuple(one_point_crossover(zeros, ones, generator)) for _ in range(4000)]
    ends, counts = np.unique(children, axis=0, return_counts=True)
    assert ends.tolist() == [[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]]
    assert counts == pytest.approx(np.full(4, 1000), abs=150)


def test_uniform_takes_each_variable_of_either_parent() -> None:
    generator = np.random.default_rng(3)
    zeros, ones = np.zeros(3, dtype=np.int64), np.ones(3, dtype=np.int64)
    children = [tuple(uniform_crossover(zeros, ones, generator)) for _ in range(4000)]
    every, counts = np.unique(children, axis=0, return_counts=True)
    assert len(every) == 8
    assert counts == pytest.approx(np.full(8, 500), abs=110)


@pytest.mark.parametrize("name", CROSSOVERS)
def test_crossover_leaves_the_parents_as_they_are(name: str) -> None:
    zeros, ones = np.zeros(9, dtype=np.int64), np.ones(9, dtype=np.int64)
    for seed in range(20):
        child = CROSSOVERS[name](zeros, ones, np.random.default_rng(seed))
        child[:] = 7
    assert not zeros.any()
    assert ones.all()


GENES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=9)


@pytest.mark.parametrize("name", CROSSOVERS)
@given(genes=GENES, seed=st.integers(0, 999))
def test_children_have_each_value_of_a_parent(
    name: str, genes: list[tuple[int, int]], seed: int
) -> None:
    """A mask of zeros and ones tells by its result which parent each value is of."""
    parents = np.array(genes, dtype=np.int64).T
    mask = CROSSOVERS[name](
        np.zeros(len(genes), dtype=np.int64),
        np.ones(len(genes), dtype=np.int64),
        np.random.default_rng(seed),
    )
    child = CROSSOVERS[name](parents[0], parents[1], np.random.default_rng(seed))
    assert child.tolist() == [pair[side] for pair, side in zip(genes, mask.tolist(), strict=True)]


@settings(deadline=None)
@given(
    genes=st.lists(
        st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))),
        min_size=1,
        max_size=8,
    ),
    seed=st.integers(0, 999),
)
def test_mutants_stay_in_range_and_change_wherever_they_can(
    genes: list[tuple[int, int]], seed: int
) -> None:
    cardinalities, genotype = np.array(genes, dtype=np.int64).T
    mutant = mutation(genotype, cardinalities, 1.0, np.random.default_rng(seed))
    assert ((mutant >= 0) & (mutant < cardinalities)).all()
    assert ((mutant != genotype) == (cardinalities > 1)).all()


def test_mutation_changes_each_variable_at_its_rate_to_any_other_value() -> None:
    generator = np.random.default_rng(4)
    cardinalities = np.array([1, 2, 4])
    genotype = np.array([0, 1, 2])
    mutants = np.array([mutation(genotype, cardinalities, 0.5, generator) for _ in range(3000)])
    assert set(mutants[:, 0]) == {0}
    assert np.bincount(mutants[:, 1]) == pytest.approx([1500, 1500], abs=150)
    assert np.bincount(mutants[:, 2]) == pytest.approx([500, 500, 1500, 500], abs=150)
    assert genotype.tolist() == [0, 1, 2]


def test_a_rate_of_one_changes_all_that_can_change() -> None:
    mutant = mutation(np.array([0, 1, 1]), np.array([1, 2, 2]), 1.0, np.random.default_rng(5))
    assert mutant.tolist() == [0, 0, 0]
