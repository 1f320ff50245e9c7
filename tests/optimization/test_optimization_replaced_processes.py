"""Workers replaced; the genotype says what happens to its worker, see `worker_cases`."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optimization_cases import accuracy_and_macs, results, searched
from worker_cases import (
    EXITS,
    HANGS,
    INTERRUPTED,
    INTERRUPTS_THE_PARENT,
    KILLED,
    LEAVES,
    RAISES,
    REFUSED,
    TOO_MUCH,
    Fragile,
    eventful,
    kills,
)

from netstitch.errors import SearchError
from netstitch.optimization import Genotype, SerialExecutor
from netstitch.optimization.executors.attempts import BatchEvaluation, Thresholds
from netstitch.optimization.executors.replaced_processes import ProcessExecutor


def dies_once(folder: Path, genotype: Genotype) -> tuple[float, ...]:
    """Fatal when it is the first time for the genotype; waits for the other one to have begun."""
    mark = folder / str(genotype[0])
    if mark.exists():
        return (float(genotype[0]),)
    mark.touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.001)
    os._exit(1)


def tells_and_hangs(genotype: Genotype) -> tuple[float, ...]:
    print(os.getpid(), flush=True)
    threading.Event().wait()
    return ()


class Counted(BatchEvaluation):
    """`eventful` of some genotypes at once; tells of each with how many it came."""

    def __call__(self, genotype: Genotype) -> tuple[float, ...]:
        return (*eventful(genotype), 1.0)

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds
    ) -> list[tuple[float, ...] | Exception]:
        if any(genotype[0] == TOO_MUCH for genotype in genotypes):
            raise MemoryError
        return [
            ValueError("not this one")
            if genotype[0] == REFUSED
            else (*eventful(genotype), float(len(genotypes)))
            for genotype in genotypes
        ]


@contextmanager
def processes(
    evaluate: Callable[[Genotype], tuple[float, ...]],
    workers: int,
    capacity: int | None = None,
    **settings: Any,
) -> Iterator[ProcessExecutor]:
    """Every test ends with no process left."""
    executor = ProcessExecutor(evaluate, workers, capacity=capacity, **settings)
    try:
        yield executor
    finally:
        executor.close()
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("algorithm", ["ga", "gomea"])
def test_one_worker_is_a_serial_executor(algorithm: str) -> None:
    expected = searched(algorithm, SerialExecutor(accuracy_and_macs))
    with processes(accuracy_and_macs, 1) as executor:
        found = searched(algorithm, executor)
    assert [each.signature for each in found] == [each.signature for each in expected]
    assert [each.objectives for each in found] == [each.objectives for each in expected]


@pytest.mark.parametrize("algorithm", ["ga", "gomea"])
def test_many_workers_give_what_the_evaluation_gives(algorithm: str) -> None:
    with processes(accuracy_and_macs, 2, capacity=8) as executor:
        found = searched(algorithm, executor)
    assert len({each.signature for each in found}) == len(found) > 8
    for each in found:
        assert each.objectives == accuracy_and_macs(each.genotype)
        assert each.seconds > 0


def test_an_evaluation_that_raises_or_exits_fails_and_its_worker_goes_on() -> None:
    with processes(eventful, 1, capacity=4) as executor:
        done = results(executor, RAISES, LEAVES, INTERRUPTED, 5)
    assert done[RAISES].failure == "ValueError: shapes differ"
    assert done[LEAVES].failure == "SystemExit: enough"
    assert done[INTERRUPTED].objectives == (INTERRUPTED,)
    assert done[5].objectives == (5.0,)
    assert done[RAISES].objectives is done[LEAVES].objectives is None


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["ga", "gomea"])
def test_the_search_outlives_a_worker_that_dies(algorithm: str) -> None:
    # The population begins as here, whatever executor there is.
    fatal = searched(algorithm, SerialExecutor(accuracy_and_macs))[1].genotype.tolist()
    with processes(partial(kills, fatal), 2, capacity=8) as executor:
        found = searched(algorithm, executor)
    assert len({each.signature for each in found}) == len(found) > 8
    for each in found:
        if each.genotype.tolist() == fatal:
            assert "the worker process died twice" in (each.failure or "")
        else:
            assert each.objectives == accuracy_and_macs(each.genotype)
    assert fatal in [each.genotype.tolist() for each in found]


@pytest.mark.slow
def test_a_death_is_blamed_on_its_evaluation_alone() -> None:
    with processes(eventful, 2, capacity=6) as executor:
        done = results(executor, 1, KILLED, 2, EXITS, 3, 4)
    death = "the worker process died twice in this evaluation"
    assert done[KILLED].failure == f"{death} (signal 9, Killed)"
    assert done[EXITS].failure == f"{death} (exit code 3)"
    assert all(done[value].objectives == (value,) for value in (1, 2, 3, 4))


@pytest.mark.slow
def test_evaluations_that_die_once_are_not_failed(tmp_path: Path) -> None:
    with processes(partial(dies_once, tmp_path), 2) as executor:
        done = results(executor, 1, 2)
    assert [done[value].objectives for value in (1, 2)] == [(1.0,), (2.0,)]


def test_what_waits_is_dealt_to_the_workers_in_groups() -> None:
    with processes(Counted(), 2, capacity=10, group=4) as executor:
        done = results(executor, *range(10))
    assert [done[value].objectives for value in range(8)] == [(value, 4.0) for value in range(8)]
    # The first worker that is free takes as many of the rest as leave some for the other.
    assert sorted(done[value].objectives for value in (8, 9)) in (
        [(8, 1.0), (9, 1.0)],
        [(8, 2.0), (9, 2.0)],
    )


def test_a_group_is_spread_over_all_workers() -> None:
    with processes(Counted(), 2, group=8) as executor:
        assert executor.capacity == 16
        done = results(executor, *range(5))
    assert sorted(one.objectives[1] for one in done.values() if one.objectives) == [2, 2, 3, 3, 3]


@pytest.mark.parametrize("culprit, failure", [(REFUSED, "ValueError"), (RAISES, "shapes differ")])
def test_in_a_group_each_fails_alone(culprit: int, failure: str) -> None:
    with processes(Counted(), 1, group=3) as executor:
        done = results(executor, 1, culprit, 2)
    assert failure in (done[culprit].failure or "")
    assert [(done[value].objectives or ())[0] for value in (1, 2)] == [1, 2]


def test_a_group_that_cannot_be_evaluated_together_is_evaluated_one_by_one() -> None:
    with processes(Counted(), 1, group=3) as executor:
        done = results(executor, 1, TOO_MUCH, 2)
    assert [one.objectives for one in done.values()] == [(1, 1.0), (TOO_MUCH, 1.0), (2, 1.0)]


def test_a_group_is_no_reason_to_stay_after_what_ends_programs() -> None:
    with processes(Counted(), 1, group=3) as executor:
        done = results(executor, 1, LEAVES, 2)
    assert done[LEAVES].failure == "SystemExit: enough"
    assert [one.objectives for one in done.values() if one.objectives] == [(1, 1.0), (2, 1.0)]


@pytest.mark.slow
def test_a_death_in_a_group_is_blamed_on_its_evaluation_alone() -> None:
    with processes(Counted(), 2, group=3) as executor:
        done = results(executor, 1, KILLED, 2, 3, 4, 5)
    assert "died twice" in (done.pop(KILLED).failure or "")
    assert {value: (one.objectives or ())[0] for value, one in done.items()} == {
        value: value for value in range(1, 6)
    }


@pytest.mark.slow
@pytest.mark.parametrize("group", [1, 2])
def test_an_evaluation_that_hangs_is_ended_and_those_beside_it_are_done(group: int) -> None:
    with processes(Counted(), 2, capacity=6, group=group, timeout=1.0) as executor:
        done = results(executor, 1, HANGS, 2, 3)
    assert done.pop(HANGS).failure == "the worker process took longer than 1 seconds"
    assert {value: (one.objectives or ())[0] for value, one in done.items()} == {1: 1, 2: 2, 3: 3}


def test_a_worker_that_dies_with_nothing_to_do_is_replaced() -> None:
    with processes(eventful, 1) as executor:
        results(executor, 1)
        (worker,) = multiprocessing.active_children()
        worker.kill()
        worker.join()
        assert results(executor, 2)[2].objectives == (2.0,)


def hanging(executor: ProcessExecutor) -> None:
    """Submit an evaluation that never ends, and return when it is under way."""
    executor.submit(0, np.array([HANGS]))
    before = executor.busy()
    while executor.busy() == before:
        time.sleep(0.001)


def test_cancelling_does_not_wait_and_new_workers_are_started() -> None:
    with processes(eventful, 1, capacity=2) as executor:
        hanging(executor)
        executor.submit(1, np.array([1]))
        executor.cancel()
        assert multiprocessing.active_children() == []
        assert executor.wait() == []
        assert results(executor, 7)[7].objectives == (7.0,)


def test_until_a_moment_results_are_waited_for_and_the_rest_goes_on() -> None:
    with processes(eventful, 2, capacity=3) as executor:
        results(executor, 1)  # workers have started
        hanging(executor)
        executor.submit(1, np.array([1]))
        assert [one.ticket for one in executor.wait_until(executor.now() + 60)] == [1]
        executor.submit(2, np.array([2]))
        assert [one.ticket for one in executor.wait_until(executor.now() + 60)] == [2]
        assert executor.wait_until(executor.now() + 0.01) == []
        assert executor.wait_until(executor.now() - 1) == []


def test_until_a_moment_groups_grow_once_it_is_known_how_long_evaluations_take() -> None:
    with processes(Counted(), 1, capacity=9, group=4) as executor:
        for ticket in range(9):
            executor.submit(ticket, np.array([ticket]))
        moment = executor.now() + 600
        found = [one.objectives for _ in range(3) for one in executor.wait_until(moment)]
    assert found == [(0, 1.0), *[(value, 4.0) for value in range(1, 9)]]


def test_closing_ends_what_hangs() -> None:
    with processes(eventful, 1) as executor:
        hanging(executor)
        executor.close()
        assert multiprocessing.active_children() == []
        executor.close()


def test_time_under_way_counts_as_far_as_it_is() -> None:
    with processes(eventful, 1) as executor:
        assert executor.busy() == 0.0
        seconds = results(executor, 1)[1].seconds
        assert executor.busy() == seconds
        start = time.perf_counter()
        hanging(executor)
        first, second = executor.busy(), executor.busy()
        executor.cancel()
        assert seconds < first < second < executor.busy() < seconds + time.perf_counter() - start
        assert executor.busy() == executor.busy()


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_reaches_the_parent_and_not_the_workers() -> None:
    with processes(eventful, 1) as executor:
        executor.submit(0, np.array([INTERRUPTS_THE_PARENT]))
        with pytest.raises(KeyboardInterrupt):
            executor.wait()
        assert len(multiprocessing.active_children()) == 1


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed() -> None:
    code = (
        "import numpy, test_optimization_replaced_processes as cases\n"
        "executor = cases.ProcessExecutor(cases.tells_and_hangs, 2)\n"
        "for ticket in range(2): executor.submit(ticket, numpy.array([ticket]))\n"
        "executor.wait()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", code]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    try:
        said = [parent.stdout.readline() for _ in range(2)]
    finally:
        parent.kill()
    # which ends when no process holds the pipe any more
    assert parent.communicate(timeout=60)[0] == ""
    for worker in map(int, said):
        assert not Path(f"/proc/{worker}/cwd").exists()


def test_an_evaluation_that_cannot_be_sent() -> None:
    with pytest.raises(SearchError, match="no lambda") as caught:
        ProcessExecutor(lambda genotype: (0.0,), 1)
    assert "\n" not in str(caught.value)


def test_an_evaluation_that_workers_cannot_load() -> None:
    with (
        processes(Fragile(int, "three"), 2) as executor,
        pytest.raises(SearchError, match=r"cannot be loaded .*'three'.* can be imported"),
    ):
        results(executor, 1, 2)


def test_workers_that_die_before_they_evaluate() -> None:
    with (
        processes(Fragile(os._exit, 3), 2) as executor,
        pytest.raises(SearchError, match="before they evaluate anything"),
    ):
        results(executor, 1, 2)


@pytest.mark.parametrize("workers, capacity", [(0, None), (-1, 5), (4, 3)])
def test_no_workers_or_no_room_for_them(workers: int, capacity: int | None) -> None:
    with pytest.raises(SearchError, match="at least 1 worker"):
        ProcessExecutor(accuracy_and_macs, workers, capacity=capacity)


@pytest.mark.parametrize("settings", [{"group": 0}, {"timeout": 0.0}, {"timeout": -1.0}])
def test_groups_and_timeouts_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(SearchError, match=r"give at least 1 worker|give more than 0"):
        ProcessExecutor(accuracy_and_macs, 1, capacity=1, **settings)
