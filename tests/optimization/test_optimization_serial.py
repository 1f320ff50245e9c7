import numpy as np
import pytest

from netstitch.errors import SearchError
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
