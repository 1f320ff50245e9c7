"""The contract that every algorithm keeps, and what is particular to each."""

from collections.abc import Callable
from typing import Any

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimization_cases import (
    ACCURACY_MACS,
    ShuffledExecutor,
    accuracy_and_macs,
    leading_ones_trailing_zeros,
    lotz,
    nondominated,
    parted,
)

from netstitch.errors import SearchError
from netstitch.optimization import (
    ALGORITHMS,
    Algorithm,
    Evaluation,
    Genotype,
    Problem,
    SearchResult,
    SerialExecutor,
    Setup,
    Solution,
    run_search,
)
from netstitch.optimization.algorithms.registry import check_settings, entry, learns_from_all
from netstitch.optimization.problem import as_costs

PROBLEM = Problem((2, 3, 1, 4, 2, 2, 3), ACCURACY_MACS)
Evaluate = Callable[[Genotype], tuple[float, ...]]

MIXING = ("gomea", "lk-gomea")

every_algorithm = pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))


def search(
    algorithm: str, evaluate: Evaluate = accuracy_and_macs, problem: Problem = PROBLEM, **more: Any
) -> tuple[SearchResult, list[Evaluation]]:
    """A short search and all of its evaluations."""
    records: list[Evaluation] = []
    executor = more.pop("executor", SerialExecutor(evaluate))
    options = {"population": 8, "evaluations": 200, "patience": 100, **more}
    settings, others = parted({"algorithm": algorithm, **options})
    result = run_search(problem, executor, settings, on_evaluation=records.append, **others)
    return result, records


def front(result: SearchResult, problem: Problem = PROBLEM) -> list[tuple[float, ...]]:
    return sorted(as_costs(problem.objectives, one.objectives or ()) for one in result.archive)


def evaluated(records: list[Evaluation], problem: Problem = PROBLEM) -> list[tuple[float, ...]]:
    return [as_costs(problem.objectives, one.objectives) for one in records if one.objectives]


@every_algorithm
def test_a_seed_gives_the_same_search_again(algorithm: str) -> None:
    runs = [
        [one.genotype.tolist() for one in search(algorithm, seed=seed)[1]] for seed in (5, 5, 6)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@every_algorithm
@pytest.mark.parametrize("capacity", [1, 3, 8, 50])
def test_the_budget_is_spent_and_never_exceeded(algorithm: str, capacity: int) -> None:
    executor = SerialExecutor(accuracy_and_macs, capacity)
    result, records = search(algorithm, executor=executor, problem=lotz(40), evaluations=123)
    assert result.stopped == "budget"
    assert result.used == result.evaluated + result.skipped == 123
    assert result.evaluated == len(records)


@every_algorithm
@settings(deadline=None, max_examples=25)
@given(
    cardinalities=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    seed=st.integers(0, 999),
    capacity=st.integers(1, 10),
    shuffled=st.booleans(),
)
def test_the_archive_is_the_front_of_all_that_was_evaluated(
    algorithm: str, cardinalities: list[int], seed: int, capacity: int, shuffled: bool
) -> None:
    """Whatever the cardinalities, and in whatever order results come."""
    problem = Problem(tuple(cardinalities), ACCURACY_MACS)
    executor = (
        ShuffledExecutor(accuracy_and_macs, capacity, seed)
        if shuffled
        else SerialExecutor(accuracy_and_macs, capacity)
    )
    result, records = search(algorithm, problem=problem, executor=executor, seed=seed)
    assert front(result, problem) == nondominated(evaluated(records, problem))
    for one in records:
        assert (one.genotype >= 0).all()
        assert (one.genotype < np.array(cardinalities)).all()
    signatures = [one.signature for one in records]
    assert len(set(signatures)) == len(signatures)
    assert [one.ordinal for one in records] == list(range(1, len(records) + 1))


@every_algorithm
@pytest.mark.parametrize("cardinality", [1, 2, 5])
def test_one_variable_is_enough(algorithm: str, cardinality: int) -> None:
    problem = Problem((cardinality,), ACCURACY_MACS)
    result, records = search(algorithm, problem=problem, evaluations=50, count_skipped=False)
    # Mixing has no mutation: what no first genotype has is not found.
    missing = 1 if cardinality == 5 and algorithm in MIXING else 0
    assert len({int(one.genotype[0]) for one in records}) == cardinality - missing
    assert result.stopped in ("patience", "converged")


@every_algorithm
def test_constant_objectives_leave_one_solution(algorithm: str) -> None:
    result, records = search(algorithm, lambda genotype: (0.5, 1.0))
    assert [one.objectives for one in result.archive] == [(0.5, 1.0)]
    assert result.archive[0].genotype is records[0].genotype
    assert len(records) > 20


@every_algorithm
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), None])
def test_failures_are_recorded_and_never_archived(algorithm: str, bad: float | None) -> None:
    def evaluate(genotype: Genotype) -> tuple[float, ...]:
        if genotype.sum() % 2:
            if bad is None:
                raise ValueError("odd")
            return (bad, 0.0)
        return accuracy_and_macs(genotype)

    result, records = search(algorithm, evaluate)
    failed = [one for one in records if one.failure]
    assert result.failed == len(failed) > 0
    assert {one.objectives for one in failed} == {None}
    expected = "ValueError: odd" if bad is None else "objective 'accuracy' is"
    assert all(str(one.failure).startswith(expected) for one in failed)
    assert front(result) == nondominated(evaluated(records))


@every_algorithm
def test_an_interruption_keeps_what_was_found(algorithm: str) -> None:
    calls = 0

    def evaluate(genotype: Genotype) -> tuple[float, ...]:
        nonlocal calls
        calls += 1
        if calls == 31:
            raise KeyboardInterrupt
        return accuracy_and_macs(genotype)

    result, records = search(algorithm, evaluate, evaluations=500)
    assert result.stopped == "interrupted"
    assert result.evaluated == len(records) == 30
    assert front(result) == nondominated(evaluated(records))


@every_algorithm
def test_initial_genotypes_are_evaluated_first(algorithm: str) -> None:
    initial = [[0, 0, 0, 0, 0, 0, choice] for choice in range(3)]
    _, records = search(algorithm, initial=initial)
    assert [one.genotype.tolist() for one in records[:3]] == initial


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"surrogate"}))
def test_three_objectives_are_searched_like_two(algorithm: str) -> None:
    problem = Problem((3,) * 5, (*ACCURACY_MACS, type(ACCURACY_MACS[1])("memory")))

    def evaluate(genotype: Genotype) -> tuple[float, ...]:
        return (*accuracy_and_macs(genotype), float(genotype.max()))

    result, records = search(algorithm, evaluate, problem)
    assert front(result, problem) == nondominated(evaluated(records, problem))
    assert len(result.archive) > 3


@every_algorithm
def test_steering_ends_with_the_front_over_the_threshold(algorithm: str) -> None:
    result, records = search(algorithm, threshold=0.5, evaluations=400)
    costs = evaluated(records)
    if ALGORITHMS[algorithm].follows_threshold:
        assert any(
            cost[0] > -0.5 for cost in nondominated(costs)
        )  # there is something to leave out
        costs = [cost for cost in costs if cost[0] <= -0.5]
    assert front(result) == nondominated(costs)


def test_the_genetic_algorithm_beats_random_search_on_lotz() -> None:
    def hypervolume(algorithm: str, seed: int) -> float:
        problem = lotz(16)
        result, _ = search(
            algorithm,
            leading_ones_trailing_zeros,
            problem,
            population=16,
            evaluations=1500,
            seed=seed,
        )
        return float(moocore.hypervolume(front(result, problem), ref=[1.0, 1.0]))

    medians = {
        algorithm: np.median([hypervolume(algorithm, seed) for seed in range(5)])
        for algorithm in ("ga", "random")
    }
    assert medians["ga"] > 1.2 * medians["random"]


def test_steering_moves_the_genetic_algorithm_over_the_threshold() -> None:
    """Cheap solutions are easy here; the threshold makes it look where the accuracy is."""
    problem = lotz(16)

    def share_over(threshold: float | None) -> float:
        _, records = search(
            "ga",
            leading_ones_trailing_zeros,
            problem,
            threshold=threshold,
            population=16,
            evaluations=1500,
        )
        late = records[len(records) // 2 :]
        return float(
            np.mean([one.objectives is not None and one.objectives[0] >= 8 for one in late])
        )

    assert share_over(8.0) > 2 * share_over(None)


def test_ties_replace_only_when_they_are_let() -> None:
    """On a plateau the default keeps every parent, so offspring stay near the first genotypes."""

    def spread(**settings: Any) -> int:
        problem = lotz(30)
        _, records = search(
            "ga", lambda genotype: (1.0, 1.0), problem, settings=settings, evaluations=600
        )
        return max(int(one.genotype.sum()) for one in records)

    assert spread(ties_replace=True) > spread()


def test_the_mutation_rate_can_be_set() -> None:
    first = [[0] * 7] * 8
    _, records = search("ga", initial=first, settings={"mutation_rate": 0.0})
    assert len(records) == 1  # crossover of equal parents makes nothing new
    with pytest.raises(SearchError, match="mutation_rate is 2"):
        search("ga", settings={"mutation_rate": 2})


@pytest.mark.parametrize(
    "algorithm, given, expected",
    [
        (
            "ga",
            {"ties_replace": "false"},
            "settings of algorithm 'ga': ties_replace is 'false'; expected a valid boolean",
        ),
        ("ga", {"mutation_rate": "high"}, "is 'high'; expected a valid number"),
        ("ga", {"mutation_rate": True}, "is True; expected a valid number"),
        ("ga", {"mutation_rate": 7.0}, "mutation_rate is 7.0: give 0 to 1"),
        ("ga", {"crossover": "twopoint"}, "unknown crossover 'twopoint'"),
        ("gomea", {"inactive": "keep"}, "inactive is 'keep'; did you mean 'kept'"),
        ("gomea", {"inactive": 3}, "is 3; expected 'copied', 'kept' or"),
        ("lk-gomea", {"smallest_neighbourhood": 2.5}, "is 2.5; expected a valid integer"),
        ("lk-gomea", {"smallest_neighbourhood": 1}, "is 1: give 2 or more"),
        ("nsga2", {"crossover_rate": -1}, "crossover_rate is -1"),
    ],
)
def test_values_of_settings_are_checked_before_a_search_is_made(
    algorithm: str, given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(SearchError, match=expected):
        check_settings(algorithm, given)


def test_unknown_names_get_the_nearest_known_one() -> None:
    known = "expected one of ga, gomea, lk-gomea, local-search, nsga2, surrogate, random"
    with pytest.raises(SearchError, match=rf"did you mean 'random'\? {known}"):
        entry("randon")
    with pytest.raises(SearchError, match="did you mean 'ties_replace'"):
        check_settings("ga", {"tie_replace": True})
    with pytest.raises(
        SearchError, match="algorithm 'random': it has no setting 'x'; it takes none"
    ):
        check_settings("random", {"x": 1})


class NoSubclass:
    """Has what an algorithm needs, but not the rest of it."""

    def __init__(self, setup: Setup) -> None:
        self.slots = setup.population

    def propose(self, slot: int) -> Genotype:
        return np.array([slot])

    def receive(self, slot: int, solution: Solution, entered: bool) -> None: ...


class HalfOfOne(Algorithm):
    """Lacks `receive`, `state` and `restore`."""

    def __init__(self, setup: Setup) -> None:
        self.slots = setup.population

    def propose(self, slot: int) -> Genotype:
        return np.array([slot])


@pytest.mark.parametrize("own", [NoSubclass, HalfOfOne, lambda setup: None])
def test_an_algorithm_of_ones_own_that_is_none_is_one_line(own: Any) -> None:
    with pytest.raises(SearchError, match="makes no Algorithm: give a subclass of") as caught:
        search(own)
    assert "\n" not in str(caught.value)


def test_a_class_of_ones_own_says_what_it_learns_from() -> None:
    """A function that makes one does not, and each algorithm of a name does."""

    class Selective(HalfOfOne):
        learns_from_all = False

    assert learns_from_all(HalfOfOne, {})
    assert not learns_from_all(Selective, {})
    assert not learns_from_all(lambda setup: HalfOfOne(setup), {})
    assert {name: learns_from_all(name, {}) for name in ("ga", "gomea", "nsga2")} == {
        "ga": False,
        "gomea": False,
        "nsga2": True,
    }
