"""Genotypes that are evaluated before the first population, which begins with the best of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from optimization_cases import ACCURACY_MACS, ClockedExecutor, accuracy_and_macs

from netstitch.errors import SearchError
from netstitch.optimization import (
    ALGORITHMS,
    Algorithm,
    Evaluation,
    Genotype,
    HeadStart,
    Problem,
    SearchResult,
    SearchSettings,
    SerialExecutor,
    Setup,
    Solution,
    State,
    prepare_search,
    run_search,
)
from netstitch.optimization.algorithms.ga import GeneticAlgorithm
from netstitch.optimization.operators.scalarisation import Scale, tschebysheff
from netstitch.optimization.problem import as_costs

PROBLEM = Problem((3,) * 12, ACCURACY_MACS, active=lambda genotype: genotype >= 0)
AHEAD = [(np.eye(12, dtype=np.int64) * value)[row] for row in range(12) for value in (1, 2)]
LATER = sorted(set(ALGORITHMS) - {"random"})


def search(
    algorithm: Any = "ga", head_start: HeadStart | None = None, **options: Any
) -> tuple[SearchResult, list[Evaluation]]:
    told: list[Evaluation] = []
    given = {"evaluations": 60, "population": 8, **options}
    evaluate = given.pop("evaluate", accuracy_and_macs)
    capacity = given.pop("capacity", 1)
    names = SearchSettings.model_fields.keys()
    result = run_search(
        PROBLEM,
        SerialExecutor(evaluate, capacity),
        SearchSettings(algorithm=algorithm, **{k: v for k, v in given.items() if k in names}),
        head_start=head_start,
        on_evaluation=told.append,
        **{k: v for k, v in given.items() if k not in names},
    )
    return result, told


def genotypes(told: Sequence[Evaluation | Solution]) -> list[list[int]]:
    return [one.genotype.tolist() for one in told]


class Watched(GeneticAlgorithm):
    """Keeps the parts that it was made of last."""

    made: list[Setup]

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        type(self).made = [setup]


@pytest.mark.parametrize("algorithm", LATER)
@pytest.mark.parametrize("capacity", [1, 5])
def test_it_comes_first_in_its_order_and_initial_genotypes_before_it(
    algorithm: str, capacity: int
) -> None:
    initial = [np.full(12, 1), AHEAD[4]]
    _, told = search(algorithm, HeadStart(AHEAD), initial=initial, capacity=capacity)
    others = [one for one in AHEAD if one is not AHEAD[4]]
    assert genotypes(told)[: len(AHEAD) + 1] == [one.tolist() for one in (*initial, *others)]
    assert len(told) > len(AHEAD) + 1


def test_random_search_has_none() -> None:
    initial = [np.full(12, 1)]
    _, with_one = search("random", HeadStart(AHEAD), initial=initial)
    _, without = search("random", initial=initial)
    assert genotypes(with_one) == genotypes(without)


@pytest.mark.parametrize("algorithm", LATER)
@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.1, 6), (0.25, 15), (0.26, 16), (1, 24)])
def test_its_share_of_the_budget_is_bounded(algorithm: str, share: float, count: int) -> None:
    _, told = search(algorithm, HeadStart(AHEAD, share), capacity=4)
    expected = [one.tolist() for one in AHEAD]
    assert genotypes(told)[:count] == expected[:count]
    random = [one for one in genotypes(told)[count:] if np.count_nonzero(one) > 1]
    assert random
    if count < 24:  # what comes next is of the algorithm
        assert genotypes(told)[count] != expected[count]


@pytest.mark.parametrize("share", [0.02, 1])
def test_initial_genotypes_are_evaluated_whatever_its_share(share: float) -> None:
    initial = [np.full(12, 1), np.full(12, 1), AHEAD[4], np.full(12, 2)]
    _, told = search(Watched, HeadStart(AHEAD, share), initial=initial, evaluations=100)
    assert genotypes(told)[:3] == [initial[0].tolist(), AHEAD[4].tolist(), initial[3].tolist()]
    assert (genotypes(told)[3] == AHEAD[0].tolist()) == (share == 1)
    (setup,) = Watched.made
    assert len(setup.initial) == (4 if share == 1 else 3)


@pytest.mark.parametrize(("evaluations", "count"), [(None, 6), (1000, 6), (10, 3)])
def test_of_a_budget_of_time_the_share_is_one_of_time(evaluations: int | None, count: int) -> None:
    """The budget counts of which the larger share is spent."""
    now = 0.0

    def evaluate(genotype: Genotype) -> tuple[float, float]:
        nonlocal now
        now += 1.0
        return accuracy_and_macs(genotype)

    told: list[Evaluation] = []
    run_search(
        PROBLEM,
        ClockedExecutor(evaluate, lambda: now),
        SearchSettings(evaluations=evaluations, seconds=20.0, population=4),
        head_start=HeadStart(AHEAD, 0.3),
        on_evaluation=told.append,
    )
    expected = [one.tolist() for one in AHEAD]
    assert genotypes(told)[:count] == expected[:count]
    assert genotypes(told)[count] != expected[count]


@pytest.mark.parametrize("population", [4, 5, 8, 64])
def test_half_of_the_places_at_most_begin_with_the_best_on_their_weights(population: int) -> None:
    search(Watched, HeadStart(AHEAD), population=population, evaluations=80)
    (setup,) = Watched.made
    costs = np.array([as_costs(PROBLEM.objectives, accuracy_and_macs(one)) for one in AHEAD])
    assert setup.weights is not None
    scale = Scale.of(costs)
    sums = ((costs - scale.least) / scale.extent).sum(axis=1)
    left, expected = list(range(len(AHEAD))), []
    for weights in setup.weights[: population // 2]:
        ranked = [(tschebysheff(costs[one], weights, scale), sums[one], one) for one in left]
        if ranked:
            expected.append(min(ranked)[2])
            left.remove(expected[-1])
    assert setup.initial.tolist() == [AHEAD[number].tolist() for number in expected]


def test_the_population_holds_what_it_began_with_at_no_cost() -> None:
    """Four of eight slots begin with the best, so that four random ones fill the others."""
    count = len(AHEAD)
    _, told = search("gomea", HeadStart(AHEAD), evaluations=count + 4 + 1, count_skipped=True)
    assert [np.count_nonzero(one) > 1 for one in genotypes(told)[count : count + 4]] == [True] * 4
    result, _ = search("gomea", HeadStart(AHEAD), evaluations=count + 4)
    assert (result.used, result.skipped) == (count + 4, 0)


def test_those_that_failed_are_left_out() -> None:
    def evaluate(genotype: Genotype) -> tuple[float, float]:
        if np.count_nonzero(genotype) == 1 and not genotype[3]:
            raise ValueError("only the fourth")
        return accuracy_and_macs(genotype)

    search(Watched, HeadStart(AHEAD), evaluate=evaluate)
    (setup,) = Watched.made
    assert {tuple(one) for one in setup.initial.tolist()} == {tuple(AHEAD[i]) for i in (6, 7)}


def test_those_over_the_threshold_come_first() -> None:
    search(Watched, HeadStart(AHEAD, 0.4), threshold=0.09, population=8)
    (setup,) = Watched.made
    found = [accuracy_and_macs(one)[0] for one in setup.initial]
    assert setup.constraint is not None
    reached = sum(accuracy_and_macs(one)[0] >= 0.4 / 0.5 * 0.09 for one in AHEAD)
    assert 0 < reached < len(AHEAD)
    assert sum(one >= 0.4 / 0.5 * 0.09 for one in found) == min(4, reached)


class OnItsOwn(Algorithm):
    """Heeds no initial genotype."""

    def __init__(self, setup: Setup) -> None:
        self.slots = 3
        self._setup = setup
        self.received: list[tuple[int, list[int]]] = []

    def propose(self, slot: int) -> Genotype:
        return self._setup.random_genotype()

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        self.received.append((slot, solution.genotype.tolist()))

    def state(self) -> State:
        return {"received": list(self.received)}

    def restore(self, state: State) -> None:
        self.received = list(state["received"])


def test_an_algorithm_of_your_own_need_not_heed_initial_genotypes() -> None:
    made: list[OnItsOwn] = []

    def build(setup: Setup) -> OnItsOwn:
        made.append(OnItsOwn(setup))
        return made[-1]

    _, told = search(build, HeadStart(AHEAD[:5]), population=4, evaluations=20)
    assert genotypes(told)[:5] == [one.tolist() for one in AHEAD[:5]]
    assert genotypes(told)[5:] == [one for _, one in made[-1].received]


class OneLoop(OnItsOwn):
    """Proposes the initial genotypes, kept by slot, before others."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.slots = 1
        self._initial = [list(setup.initial)]

    def propose(self, slot: int) -> Genotype:
        left = self._initial[slot]
        return left.pop(0).copy() if left else super().propose(slot)


class OneLoopWithoutSlots(OneLoop):
    """Heeds no slot."""

    def propose(self, slot: int) -> Genotype:
        return super().propose(0)


@pytest.mark.parametrize("algorithm", [OneLoop, OneLoopWithoutSlots])
def test_an_algorithm_of_fewer_slots_than_half_the_population_begins_each_with_one(
    algorithm: type[OneLoop],
) -> None:
    made: list[OneLoop] = []

    def build(setup: Setup) -> OneLoop:
        made.append(algorithm(setup))
        return made[-1]

    _, told = search(build, HeadStart(AHEAD[:5]), population=8, evaluations=20)
    assert {slot for slot, _ in made[-1].received} == {0}
    first, *others = [one for _, one in made[-1].received]
    assert first in [one.tolist() for one in AHEAD[:5]]
    assert others == genotypes(told)[5:]


def test_a_search_without_one_is_what_it_was() -> None:
    """So that states of earlier versions can be gone on from."""
    engine = prepare_search(PROBLEM, SerialExecutor(accuracy_and_macs), SearchSettings())
    assert "head_start" not in engine.state()["config"]


@pytest.mark.parametrize("share", [0, -0.5, 1.5])
def test_a_share_is_a_part_of_the_budget(share: float) -> None:
    with pytest.raises(SearchError, match=f"share of the budget is {share}: give more than 0 to 1"):
        HeadStart(AHEAD, share)


def test_genotypes_that_do_not_fit_are_refused_before_anything_is_evaluated() -> None:
    with pytest.raises(SearchError, match="a genotype has shape"):
        search("ga", HeadStart([[1, 2]]))
