"""The simulated clock runs as a slow one would, second by second."""

from collections.abc import Sequence
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimization_cases import accuracy_and_macs, lotz

from netstitch.errors import SearchError
from netstitch.optimization import (
    ALGORITHMS,
    Evaluation,
    Executor,
    Genotype,
    SearchSettings,
    SerialExecutor,
    SimulatedExecutor,
    run_search,
)


def made(durations: Sequence[int], workers: int, *, synchronous: bool = False) -> SimulatedExecutor:
    """All submitted at the beginning; a genotype holds its own duration."""
    executor = SimulatedExecutor(
        lambda genotype: (float(genotype[0]),),
        lambda genotype: float(genotype[0]),
        workers=workers,
        capacity=max(workers, len(durations)),
        synchronous=synchronous,
    )
    for ticket, seconds in enumerate(durations):
        executor.submit(ticket, np.array([seconds]))
    return executor


def second_by_second(durations: Sequence[int], workers: int) -> tuple[dict[int, int], int]:
    """Return when each ends, and how many worker-seconds nobody used."""
    waiting, running = list(enumerate(durations)), {}
    ends: dict[int, int] = {}
    idle = 0
    for now in count():
        running = {ticket: left - 1 for ticket, left in running.items()} if now else running
        ends |= {ticket: now for ticket, left in running.items() if left == 0}
        running = {ticket: left for ticket, left in running.items() if left > 0}
        while waiting and len(running) < workers:
            ticket, seconds = waiting.pop(0)
            running[ticket] = seconds
        if not running:
            return ends, idle
        idle += workers - len(running)
    raise AssertionError


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(1, 4))
def test_everything_ends_when_it_would_second_by_second(durations: list[int], workers: int) -> None:
    executor = made(durations, workers)
    ends: dict[int, int] = {}
    while done := executor.wait():
        assert [each.ticket for each in done] == sorted(each.ticket for each in done)
        for each in done:
            ends[each.ticket] = int(executor.now())
            assert each.seconds == durations[each.ticket]
            assert each.objectives == (durations[each.ticket],)
    expected, idle = second_by_second(durations, workers)
    assert ends == expected
    assert executor.busy() == pytest.approx(workers * max(ends.values()) - idle)


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=12),
    st.integers(1, 4),
    st.lists(st.integers(0, 30)),
    st.booleans(),
)
def test_moments_between_change_nothing(
    durations: list[int], workers: int, moments: list[int], synchronous: bool
) -> None:
    expected, looked = (made(durations, workers, synchronous=synchronous) for _ in range(2))
    whole, found = list[tuple[float, int]](), list[tuple[float, int]]()
    for moment in sorted(moments):
        for one in looked.wait_until(moment):
            found.append((one.seconds, one.ticket))
        assert looked.now() <= moment
    while done := looked.wait():
        found += [(one.seconds, one.ticket) for one in done]
    while done := expected.wait():
        whole += [(one.seconds, one.ticket) for one in done]
    assert found == whole
    assert looked.busy() == expected.busy() == sum(durations)


def test_what_is_not_done_counts_only_as_far_as_it_is() -> None:
    executor = made([1, 4], workers=2)
    executor.wait()
    assert (executor.now(), executor.busy()) == (1.0, 2.0)
    executor.cancel()
    assert executor.busy() == 2.0
    assert executor.wait() == []


def test_failures_belong_to_their_genotype() -> None:
    def evaluate(genotype: Genotype) -> tuple[float, ...]:
        raise ValueError("odd")

    executor = SimulatedExecutor(evaluate, lambda genotype: 1.0, workers=1)
    executor.submit(0, np.array([1]))
    (done,) = executor.wait()
    assert (done.objectives, done.failure) == (None, "ValueError: odd")


def searched(algorithm: str, executor: Executor, **more: object) -> list[list[int]]:
    records: list[Evaluation] = []
    run_search(
        lotz(12),
        executor,
        SearchSettings(algorithm=algorithm, population=8, **{"evaluations": 150} | more),
        seed=3,
        on_evaluation=records.append,
    )
    return [record.genotype.tolist() for record in records]


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_one_worker_is_a_serial_executor(algorithm: str) -> None:
    simulated = SimulatedExecutor(accuracy_and_macs, lambda genotype: 2.0, workers=1)
    assert searched(algorithm, simulated) == searched(algorithm, SerialExecutor(accuracy_and_macs))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_many_workers_are_repeated_and_save_time(algorithm: str) -> None:
    def duration(genotype: Genotype) -> float:
        return 1.0 + float(genotype.sum()) ** 2

    found, times = [], []
    for workers in (6, 6, 1):
        simulated = SimulatedExecutor(accuracy_and_macs, duration, workers=workers)
        found.append(searched(algorithm, simulated))
        times.append(simulated.now())
    assert found[0] == found[1]
    assert times[0] == times[1] < times[2] / 2


def test_a_budget_of_simulated_time() -> None:
    simulated = SimulatedExecutor(accuracy_and_macs, lambda genotype: 1.0, workers=3)
    result = run_search(
        lotz(30),
        simulated,
        SearchSettings(seconds=10.0, algorithm="random", population=8),
        seed=0,
    )
    assert result.stopped == "time"
    assert (result.evaluated, result.elapsed) == (30, 10.0)


@pytest.mark.parametrize("workers, capacity", [(0, None), (-1, 5), (4, 3)])
def test_no_workers_or_no_room_for_them(workers: int, capacity: int | None) -> None:
    with pytest.raises(SearchError, match="at least 1 worker"):
        SimulatedExecutor(accuracy_and_macs, lambda _: 1.0, workers=workers, capacity=capacity)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_that_is_none(seconds: float) -> None:
    executor = SimulatedExecutor(accuracy_and_macs, lambda genotype: seconds, workers=1)
    with pytest.raises(SearchError, match="give a positive number"):
        executor.submit(0, np.array([1]))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=12), st.integers(1, 4))
def test_synchronous_results_come_when_all_are_done(durations: list[int], workers: int) -> None:
    together = made(durations, workers, synchronous=True)
    each = made(durations, workers)
    singly = []
    while done := each.wait():
        singly += done
    assert together.wait() == singly
    assert (together.now(), together.busy()) == (each.now(), sum(durations))
    assert together.wait() == []
