"""Linkage is learned as by hand: entropies by counting, merges by averaging all pairs."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.optimization.linkage.linkage_model import (
    LINKAGES,
    Cardinalities,
    Genotypes,
    Subset,
    merges,
    normalised_mutual_information,
    tree_subsets,
)


def subsets_of(
    genotypes: Genotypes, cardinalities: Cardinalities, generator: np.random.Generator
) -> list[Subset]:
    """Return the subsets of the linkage tree of genotypes."""
    information = normalised_mutual_information(genotypes, cardinalities)
    return tree_subsets(information, cardinalities, generator)


def entropy(values: list[object]) -> float:
    counts = Counter(values)
    return -sum(c / len(values) * math.log(c / len(values)) for c in counts.values())


@settings(deadline=None)
@given(
    cardinalities=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    count=st.integers(1, 12),
    seed=st.integers(0, 999),
)
def test_mutual_information_is_that_of_counted_values(
    cardinalities: list[int], count: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    genotypes = generator.integers(cardinalities, size=(count, len(cardinalities)))
    found = normalised_mutual_information(genotypes, np.array(cardinalities))
    columns = [column.tolist() for column in genotypes.T]
    for i, one in enumerate(columns):
        for j, other in enumerate(columns):
            both = entropy(list(zip(one, other, strict=True)))
            expected = (entropy(one) + entropy(other) - both) / both if both > 0 else 0.0
            assert found[i, j] == pytest.approx(expected, abs=1e-6)


@given(length=st.integers(2, 8), seed=st.integers(0, 999))
def test_merges_join_the_two_nodes_of_the_largest_mean_similarity(length: int, seed: int) -> None:
    similarity = np.random.default_rng(seed).random((length, length))
    similarity = (similarity + similarity.T) / 2

    def mean(one: tuple[int, ...], other: tuple[int, ...]) -> float:
        return float(np.mean([similarity[i, j] for i in one for j in other]))

    nodes = {leaf: (leaf,) for leaf in range(length)}
    for step, (left, right) in enumerate(merges(similarity.copy())):
        best = max(mean(nodes[a], nodes[b]) for a, b in combinations(nodes, 2))
        assert mean(nodes[left], nodes[right]) == pytest.approx(best)
        nodes[length + step] = nodes.pop(left) + nodes.pop(right)


@settings(deadline=None)
@given(
    cardinalities=st.lists(st.integers(1, 3), min_size=1, max_size=8),
    seed=st.integers(0, 999),
)
def test_subsets_are_a_tree_without_its_root(cardinalities: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    genotypes = generator.integers(cardinalities, size=(10, len(cardinalities)))
    subsets = subsets_of(genotypes, np.array(cardinalities), generator)
    free = {i for i, cardinality in enumerate(cardinalities) if cardinality > 1}
    found = [frozenset(subset.tolist()) for subset in subsets]
    assert len(set(found)) == len(found) == (len(free) if len(free) < 2 else 2 * len(free) - 2)
    assert {frozenset([i]) for i in free} <= set(found)
    for one, other in combinations(found, 2):
        assert one <= other or other <= one or not one & other
    if len(free) > 1:
        assert frozenset(free) not in found


def test_variables_that_go_together_are_a_subset() -> None:
    generator = np.random.default_rng(1)
    pairs = generator.integers(2, size=(200, 3))
    genotypes = np.repeat(pairs, 2, axis=1)  # 0 and 1 are equal, 2 and 3, 4 and 5
    subsets = subsets_of(genotypes, np.full(6, 2), generator)
    assert {(0, 1), (2, 3), (4, 5)} <= {tuple(subset.tolist()) for subset in subsets}


def test_the_order_of_subsets_is_random() -> None:
    genotypes = np.random.default_rng(0).integers(2, size=(20, 6))
    orders = {
        tuple(
            tuple(subset.tolist())
            for subset in subsets_of(genotypes, np.full(6, 2), np.random.default_rng(seed))
        )
        for seed in range(5)
    }
    assert len(orders) == 5


@pytest.mark.parametrize("name, count", [("random-tree", 2 * 5 - 2), ("single-variables", 5)])
def test_linkage_that_learns_nothing_has_subsets_too(name: str, count: int) -> None:
    cardinalities = np.array([2, 2, 1, 3, 2, 2])
    linkage = LINKAGES[name](cardinalities)
    genotypes = np.zeros((4, 6), dtype=np.int64)
    found = [
        [tuple(one.tolist()) for one in linkage.subsets(genotypes, np.random.default_rng(seed))]
        for seed in (0, 0, 1)
    ]
    assert found[0] == found[1] != found[2]
    assert len(set(found[0])) == count
    assert {(i,) for i in (0, 1, 3, 4, 5)} <= set(found[0])
    if name == "random-tree":
        assert set(found[0]) != set(found[2])  # not only in another order
