"""NSGA-II, asked and told by hand."""

import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimization_cases import ACCURACY_MACS, dominates, leading_ones_trailing_zeros, lotz

from netstitch.errors import SearchError
from netstitch.optimization import (
    Archive,
    Genotype,
    Initialisation,
    Objective,
    Problem,
    SearchSettings,
    SerialExecutor,
    Setup,
    Solution,
    run_search,
)
from netstitch.optimization.algorithms.nsga2 import NSGA2, check_installed
from netstitch.optimization.problem import as_costs
from netstitch.optimization.rising_threshold import RisingThreshold
from netstitch.optimization.search_state import load_state, save_state

SLOTS, LENGTH = 6, 60
FIRST = np.repeat(np.arange(SLOTS)[:, None], LENGTH, axis=1)
"""All variables of a first genotype are its slot's number, so offspring show their parents."""

Result = tuple[float, ...] | None


def nsga2(
    seed: int = 0,
    *,
    objectives: tuple[Objective, ...] = ACCURACY_MACS,
    cardinalities: Sequence[int] = (SLOTS,) * LENGTH,
    first: Genotype = FIRST,
    steering: RisingThreshold | None = None,
    **more: Any,
) -> NSGA2:
    problem = Problem(tuple(cardinalities), objectives)
    archive, generator = Archive(problem.objectives), np.random.default_rng(seed)
    setup = Setup(problem, SLOTS, Initialisation(), first, archive, steering, generator)
    return NSGA2(setup, **more)


def tell(algorithm: NSGA2, results: Sequence[Result]) -> list[Genotype]:
    """Give a whole generation its results, all of them under way at once."""
    offspring = [algorithm.propose(slot) for slot in range(SLOTS)]
    assert algorithm.propose(0) is None
    for slot, (genotype, result) in enumerate(zip(offspring, results, strict=True)):
        assert genotype is not None
        algorithm.receive(slot, Solution(genotype, result), False)
    return [genotype for genotype in offspring if genotype is not None]


def survivors(algorithm: NSGA2, told: Sequence[Genotype]) -> list[int]:
    """Return the parents among all genotypes that were told."""
    at = {genotype.tobytes(): i for i, genotype in enumerate(told)}
    assert len(at) == len(told)
    return sorted(at[genotype.tobytes()] for genotype in algorithm.parents)


def fronts(costs: dict[int, tuple[float, ...]]) -> list[list[int]]:
    """Non-dominated sorting by its definition."""
    left, found = dict(costs), []
    while left:
        front = [i for i in left if not any(dominates(other, left[i]) for other in left.values())]
        found.append(front)
        left = {i: cost for i, cost in left.items() if i not in front}
    return found


def crowding(costs: Sequence[tuple[float, ...]]) -> list[float]:
    """Return the sides of the cuboids of a front without equal objectives."""
    sums = [0.0] * len(costs)
    for column in zip(*costs, strict=True):
        values = sorted(column)
        for i, value in enumerate(column):
            place = values.index(value)
            if place in (0, len(values) - 1):
                sums[i] = math.inf
            else:
                sides = values[place + 1] - values[place - 1]
                sums[i] += sides / (values[-1] - values[0]) / len(costs[0])
    return sums


def keys(
    objectives: tuple[Objective, ...], results: Sequence[Result], threshold: float
) -> list[tuple[float, int, float]]:
    """The slow twin of survival: violation, rank and the negative of crowding; least is best."""
    found = []
    for result in results:
        violation = math.inf if result is None else max(0.0, threshold - result[0])
        found.append((violation, 0, 0.0))
    costs = {
        i: as_costs(objectives, result)
        for i, result in enumerate(results)
        if result is not None and found[i][0] == 0
    }
    for rank, front in enumerate(fronts(costs)):
        for i, distance in zip(front, crowding([costs[i] for i in front]), strict=True):
            found[i] = (0.0, rank, -distance)
    return found


def objectives_of(count: int) -> tuple[Objective, ...]:
    return (*ACCURACY_MACS, Objective("memory"))[:count]


@settings(deadline=None, max_examples=60)
@given(
    results=st.integers(1, 3).flatmap(
        lambda m: st.lists(
            st.none() | st.tuples(*[st.integers(-3, 3).map(float)] * m),
            min_size=2 * SLOTS,
            max_size=2 * SLOTS,
        ).map(lambda results: (m, results))
    ),
    threshold=st.none() | st.sampled_from([0.0, 1.0, 2.5]),
)
def test_whole_fronts_survive_before_the_next(
    results: tuple[int, list[Result]], threshold: float | None
) -> None:
    """Ties, equal solutions and failures included."""
    count, told = results
    steering = None if threshold is None else RisingThreshold(0, 3.0, threshold)
    algorithm = nsga2(objectives=objectives_of(count), steering=steering)
    genotypes = tell(algorithm, told[:SLOTS])
    assert survivors(algorithm, genotypes) == list(range(SLOTS))
    genotypes += tell(algorithm, told[SLOTS:])
    limit = -math.inf if threshold is None else threshold
    expected = [key[:2] for key in keys(objectives_of(count), told, limit)]
    survived = [expected[i] for i in survivors(algorithm, genotypes)]
    assert sorted(survived) == sorted(expected)[:SLOTS]


@settings(deadline=None, max_examples=60)
@given(
    columns=st.integers(1, 3).flatmap(
        lambda m: st.tuples(
            *[st.lists(st.integers(0, 99), min_size=12, max_size=12, unique=True)] * m
        )
    ),
    threshold=st.sampled_from([-1.0, 30.0]),
)
def test_the_least_crowded_of_the_last_front_survive(
    columns: tuple[list[int], ...], threshold: float
) -> None:
    objectives = objectives_of(len(columns))
    told: list[Result] = [tuple(map(float, row)) for row in zip(*columns, strict=True)]
    algorithm = nsga2(objectives=objectives, steering=RisingThreshold(0, 99.0, threshold))
    genotypes = tell(algorithm, told[:SLOTS]) + tell(algorithm, told[SLOTS:])
    every = keys(objectives, told, threshold)
    survived = sorted(every[i] for i in survivors(algorithm, genotypes))
    assert np.array(survived) == pytest.approx(np.array(sorted(every)[:SLOTS]))


def test_failed_solutions_survive_only_where_there_are_no_others() -> None:
    steering = RisingThreshold(0, 9.0, 9.0)
    worst, failed = (0.0, 99.0), None
    for algorithm in (nsga2(), nsga2(steering=steering)):
        genotypes = tell(algorithm, [failed, worst, failed, failed, failed, failed])
        genotypes += tell(algorithm, [failed, failed, worst, worst, failed, failed])
        good = {1, 8, 9}
        assert good < set(survivors(algorithm, genotypes))
        assert np.isinf(algorithm.costs).all(axis=1).sum() == 3


def test_solutions_under_the_threshold_go_by_violation_alone() -> None:
    algorithm = nsga2(steering=RisingThreshold(0, 0.5, 0.5))
    genotypes = tell(algorithm, [(0.1 * i, float(i)) for i in range(SLOTS)])
    genotypes += tell(algorithm, [(0.05 + 0.1 * i, 50.0) for i in range(SLOTS)])
    assert survivors(algorithm, genotypes) == [3, 4, 5, 9, 10, 11]  # 0.3, 0.4, 0.5; 0.35, ...


def test_violations_follow_the_threshold() -> None:
    """Cheap solutions that were good parents go when it rises over them."""
    steering = RisingThreshold(0, 0.5)
    algorithm = nsga2(steering=steering)
    genotypes = tell(algorithm, [(0.1, 0.0)] * SLOTS)
    steering.advance(1.0)
    genotypes += tell(algorithm, [(0.6, 99.0)] * 4 + [(0.2, 50.0), (0.05, 1.0)])
    remaining = survivors(algorithm, genotypes)
    assert remaining[1:] == [6, 7, 8, 9, 10]
    assert remaining[0] < SLOTS


def test_first_genotypes_come_first_and_offspring_have_two_parents() -> None:
    algorithm = nsga2(mutation_rate=0.0, crossover_rate=1.0)
    genotypes = tell(algorithm, [(0.1 * slot, 10.0 * slot) for slot in range(SLOTS)])
    assert np.array_equal(genotypes, FIRST)
    for child in tell(algorithm, [None] * SLOTS):
        assert len(set(child.tolist())) == 2
        assert np.count_nonzero(np.diff(child)) == 2  # of the other one there is one segment


def test_losers_of_all_tournaments_are_no_parents() -> None:
    for seed in range(10):
        algorithm = nsga2(seed, mutation_rate=0.0)
        tell(algorithm, [(0.5, 10.0), (0.6, 20.0), (0.7, 30.0), (0.8, 40.0), (0.9, 50.0), None])
        offspring = tell(algorithm, [None] * SLOTS)
        assert not any(SLOTS - 1 in child for child in offspring)


def test_a_tournament_goes_by_rank_and_then_by_crowding() -> None:
    """The last of a line of fronts never wins, nor does the most crowded of one front."""
    line = [(0.9, 10.0), (0.8, 20.0), (0.7, 30.0), (0.6, 40.0), (0.5, 50.0), (0.4, 60.0)]
    front = [(0.1, 10.0), (0.5, 50.0), (0.51, 51.0), (0.52, 52.0), (0.6, 60.0), (0.9, 90.0)]
    for results, loser in ((line, 5), (front, 2)):
        for seed in range(10):
            algorithm = nsga2(seed, mutation_rate=0.0)
            tell(algorithm, results)
            assert not any(loser in child for child in tell(algorithm, [None] * SLOTS))


def test_a_seed_gives_the_same_offspring_again() -> None:
    def run(seed: int) -> list[list[int]]:
        algorithm = nsga2(seed)
        told: list[Genotype] = []
        for generation in range(4):
            results = np.random.default_rng(generation).random((SLOTS, 2)).tolist()
            told += tell(algorithm, [(a, b) for a, b in results])
        return [genotype.tolist() for genotype in told]

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_mutation_gives_other_values_to_all_variables_that_have_any() -> None:
    cardinalities = (1, 2, 3, 5, 1, 4, 7, 2)
    first = np.zeros((SLOTS, len(cardinalities)), dtype=np.int64)
    algorithm = nsga2(cardinalities=cardinalities, first=first, mutation_rate=1.0)
    tell(algorithm, [(0.5, 1.0)] * SLOTS)
    offspring = np.array(tell(algorithm, [None] * SLOTS))
    assert ((offspring != 0) == (np.array(cardinalities) > 1)).all()
    assert (offspring < cardinalities).all()
    assert len(np.unique(offspring, axis=0)) == SLOTS


def test_offspring_are_new_where_they_can_be() -> None:
    """Three of four genotypes are not among the parents; the others must be repeats."""
    first = np.zeros((SLOTS, 2), dtype=np.int64)
    algorithm = nsga2(cardinalities=(2, 2), first=first, mutation_rate=0.5)
    tell(algorithm, [(0.5, 1.0)] * SLOTS)
    offspring = tell(algorithm, [(0.5, 1.0)] * SLOTS)
    assert {tuple(child.tolist()) for child in offspring[:3]} == {(0, 1), (1, 0), (1, 1)}
    assert len(offspring) == SLOTS


@pytest.mark.parametrize("cardinality", [1, 2, 9])
def test_one_variable_is_enough(cardinality: int) -> None:
    first = np.zeros((SLOTS, 1), dtype=np.int64)
    algorithm = nsga2(cardinalities=(cardinality,), first=first)
    seen: set[int] = set()
    for _ in range(20):
        seen |= {int(child[0]) for child in tell(algorithm, [(0.5, 1.0)] * SLOTS)}
    assert seen == set(range(cardinality))


@pytest.mark.parametrize("moment", range(0, 4 * SLOTS, 3))
def test_a_restored_state_goes_on_bit_for_bit(moment: int, tmp_path: Any) -> None:
    """At any moment, some offspring of a generation under way, whatever happens afterwards."""
    cardinalities = (1, 2, 3, 5, 1, 4, 7, 2, 300)
    first = np.zeros((0, len(cardinalities)), dtype=np.int64)

    def built(seed: int) -> tuple[NSGA2, RisingThreshold, np.random.Generator]:
        problem, steering = Problem(cardinalities, ACCURACY_MACS), RisingThreshold(0, 0.5)
        generator = np.random.default_rng(seed)
        archive = Archive(problem.objectives)
        setup = Setup(problem, SLOTS, Initialisation(), first, archive, steering, generator)
        return NSGA2(setup), steering, generator

    def go_on(
        algorithm: NSGA2,
        steering: RisingThreshold,
        waiting: dict[int, Genotype],
        begin: int,
        end: int,
    ) -> list[Any]:
        """Keep slots 0 to 3 busy, and give one of them its result at each step."""
        trace: list[Any] = []
        for step in range(begin, end):
            steering.advance(step / 40)
            for slot in range(4):
                genotype = None if slot in waiting else algorithm.propose(slot)
                if genotype is not None:
                    waiting[slot] = genotype
                    trace.append((slot, genotype.tolist()))
            slot = sorted(waiting)[step * 7 % len(waiting)]
            genotype = waiting.pop(slot)
            result = (float(np.sin(genotype).mean()), float(genotype.sum()))
            algorithm.receive(slot, Solution(genotype, result if step % 5 else None), False)
        return [*trace, algorithm.parents.tolist(), algorithm.costs.tolist()]

    algorithm, steering, generator = built(7)
    waiting: dict[int, Genotype] = {}
    go_on(algorithm, steering, waiting, 0, moment)
    save_state(tmp_path / "state", algorithm.state())
    kept, drawn, under_way = algorithm.state(), generator.bit_generator.state, dict(waiting)
    expected = go_on(algorithm, steering, waiting, moment, moment + 4 * SLOTS)
    for state in (kept, load_state(tmp_path / "state")):
        np.testing.assert_equal(kept, load_state(tmp_path / "state"))  # nothing later got into it
        other, steering, generator = built(7)
        other.restore(state)
        generator.bit_generator.state = drawn
        went = go_on(other, steering, dict(under_way), moment, moment + 4 * SLOTS)
        assert went == expected


def test_rates_must_be_probabilities() -> None:
    with pytest.raises(SearchError, match="mutation_rate is -1: give 0 to 1"):
        nsga2(mutation_rate=-1)
    with pytest.raises(SearchError, match=r"crossover_rate is 1\.5: give 0 to 1"):
        nsga2(crossover_rate=1.5)


def test_without_pymoo_the_error_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymoo", None)
    line = (
        r"^algorithm 'nsga2' needs pymoo .*, which is not installed: "
        r"pip install 'netstitch\[nsga2\]'$"
    )
    for attempt in (check_installed, nsga2):
        with pytest.raises(SearchError, match=line):
            attempt()


def test_an_old_pymoo_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 0.6.1.6 it drew from numpy's global source."""
    check_installed()
    monkeypatch.delattr("pymoo.util.default_random_state")
    with pytest.raises(SearchError, match=r"needs pymoo 0\.6\.1\.6 or newer"):
        check_installed()


def test_pymoo_is_loaded_when_it_is_needed_and_prints_nothing() -> None:
    code = """
import sys
from netstitch.optimization import Objective, Problem, SearchSettings, SerialExecutor, run_search
assert "pymoo" not in sys.modules
sys.modules["pymoo.functions.compiled.info"] = None  # as where it is not compiled
run_search(
    Problem((2,) * 9, (Objective("a"), Objective("b"))),
    SerialExecutor(lambda genotype: (float(genotype.sum()), float(genotype[0]))),
    SearchSettings(evaluations=30, algorithm="nsga2", population=8),
)
assert "pymoo" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nsga2_beats_random_search_on_lotz() -> None:
    problem = lotz(16)

    def hypervolume(algorithm: str, seed: int) -> float:
        result = run_search(
            problem,
            SerialExecutor(leading_ones_trailing_zeros),
            SearchSettings(evaluations=1500, algorithm=algorithm, population=16),
            seed=seed,
        )
        costs = [as_costs(problem.objectives, one.objectives or ()) for one in result.archive]
        return float(moocore.hypervolume(costs, ref=[1.0, 1.0]))

    medians = {
        algorithm: np.median([hypervolume(algorithm, seed) for seed in range(5)])
        for algorithm in ("nsga2", "random")
    }
    assert medians["nsga2"] > 1.2 * medians["random"]
