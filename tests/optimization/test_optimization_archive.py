import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimization_cases import nondominated

from netstitch.optimization.archive import Archive
from netstitch.optimization.problem import Objective, Solution, as_costs

CHEAP_GOOD = (Objective("macs"), Objective("accuracy", maximise=True))
THREE = (*CHEAP_GOOD, Objective("error"))


def solution(*objectives: float) -> Solution:
    return Solution(np.array([0]), objectives)


def values(archive: Archive) -> list[tuple[float, ...] | None]:
    return [member.objectives for member in archive.solutions()]


def test_directions_of_the_objectives_are_followed() -> None:
    archive = Archive(CHEAP_GOOD)
    assert archive.add(solution(5, 0.9))
    assert archive.add(solution(2, 0.5))
    assert not archive.add(solution(5, 0.8))
    assert archive.add(solution(2, 0.6))
    assert values(archive) == [(2, 0.6), (5, 0.9)]
    assert archive.best() == (2, 0.9)


def test_a_failed_solution_never_enters() -> None:
    archive = Archive(CHEAP_GOOD)
    assert not archive.add(Solution(np.array([0]), None))
    assert len(archive) == 0
    assert archive.best() is None


def test_members_leave_as_the_threshold_rises() -> None:
    archive = Archive(CHEAP_GOOD, constrained=1)
    for macs, accuracy in [(1, 0.1), (2, 0.4), (3, 0.6)]:
        archive.add(solution(macs, accuracy))
    archive.raise_threshold(0.4)
    assert values(archive) == [(2, 0.4), (3, 0.6)]
    assert not archive.add(solution(0, 0.39))


def test_while_all_are_under_the_threshold_the_nearest_are_held() -> None:
    archive = Archive(CHEAP_GOOD, constrained=1)
    archive.add(solution(1, 0.1))
    archive.add(solution(2, 0.2))
    archive.raise_threshold(0.5)
    assert values(archive) == [(2, 0.2)]
    assert archive.add(solution(9, 0.3))
    assert archive.add(solution(8, 0.3))
    assert values(archive) == [(8, 0.3)]
    assert archive.add(solution(99, 0.5))
    assert values(archive) == [(99, 0.5)]


@pytest.mark.parametrize("objectives", [CHEAP_GOOD, THREE, CHEAP_GOOD[1:]], ids=len)
@settings(deadline=None)
@given(data=st.data())
def test_a_steered_archive_is_the_front_over_the_threshold(
    objectives: tuple[Objective, ...], data: st.DataObject
) -> None:
    """The moments at which the threshold rose make no difference."""
    steered = [objective.name for objective in objectives].index("accuracy")
    row = st.tuples(*[st.integers(0, 6)] * len(objectives))
    steps = data.draw(st.lists(st.tuples(row, st.sampled_from([0, 0, 0, 1])), max_size=40))
    archive = Archive(objectives, steered)
    threshold, rows = 0, []
    for values_, rise in steps:
        rows.append(values_)
        archive.add(solution(*values_))
        threshold += rise
        archive.raise_threshold(threshold)
        bar = min(threshold, max(seen[steered] for seen in rows))
        over = [as_costs(objectives, seen) for seen in rows if seen[steered] >= bar]
        held = [as_costs(objectives, member.objectives or ()) for member in archive.solutions()]
        assert sorted(held) == nondominated(over)


def test_the_threshold_never_falls() -> None:
    archive = Archive(CHEAP_GOOD, constrained=1)
    archive.raise_threshold(0.5)
    archive.raise_threshold(0.2)
    archive.add(solution(3, 0.6))
    assert not archive.add(solution(1, 0.3))


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=25),
    st.lists(st.integers(0, 6), max_size=3),
    st.booleans(),
)
def test_what_would_enter_is_what_enters(
    rows: list[tuple[int, int]], thresholds: list[int], steered: bool
) -> None:
    archive = Archive(CHEAP_GOOD, constrained=1 if steered else None)
    for index, (macs, accuracy) in enumerate(rows):
        if steered and index < len(thresholds):
            archive.raise_threshold(thresholds[index])
        one = solution(macs, accuracy)
        before = values(archive)
        admitted = archive.admits(one)
        assert values(archive) == before
        assert archive.add(one) == admitted
