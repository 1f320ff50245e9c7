import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from optimization_cases import ACCURACY_MACS

from netstitch.optimization.archive import Archive
from netstitch.optimization.population import Population
from netstitch.optimization.problem import Problem, Solution
from netstitch.optimization.rising_threshold import RisingThreshold

PROBLEM = Problem((2, 2), ACCURACY_MACS)


def solution(accuracy: float, macs: float) -> Solution:
    return Solution(np.array([0, 0]), (accuracy, macs))


FAILED = Solution(np.array([0, 0]), None)


def two_slots(steering: RisingThreshold | None = None) -> Population:
    """The first slot looks at the accuracy only, the second at the multiply-adds only."""
    population = Population(PROBLEM, 2, steering, np.random.default_rng(0))
    population.put(0, solution(0.9, 100.0))
    population.put(1, solution(0.5, 10.0))
    population.reassign()
    return population


def test_reassignment_gives_each_member_the_weights_it_is_good_at() -> None:
    assert two_slots().weights.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_members_are_bettered_on_their_own_weights() -> None:
    population = two_slots()
    accurate, cheap = solution(0.7, 100.0), solution(0.4, 50.0)
    population.put(0, solution(0.6, 60.0))
    population.put(1, solution(0.6, 60.0))
    assert population.betters(accurate, 0)
    assert not population.betters(accurate, 1)
    assert not population.betters(cheap, 0)
    assert population.betters(cheap, 1)


def test_weights_and_scale_stay_when_a_member_is_replaced() -> None:
    population = two_slots()
    before = population.weights.copy(), population.scale
    population.put(0, solution(0.1, 1000.0))
    assert (population.weights == before[0]).all()
    assert population.scale is before[1]
    # beyond the scale's least nothing is better: 10 and 3 are both normalised to 0
    assert not population.betters(solution(0.2, 3.0), 1)
    assert population.betters(solution(0.2, 3.0), 1, ties=True)


def test_a_failed_solution_betters_nothing_and_is_bettered_by_all() -> None:
    population = two_slots()
    assert not population.betters(FAILED, 0)
    population.put(0, FAILED)
    assert population.betters(solution(0.0, 1e9), 0)
    assert not population.betters(FAILED, 0)
    assert population.betters(FAILED, 0, ties=True)


def test_the_threshold_comes_before_the_weights() -> None:
    rise = RisingThreshold(column=0, target=0.8, value=0.8)
    population = two_slots(rise)
    # the second slot looks at multiply-adds, and yet a dear member that is over the threshold wins
    assert population.betters(solution(0.8, 500.0), 1)
    assert not population.betters(solution(0.4, 1.0), 1)  # of two under it the nearer
    assert population.betters(solution(0.6, 500.0), 1)
    population.put(1, solution(0.5, 90.0))
    assert population.betters(solution(0.5, 20.0), 1)  # equally far: the weights
    rise.value = 0.0
    assert population.betters(solution(0.4, 15.0), 1)


def test_weights_of_empty_slots_are_not_lost() -> None:
    population = Population(PROBLEM, 5, None, np.random.default_rng(0))
    weights = sorted(population.weights.tolist())
    population.put(3, solution(0.9, 10.0))
    population.reassign()
    assert sorted(population.weights.tolist()) == weights


def of_two_slots(archive: Archive | None) -> Population:
    """Weights are assigned where nobody is right more often than in half of the cases."""
    population = Population(PROBLEM, 2, None, np.random.default_rng(0), archive=archive)
    population.put(0, solution(0.5, 100.0))
    population.put(1, solution(0.1, 10.0))
    population.reassign()
    return population


def test_beyond_a_frozen_frame_all_is_equal() -> None:
    population = of_two_slots(archive=None)
    better, worse = solution(0.85, 90.0), solution(0.8, 100.0)
    assert not population.prefers(better, worse, 0)  # both are better than the frame's best
    assert population.prefers(worse, better, 0, ties=True)


def test_a_frame_that_follows_tells_a_dominating_solution_from_the_one_it_dominates() -> None:
    archive = Archive(ACCURACY_MACS)
    population = of_two_slots(archive)
    better, worse = solution(0.85, 90.0), solution(0.8, 100.0)
    for one in (worse, better):
        archive.add(one)
    assert population.prefers(better, worse, 0)
    assert not population.prefers(worse, better, 0, ties=True)
    # no member looks better for it, and what failed stays the worst
    assert population.prefers(better, population.members[0], 0)
    assert population.prefers(worse, FAILED, 0)


UNIT = st.floats(0, 1, allow_subnormal=False)


@given(
    members=st.lists(st.tuples(UNIT, UNIT), min_size=2, max_size=6),
    known=st.lists(st.tuples(UNIT, UNIT), max_size=4),
    pair=st.tuples(UNIT, UNIT, st.floats(0.01, 1), st.floats(0.01, 1)),
    threshold=st.none() | UNIT,
)
def test_of_two_solutions_the_dominating_one_is_preferred_by_every_slot(
    members: list[tuple[float, float]],
    known: list[tuple[float, float]],
    pair: tuple[float, float, float, float],
    threshold: float | None,
) -> None:
    archive = Archive(ACCURACY_MACS, None if threshold is None else 0)
    rise = None if threshold is None else RisingThreshold(0, threshold, threshold)
    population = Population(PROBLEM, len(members), rise, np.random.default_rng(0), archive=archive)
    for slot, (accuracy, macs) in enumerate(members):
        population.put(slot, solution(accuracy, macs))
    population.reassign()
    accuracy, macs, more, less = pair
    better, worse = solution(accuracy + more, macs - less), solution(accuracy, macs)
    for one in (*(solution(*each) for each in known), worse, better):
        archive.add(one)
    if threshold is not None:
        archive.raise_threshold(threshold)
    for slot in range(len(members)):
        assert population.prefers(better, worse, slot)
        cheaper = solution(accuracy, macs - less)  # as good, also where both are too bad
        assert population.prefers(cheaper, worse, slot, ties=True)


def test_a_slot_judges_by_the_weights_that_it_took() -> None:
    population = two_slots()
    assert population.weights.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    population.put(0, solution(0.1, 1.0))
    population.put(1, solution(0.9, 100.0))
    population.reassign(at_once=False)
    assert population.weights.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    population.take_weights(1)
    assert population.weights.tolist() == [[1.0, 0.0], [1.0, 0.0]]
    population.take_weights(0)
    assert population.weights.tolist() == [[0.0, 1.0], [1.0, 0.0]]
