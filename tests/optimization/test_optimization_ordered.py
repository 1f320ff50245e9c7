"""A search in the order of asking does not depend on what evaluates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimization_cases import ShuffledExecutor, accuracy_and_macs, searched

from netstitch.optimization import Executor, SerialExecutor
from netstitch.optimization.executors.attempts import BatchEvaluation, Thresholds
from netstitch.optimization.executors.executor import WHOLE
from netstitch.optimization.executors.replay import OrderedExecutor

IN_FLIGHT = 5


def told(algorithm: str, executor: Executor) -> list[tuple[object, ...]]:
    found = searched(algorithm, executor)
    return [(one.signature, one.objectives, one.round, one.skipped) for one in found]


@pytest.mark.parametrize("algorithm", ["ga", "gomea", "lk-gomea", "local-search", "nsga2"])
@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=5)
def test_the_search_is_that_of_one_process_with_as_many_in_flight(
    algorithm: str, seed: int
) -> None:
    expected = told(
        algorithm, OrderedExecutor(SerialExecutor(accuracy_and_macs, IN_FLIGHT, group=2))
    )
    assert told(algorithm, SerialExecutor(accuracy_and_macs, IN_FLIGHT)) == expected
    shuffled = ShuffledExecutor(accuracy_and_macs, IN_FLIGHT, seed)
    assert told(algorithm, OrderedExecutor(shuffled)) == expected


def test_nothing_is_left_after_it_was_cancelled() -> None:
    executor = OrderedExecutor(SerialExecutor(accuracy_and_macs, 2, group=2))
    assert executor.wait() == []
    for ticket in (3, 4):
        executor.submit(ticket, np.zeros(20, dtype=np.int64))
    assert [one.ticket for one in executor.wait()] == [3]
    executor.cancel()
    assert executor.wait() == []
    executor.submit(5, np.zeros(20, dtype=np.int64))
    assert [one.ticket for one in executor.wait()] == [5]


@pytest.mark.parametrize("group", [1, 3])
def test_one_that_the_search_waits_for_is_evaluated_alone_before_the_others(group: int) -> None:
    asked: list[int] = []

    class Evaluate(BatchEvaluation):
        def __call__(self, genotype: np.ndarray) -> tuple[float, float]:
            [found] = self.together([genotype], [None])
            return found

        def together(
            self, genotypes: list[np.ndarray], thresholds: Thresholds
        ) -> list[tuple[float, float]]:
            asked.append(len(genotypes))
            return [accuracy_and_macs(one) for one in genotypes]

    executor = OrderedExecutor(SerialExecutor(Evaluate(), 6, group=group))
    for ticket in (0, 1, 2, WHOLE):
        executor.submit(ticket, np.zeros(20, dtype=np.int64))
    assert [executor.wait()[0].ticket for _ in range(4)] == [WHOLE, 0, 1, 2]
    assert asked == ([1, 3] if group == 3 else [1, 1, 1, 1])
