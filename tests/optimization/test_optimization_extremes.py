"""Ends of the front: clusters by hand, and who judges by one objective alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimization_cases import leading_ones_trailing_zeros, lotz

from netstitch.optimization import Evaluation, SearchSettings, SerialExecutor, Solution, run_search
from netstitch.optimization.operators.extremes import balanced_clusters, extreme_objective
from netstitch.optimization.population import Population

ROW = np.stack([np.arange(20.0), 19.0 - np.arange(20.0)], axis=1)
"""A front of 20 points, each as far from the next."""


def of_slot(costs: np.ndarray, slot: int, clusters: int = 5) -> set[int | None]:
    return {
        extreme_objective(costs, slot, clusters, np.random.default_rng(seed)) for seed in range(40)
    }


def test_ends_of_a_front_judge_by_their_objective_and_its_middle_by_weights() -> None:
    assert of_slot(ROW, 0) == {0}
    assert of_slot(ROW, 19) == {1}
    assert of_slot(ROW, 10) == {None}
    assert {0, None} <= of_slot(ROW, 5)  # in the extreme cluster and in the next one


def test_scales_of_objectives_do_not_matter_and_failures_are_left_out() -> None:
    costs = np.concatenate([ROW * [1e-3, 1e9] + [5, 7], np.full((4, 2), np.inf)])
    assert [of_slot(costs, slot) for slot in (0, 10, 19)] == [{0}, {None}, {1}]
    assert of_slot(costs, 22) == {None}
    assert of_slot(costs[16:], 3) == {None}  # fewer than there are clusters


@given(
    n=st.integers(5, 40),
    clusters=st.integers(2, 5),
    distinct=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_clusters_have_the_points_nearest_to_a_centre(
    n: int, clusters: int, distinct: int, seed: int
) -> None:
    """Also where many points are equal."""
    generator = np.random.default_rng(seed)
    points = generator.random((distinct, 2))[generator.integers(distinct, size=n)]
    members, means = balanced_clusters(points, clusters, generator)
    assert members.shape == (clusters, 2 * n // clusters)
    for own, mean in zip(members, means, strict=True):
        assert len(set(own.tolist())) == len(own)
        assert mean == pytest.approx(points[own].mean(axis=0))


def test_a_slot_that_judges_alone_ignores_its_weights() -> None:
    problem = lotz(4)
    population = Population(problem, 4, None, np.random.default_rng(0))
    genotype = np.zeros(4, dtype=np.int64)
    for slot in range(4):
        population.put(slot, Solution(genotype, (float(slot), float(slot))))
    population.weights[:] = [1.0, 0.0]
    better_in_the_second = Solution(genotype, (1.0, 3.0))
    assert not population.betters(better_in_the_second, 2)
    population.alone[2] = 1
    assert population.betters(better_in_the_second, 2)
    assert not population.betters(Solution(genotype, (9.0, 2.0)), 2)
    assert population.betters(Solution(genotype, (9.0, 2.0)), 2, ties=True)


@pytest.mark.parametrize("algorithm", ["gomea", "lk-gomea"])
def test_a_search_with_extreme_clusters_is_another_one(algorithm: str) -> None:
    found = []
    for clusters in (0, 5, 5):
        records: list[Evaluation] = []
        result = run_search(
            lotz(12),
            SerialExecutor(leading_ones_trailing_zeros),
            SearchSettings(
                evaluations=600,
                algorithm=algorithm,
                population=16,
                settings={"extreme_clusters": clusters},
            ),
            on_evaluation=records.append,
            seed=0,
        )
        assert len(result.archive) > 6
        found.append([one.genotype.tolist() for one in records])
    assert found[0] != found[1] == found[2]
