"""Mixing: what it keeps, when it is forced, and that it finds what crossover does not."""

from typing import Any

import numpy as np
import pytest
from optimization_cases import ACCURACY_MACS, lotz

from netstitch.errors import SearchError
from netstitch.optimization import (
    Genotype,
    Initialisation,
    Objective,
    Problem,
    SearchResult,
    SearchSettings,
    SerialExecutor,
    run_search,
)
from netstitch.optimization.algorithms.algorithm import Setup
from netstitch.optimization.algorithms.gomea import GenePoolMixing, gomea, lk_gomea
from netstitch.optimization.archive import Archive
from netstitch.optimization.operators.gene_pool_mixing import ACCEPTANCES
from netstitch.optimization.operators.scalarisation import Scale
from netstitch.optimization.problem import Solution

BLOCKS, SIZE = 3, 5
LENGTH = BLOCKS * SIZE


def made(build: Any = gomea, n: int = 4, length: int = 6, **settings: Any) -> GenePoolMixing:
    problem = lotz(length)
    found: GenePoolMixing = build(
        Setup(
            problem,
            n,
            Initialisation(probability=0.5),
            np.zeros((0, length), dtype=np.int64),
            Archive(problem.objectives),
            None,
            np.random.default_rng(0),
        ),
        **settings,
    )
    return found


def begun(**settings: Any) -> GenePoolMixing:
    """Every slot has a first solution; all of them are as good."""
    algorithm = made(**settings)
    for slot in range(algorithm.slots):
        genotype = algorithm.propose(slot)
        assert genotype is not None
        algorithm.receive(slot, Solution(genotype, (1.0, 1.0)), False)
    return algorithm


def asked(algorithm: GenePoolMixing, slot: int) -> Genotype:
    genotype = algorithm.propose(slot)
    assert genotype is not None
    return genotype


def member(algorithm: GenePoolMixing, slot: int) -> Solution:
    found = algorithm.population.members[slot]
    assert found is not None
    return found


def test_passes_begin_when_all_slots_have_a_solution() -> None:
    algorithm = made()
    for slot in range(3):
        algorithm.receive(slot, Solution(asked(algorithm, slot), (1.0, 1.0)), False)
    assert algorithm.propose(0) is None
    algorithm.receive(3, Solution(asked(algorithm, 3), (1.0, 1.0)), False)
    assert algorithm.propose(0) is not None


def test_the_slot_is_written_after_the_whole_pass() -> None:
    algorithm = begun()
    before = member(algorithm, 0)
    child = asked(algorithm, 0)
    algorithm.receive(0, Solution(child, (2.0, 2.0)), True)
    assert member(algorithm, 0) is before
    for _ in range(40):  # worse ones, which are not kept
        genotype = algorithm.propose(0)
        if genotype is None or member(algorithm, 0) is not before:
            break
        algorithm.receive(0, Solution(genotype, (0.0, 0.0)), False)
    assert np.array_equal(member(algorithm, 0).genotype, child)


@pytest.mark.parametrize(
    "objectives, entered, kept",
    [
        ((2.0, 2.0), False, True),
        ((1.0, 1.0), False, True),  # as good is not worse
        ((0.0, 0.0), False, False),
        ((0.0, 0.0), True, True),  # new in the archive
    ],
)
def test_what_is_kept(objectives: tuple[float, float], entered: bool, kept: bool) -> None:
    for acceptance in ACCEPTANCES:
        algorithm = begun(acceptance=acceptance)
        child = asked(algorithm, 0)  # which assigns weights
        algorithm.population.weights[:] = 0.5
        algorithm.population.scale = Scale(np.full(2, -6.0), np.full(2, 6.0))
        algorithm.receive(0, Solution(child, objectives), entered)
        mixing = algorithm._loops[0]
        assert mixing is not None
        expected = kept and (acceptance != "not-worse" or objectives != (0.0, 0.0))
        assert np.array_equal(mixing.solution.genotype, child) == expected
        assert mixing.improved == (expected and objectives != (1.0, 1.0))


def test_a_pass_without_change_is_followed_by_a_forced_improvement() -> None:
    algorithm = begun()
    best = Solution(np.array([1, 1, 1, 1, 1, 1]), (6.0, 0.0))
    algorithm._setup.archive.add(best)
    forced = 0
    for _ in range(200):
        genotype = asked(algorithm, 0)
        mixing = algorithm._loops[0]
        assert mixing is not None
        if mixing.forced is best:
            forced += 1
            own = mixing.solution.genotype
            assert set(genotype[genotype != own].tolist()) == {1}
        elif forced:
            break
        algorithm.receive(0, Solution(genotype, (0.0, 0.0)), False)
    assert forced > 0
    assert member(algorithm, 0) is best  # nothing of it was kept, so it takes the slot


def passes_and_assignments(build: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[int]]:
    """Return how many passes begin in many proposals, and before which weights are assigned."""
    algorithm = begun(build=build, n=4)
    assigned: list[int] = []
    reassign, take_weights = algorithm.population.reassign, algorithm.population.take_weights
    passes = 0

    def counted(*, at_once: bool) -> None:
        assigned.append(passes)
        reassign(at_once=at_once)

    def take(slot: int) -> None:
        nonlocal passes
        passes += 1
        take_weights(slot)

    monkeypatch.setattr(algorithm.population, "reassign", counted)
    monkeypatch.setattr(algorithm.population, "take_weights", take)
    for turn in range(400):
        slot = turn % 4
        genotype = algorithm.propose(slot)
        if genotype is not None:
            algorithm.receive(slot, Solution(genotype, (float(turn % 7), 0.0)), turn % 3 == 0)
    return passes, assigned


def test_gomea_assigns_weights_at_the_first_pass_and_after_every_n_that_begin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passes, assigned = passes_and_assignments(gomea, monkeypatch)
    assert passes > 12
    assert assigned == list(range(0, passes, 4))


def test_lk_gomea_assigns_weights_whenever_it_learns_a_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passes, assigned = passes_and_assignments(lk_gomea, monkeypatch)
    assert passes > 12
    assert assigned == list(range(passes))


def test_a_pass_is_judged_by_the_weights_that_it_began_with() -> None:
    algorithm = begun(build=lk_gomea, n=4)
    asked(algorithm, 0)
    before = algorithm.population.weights[0].copy()
    for slot in (1, 2, 3):  # each of them assigns all weights anew
        asked(algorithm, slot)
        assert (algorithm.population.weights[0] == before).all()


FIRST_TWO = Problem(
    (2,) * 6,
    ACCURACY_MACS,
    signature=lambda genotype: genotype[:2].tobytes(),
    active=lambda genotype: np.arange(6) < 2,
)


@pytest.mark.parametrize("convergence, converged", [("active", True), ("genotypes", False)])
def test_neighbourhoods_converge_by_what_is_active_or_by_whole_genotypes(
    convergence: Any, converged: bool
) -> None:
    """Genotypes that differ in inactive values alone, which drift for ever."""
    algorithm = lk_gomea(
        Setup(
            FIRST_TWO,
            4,
            Initialisation(probability=0.5),
            np.pad(np.eye(4, dtype=np.int64), ((0, 0), (2, 0))),
            Archive(FIRST_TWO.objectives),
            None,
            np.random.default_rng(0),
            convergence=convergence,
        )
    )
    for slot in range(4):
        algorithm.receive(slot, Solution(asked(algorithm, slot), (1.0, 1.0)), False)
    while algorithm._begun < 5:  # until the first pass is over
        algorithm.receive(0, Solution(asked(algorithm, 0), (0.0, 9.0)), False)
    assert algorithm.converged() == converged


def test_without_forced_improvements_there_are_none() -> None:
    algorithm = begun(forced_improvements=False)
    algorithm._setup.archive.add(Solution(np.ones(6, dtype=np.int64), (6.0, 0.0)))
    for _ in range(100):
        genotype = algorithm.propose(0)
        mixing = algorithm._loops[0]
        assert mixing is not None
        assert mixing.forced is None
        if genotype is not None:
            algorithm.receive(0, Solution(genotype, (0.0, 0.0)), False)


def traps(order: np.ndarray) -> Any:
    """Trap-5 against inverse Trap-5, over blocks of five variables in an order.

    From all but one of its values a block points away from one of its two optima.
    """

    def evaluate(genotype: Genotype) -> tuple[float, float]:
        ones = genotype[order].reshape(BLOCKS, SIZE).sum(axis=1)
        trap = np.where(ones == SIZE, SIZE, SIZE - 1 - ones)
        inverse = np.where(ones == 0, SIZE, ones - 1)
        return float(trap.sum()), float(inverse.sum())

    return evaluate


def searched(algorithm: str, order: np.ndarray, seed: int) -> SearchResult:
    problem = Problem((2,) * LENGTH, (Objective("trap", True), Objective("inverse", True)))
    return run_search(
        problem,
        SerialExecutor(traps(order)),
        SearchSettings(evaluations=1_500, count_skipped=False, algorithm=algorithm, population=32),
        seed=seed,
        initialisation=Initialisation(probability=0.5),
    )


def test_mixing_finds_the_whole_front_of_traps_however_they_are_ordered() -> None:
    front = {
        (float(SIZE * k + 4 * (BLOCKS - k)), float(SIZE * (BLOCKS - k) + 4 * k))
        for k in range(BLOCKS + 1)
    }
    loose = np.random.default_rng(3).permutation(LENGTH)
    for order in (np.arange(LENGTH), loose):
        for algorithm in ("gomea", "lk-gomea"):
            assert {s.objectives for s in searched(algorithm, order, 2).archive} == front
    assert {s.objectives for s in searched("ga", loose, 2).archive} != front


def test_a_population_that_has_converged_ends_the_search() -> None:
    for algorithm in ("gomea", "lk-gomea"):
        result = run_search(
            Problem((2,) * 8, ACCURACY_MACS),
            SerialExecutor(lambda genotype: (float(genotype.sum()), 8 - float(genotype.sum()))),
            SearchSettings(evaluations=100_000, algorithm=algorithm, population=8),
            seed=1,
        )
        assert result.stopped in ("converged", "patience")
        assert result.evaluated <= 256
        assert max(s.objectives or () for s in result.archive) == (8.0, 0.0)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"smallest_neighbourhood": 0}, "smallest_neighbourhood is 0: give 2 or more"),
        ({"extreme_clusters": 1}, "extreme_clusters is 1: give 2 or more, or 0"),
        ({"donors": "friends"}, "unknown donors 'friends': expected 'neighbours' or 'population'"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        made(lk_gomea, **settings)
