"""A search in the order of asking does not depend on what evaluates."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimization_cases import accuracy_and_macs, lotz

from netstitch.optimization import (
    Budget,
    Completed,
    Evaluation,
    Executor,
    Genotype,
    SerialExecutor,
    run_search,
)
from netstitch.optimization.ordering import OrderedExecutor

IN_FLIGHT = 5


class Shuffled:
    """Hands back some of what is under way, in an order of chance."""

    capacity = workers = IN_FLIGHT

    def __init__(self, evaluate: Callable[[Genotype], tuple[float, ...]], seed: int) -> None:
        self._evaluate = evaluate
        self._generator = np.random.default_rng(seed)
        self._pending: list[tuple[int, Genotype]] = []

    def submit(self, ticket: int, genotype: Genotype) -> None:
        self._pending.append((ticket, genotype))

    def wait(self) -> list[Completed]:
        count = self._generator.integers(1, len(self._pending) + 1)
        chosen = self._generator.choice(len(self._pending), count, replace=False)
        done = [self._pending[index] for index in chosen]
        self._pending = [item for item in self._pending if item[0] not in [t for t, _ in done]]
        return [Completed(t, self._evaluate(genotype), None, 0.0) for t, genotype in done]

    def busy(self) -> float:
        return 0.0

    def cancel(self) -> None:
        self._pending.clear()

    def close(self) -> None:
        self.cancel()


def searched(algorithm: str, executor: Executor) -> list[tuple[object, ...]]:
    records: list[Evaluation] = []
    run_search(
        lotz(20),
        executor,
        budget=Budget(60),
        algorithm=algorithm,
        population=8,
        seed=3,
        on_evaluation=records.append,
    )
    return [(one.signature, one.objectives, one.round, one.skipped) for one in records]


@pytest.mark.parametrize("algorithm", ["ga", "gomea", "lk-gomea", "local-search", "nsga2"])
@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=5)
def test_the_search_is_that_of_one_process_with_as_many_in_flight(
    algorithm: str, seed: int
) -> None:
    expected = searched(
        algorithm, OrderedExecutor(SerialExecutor(accuracy_and_macs, IN_FLIGHT, group=2))
    )
    assert searched(algorithm, SerialExecutor(accuracy_and_macs, IN_FLIGHT)) == expected
    assert searched(algorithm, OrderedExecutor(Shuffled(accuracy_and_macs, seed))) == expected


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
