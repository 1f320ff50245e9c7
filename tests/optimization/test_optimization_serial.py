from collections.abc import Sequence

import numpy as np
import pytest

from netstitch.errors import SearchError
from netstitch.optimization import Genotype
from netstitch.optimization.executors.attempts import BatchEvaluation, Thresholds
from netstitch.optimization.executors.serial import SerialExecutor


def test_results_come_one_at_a_time_in_order_of_submission() -> None:
    executor = SerialExecutor(lambda genotype: (float(genotype[0]),), capacity=2)
    executor.submit(7, np.array([3]))
    executor.submit(4, np.array([5]))
    results = executor.wait() + executor.wait()
    assert [(done.ticket, done.objectives) for done in results] == [(7, (3.0,)), (4, (5.0,))]
    assert executor.wait() == []


def test_an_evaluation_that_raises_is_a_result_with_one_line() -> None:
    def broken(genotype: object) -> tuple[float, ...]:
        raise ValueError("shapes\ndiffer")

    executor = SerialExecutor(broken)
    executor.submit(0, np.array([0]))
    (done,) = executor.wait()
    assert done.objectives is None
    assert done.failure == "ValueError: shapes differ"


def test_until_a_moment_no_more_is_begun_than_ends_by_then() -> None:
    now, asked = 0.0, list[int]()

    class Evaluate(BatchEvaluation):
        def __call__(self, genotype: Genotype) -> tuple[float, ...]:
            [found] = self.together([genotype])
            return found

        def together(
            self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
        ) -> list[tuple[float, ...]]:
            nonlocal now
            now += 10.0 * len(genotypes)
            asked.append(len(genotypes))
            return [(float(genotype[0]),) for genotype in genotypes]

    executor = SerialExecutor(Evaluate(), 8, group=8)
    executor.now = lambda: now  # type: ignore[method-assign]
    for ticket in range(8):
        executor.submit(ticket, np.array([ticket]))
    assert [one.ticket for one in executor.wait_until(45.0)] == [0, 1, 2, 3]
    assert asked == [1, 2, 1]  # half of what the mean leaves time for
    assert (now, executor.wait_until(45.0)) == (40.0, [])
    assert [one.ticket for one in executor.wait()] == [4, 5, 6, 7]
    assert asked == [1, 2, 1, 4]


def test_it_is_busy_only_while_it_evaluates() -> None:
    executor = SerialExecutor(lambda genotype: (0.0,))
    executor.submit(0, np.array([0]))
    assert (executor.workers, executor.busy()) == (1, 0.0)
    (done,) = executor.wait()
    assert executor.busy() == done.seconds > 0


def test_an_interruption_is_not_a_failed_evaluation() -> None:
    def interrupted(genotype: object) -> tuple[float, ...]:
        raise KeyboardInterrupt

    executor = SerialExecutor(interrupted)
    executor.submit(0, np.array([0]))
    with pytest.raises(KeyboardInterrupt):
        executor.wait()


def test_what_is_cancelled_is_not_evaluated() -> None:
    executor = SerialExecutor(lambda genotype: (0.0,))
    executor.submit(0, np.array([0]))
    executor.cancel()
    assert executor.wait() == []


def test_an_executor_without_room_is_refused() -> None:
    with pytest.raises(SearchError, match="capacity 0"):
        SerialExecutor(lambda genotype: (0.0,), capacity=0)
