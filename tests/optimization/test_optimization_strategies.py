"""Strategies that algorithms are composed of, one by one, and exchanged by name."""

from collections import Counter

import numpy as np
import pytest
from optimization_cases import ACCURACY_MACS, leading_ones_trailing_zeros, lotz

from netstitch.errors import SearchError
from netstitch.optimization import (
    ALGORITHMS,
    Evaluation,
    SearchSettings,
    SerialExecutor,
    Solution,
    run_search,
)
from netstitch.optimization.algorithms.algorithm import Setup
from netstitch.optimization.algorithms.ga import a_worse_parent
from netstitch.optimization.algorithms.gomea import GenePoolMixing
from netstitch.optimization.algorithms.registry import settings_of
from netstitch.optimization.linkage.gene_pool import WholePopulation
from netstitch.optimization.linkage.linkage_model import LINKAGES, Genotypes, Subset
from netstitch.optimization.operators.gene_pool_mixing import (
    ACCEPTANCES,
    not_worse,
    not_worse_or_archived,
)
from netstitch.optimization.operators.scalarisation import SCALARISATIONS
from netstitch.optimization.operators.variation import CROSSOVERS
from netstitch.optimization.population import Population
from netstitch.optimization.problem import Problem


def solution(accuracy: float, cost: float) -> Solution:
    return Solution(np.zeros(3, dtype=np.int64), (accuracy, cost))


@pytest.fixture
def population() -> Population:
    """Four slots that care for accuracy only, with accuracies 0, 0.2, 0.4 and 0.6."""
    problem = Problem((2,) * 3, ACCURACY_MACS)
    found = Population(problem, 4, None, np.random.default_rng(0))
    for slot in range(4):
        found.put(slot, solution(0.2 * slot, float(slot)))
    found.weights = np.tile([1.0, 0.0], (4, 1))
    return found


def test_a_random_parent_that_is_worse_gives_its_place(population: Population) -> None:
    generator = np.random.default_rng(1)
    places = [
        a_worse_parent(population, solution(0.5, 9.0), (1, 2), False, generator) for _ in range(200)
    ]
    assert set(places) == {1, 2}
    assert min(Counter(places).values()) > 70
    for parents, place in [((2, 3), 2), ((3, 3), None), ((0, 0), 0)]:
        found = a_worse_parent(population, solution(0.5, 9.0), parents, False, generator)
        assert found == place


def test_a_parent_that_is_as_good_gives_its_place_only_with_ties(population: Population) -> None:
    generator = np.random.default_rng(1)
    equal = solution(0.2, 9.0)
    assert a_worse_parent(population, equal, (1, 3), False, generator) is None
    assert a_worse_parent(population, equal, (1, 3), True, generator) == 1


def test_changes_are_kept_when_they_are_not_worse_or_new_in_the_archive(
    population: Population,
) -> None:
    before = solution(0.4, 1.0)
    for accuracy, kept in [(0.5, True), (0.4, True), (0.3, False)]:
        after = solution(accuracy, 1.0)
        for entered in (False, True):
            assert not_worse(population, after, before, 0, entered) == kept
            assert not_worse_or_archived(population, after, before, 0, entered) == (kept or entered)


@pytest.mark.parametrize(
    "setting, known",
    [
        ("acceptance", ACCEPTANCES),
        ("crossover", CROSSOVERS),
        ("linkage", LINKAGES),
        ("scalarisation", SCALARISATIONS),
    ],
)
def test_strategies_are_exchanged_by_name(setting: str, known: dict[str, object]) -> None:
    for algorithm in ALGORITHMS:
        if setting not in settings_of(ALGORITHMS[algorithm].build):
            continue
        found = set()
        for name in known:
            records: list[Evaluation] = []
            result = run_search(
                lotz(12),
                SerialExecutor(leading_ones_trailing_zeros),
                SearchSettings(
                    evaluations=600, algorithm=algorithm, population=8, settings={setting: name}
                ),
                on_evaluation=records.append,
                seed=0,
            )
            assert len(result.archive) > 4
            found.add(tuple(one.genotype.tobytes() for one in records))
        assert len(found) == len(known), algorithm
        with pytest.raises(SearchError, match=f"unknown {setting} 'x': expected one of '"):
            run_search(
                lotz(12),
                SerialExecutor(leading_ones_trailing_zeros),
                SearchSettings(
                    evaluations=300, algorithm=algorithm, settings={setting: "x"}, population=256
                ),
                seed=0,
            )


class PairsInARow:
    """A linkage of one's own: each two variables that stand side by side."""

    def subsets(self, genotypes: Genotypes, generator: np.random.Generator) -> list[Subset]:
        pairs = np.arange(genotypes.shape[1]).reshape(-1, 2)
        return list(generator.permutation(pairs))


def pairwise(setup: Setup, forced: bool = True) -> GenePoolMixing:
    return GenePoolMixing(setup, WholePopulation(PairsInARow()), forced_improvements=forced)


def test_an_algorithm_of_ones_own_parts_is_run_like_any_other() -> None:
    found = []
    for settings in ({}, {}, {"forced": False}):
        records: list[Evaluation] = []
        run_search(
            lotz(12),
            SerialExecutor(leading_ones_trailing_zeros),
            SearchSettings(evaluations=300, algorithm=pairwise, population=8, settings=settings),
            on_evaluation=records.append,
            seed=0,
        )
        found.append([one.genotype.tolist() for one in records])
    assert found[0] == found[1] != found[2]
    with pytest.raises(SearchError, match="pairwise': it has no setting 'force'"):
        run_search(
            lotz(12),
            SerialExecutor(leading_ones_trailing_zeros),
            SearchSettings(
                evaluations=300, algorithm=pairwise, settings={"force": 1}, population=256
            ),
            seed=0,
        )
