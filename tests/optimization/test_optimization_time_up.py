"""Searches that end by time: within a twentieth more than their limit, and with what is done."""

import multiprocessing
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from optimization_cases import accuracy_and_macs, lotz, results
from worker_cases import HANGS, eventful

from netstitch.errors import SearchError
from netstitch.optimization import (
    Engine,
    Evaluation,
    Executor,
    Genotype,
    Objective,
    Problem,
    ProcessExecutor,
    SearchSettings,
    SerialExecutor,
    SimulatedExecutor,
    prepare_search,
    run_search,
)
from netstitch.optimization.executors.replay import Arrival, OrderedExecutor, ReplayExecutor

PROBLEM = lotz(12)
LIMIT = 100.0


def as_finished(executor: Executor) -> Executor:
    return executor


def replayed(executor: Executor) -> Executor:
    return ReplayExecutor(executor, PROBLEM.identify, {})


def replayed_in_order(executor: Executor) -> Executor:
    return OrderedExecutor(replayed(executor))


WRAPPED = [as_finished, OrderedExecutor, replayed, replayed_in_order]


class Slow:
    """Two workers or more, 16 evaluations under way, of which some take 30 times longer."""

    def __init__(self, workers: int = 2) -> None:
        self.done: list[bytes] = []
        self.executor = SimulatedExecutor(
            self._evaluate, self._seconds, workers=workers, capacity=16
        )

    def _evaluate(self, genotype: Genotype) -> tuple[float, float]:
        self.done.append(genotype.tobytes())
        return accuracy_and_macs(genotype)

    def _seconds(self, genotype: Genotype) -> float:
        return 1.0 + 2.0 * float(genotype.sum()) ** 1.5


def prepared(executor: Executor, told: list[bytes], algorithm: str = "ga", **budget: Any) -> Engine:
    return prepare_search(
        PROBLEM,
        executor,
        SearchSettings(algorithm=algorithm, population=16, **budget),
        seed=3,
        on_evaluation=lambda one: told.append(one.genotype.tobytes()),
    )


@pytest.mark.parametrize("workers", [2, 16])
@pytest.mark.parametrize("wrapped", WRAPPED)
def test_what_is_done_is_kept_and_what_is_not_is_done_where_there_is_more_time(
    wrapped: Callable[[Executor], Executor], workers: int
) -> None:
    slow, told = Slow(workers), list[bytes]()
    engine = prepared(wrapped(slow.executor), told, seconds=LIMIT)
    result = engine.run()
    assert result.stopped == "time"
    assert LIMIT <= result.elapsed <= 1.05 * LIMIT
    assert sorted(told) == sorted(slow.done)  # whoever took longest
    assert result.evaluated == len(told) > 0
    assert slow.executor.wait() == []
    state = engine.state()
    pending = [genotype for one in state["ledger"]["pending"] for _, genotype in one.waiting]
    assert result.in_flight == len(state["ledger"]["pending"]) > 0
    before = len(told)
    again = prepared(wrapped(Slow(workers).executor), told, seconds=4 * LIMIT)
    again.restore(state)
    longer = again.run()
    assert (longer.stopped, longer.evaluated) == ("time", len(told))
    assert 3 * LIMIT < longer.elapsed <= 1.05 * 4 * LIMIT
    assert len(set(told)) == len(told) > 2 * before  # none was done twice
    assert {one.tobytes() for one in pending} <= set(told)


class Clocked(SerialExecutor):
    """Evaluates in groups; an evaluation takes its seconds on a clock of its own."""

    def __init__(self, seconds: Callable[[Genotype], float], group: int) -> None:
        super().__init__(self._pass, capacity=6, group=group)
        self._seconds, self._now = seconds, 0.0

    def now(self) -> float:
        return self._now

    def _pass(self, genotype: Genotype) -> tuple[float, float]:
        self._now += self._seconds(genotype)
        return accuracy_and_macs(genotype)


def executors(seconds: Callable[[Genotype], float]) -> list[Executor]:
    def workers() -> Executor:
        return SimulatedExecutor(accuracy_and_macs, seconds, workers=2, capacity=6)

    return [
        workers(),
        OrderedExecutor(workers()),
        Clocked(seconds, group=1),
        Clocked(seconds, group=4),
        OrderedExecutor(Clocked(seconds, group=4)),
    ]


@pytest.mark.parametrize("which", range(5))
@given(
    kind=st.integers(1, 2),
    share=st.floats(0.05, 3.0),
    algorithm=st.sampled_from(["ga", "gomea", "lk-gomea"]),
)
@examples(deadline=None, max_examples=12)
def test_a_limit_changes_nothing_where_it_does_not_end_the_search(
    which: int, kind: int, share: float, algorithm: str
) -> None:
    def seconds(genotype: Genotype) -> float:
        return 1.0 + float(genotype.sum() % kind)

    def facts(**limit: float) -> tuple[Any, Any]:
        told: list[Evaluation] = []
        result = run_search(
            PROBLEM,
            executors(seconds)[which],
            SearchSettings(algorithm=algorithm, population=8, evaluations=80, **limit),
            on_evaluation=told.append,
        )
        return result, [(one.signature, one.round, one.skipped) for one in told]

    whole, expected = facts()
    result, told = facts(seconds=share * whole.elapsed)
    if share >= 2.0:
        assert result.stopped == whole.stopped
    if result.stopped != "time":
        assert told == expected
        assert result.elapsed == whole.elapsed
    else:
        asked = {signature for signature, *_ in expected}
        assert {signature for signature, *_ in told} <= asked
        # One that cannot be interrupted may take longer than those before it.
        limit = max(kind, 1.05 * share * whole.elapsed + kind - 1)
        assert result.elapsed <= limit * (1 + 1e-9)


def test_where_all_that_was_done_in_time_failed_the_search_says_so() -> None:
    def broken(genotype: Genotype) -> tuple[float, float]:
        raise RuntimeError("no memory")

    executor = SimulatedExecutor(broken, lambda _: 10.0, workers=2)
    with pytest.raises(SearchError, match=r"first 2 evaluations failed.*no memory"):
        prepared(executor, [], seconds=15.0).run()


def test_where_nothing_was_done_in_time_the_result_is_empty() -> None:
    executor = SimulatedExecutor(accuracy_and_macs, lambda _: 10.0, workers=2)
    result = prepared(executor, [], seconds=5.0).run()
    assert (result.stopped, result.evaluated, result.archive) == ("time", 0, ())
    assert result.elapsed == 5.25


@pytest.mark.parametrize("group", [1, 4])
def test_an_interruption_ends_a_search_with_a_limit_at_once(group: int) -> None:
    evaluated: list[int] = []

    def interrupted(genotype: Genotype) -> tuple[float, float]:
        evaluated.append(1)
        if len(evaluated) == 3:
            raise KeyboardInterrupt
        return accuracy_and_macs(genotype)

    result = prepared(SerialExecutor(interrupted, 8, group=group), [], seconds=1e6).run()
    assert (result.stopped, len(evaluated)) == ("interrupted", 3)


@pytest.mark.parametrize("wrapped", [as_finished, OrderedExecutor])
def test_processes_that_take_longer_are_killed(wrapped: Callable[[Executor], Executor]) -> None:
    executor = ProcessExecutor(eventful, 2, capacity=8)
    try:
        results(executor, 1)  # workers have started
        result = run_search(
            Problem((HANGS + 1,), (Objective("value"),)),
            wrapped(executor),
            SearchSettings(algorithm="random", population=4, seconds=0.5),
            initial=[[HANGS]],
        )
        assert result.stopped == "time"
        assert result.in_flight > 0
        assert multiprocessing.active_children() == []
    finally:
        executor.close()


def test_what_workers_sent_before_is_given_out_after_the_moment() -> None:
    known: dict[Hashable, Any] = {}
    arrived: list[Arrival] = []
    executor = SimulatedExecutor(accuracy_and_macs, lambda one: float(one[0]), workers=3)
    replaying = ReplayExecutor(executor, lambda one: int(one[0]), known, arrived.extend)
    source = OrderedExecutor(replaying)
    for ticket, seconds in enumerate([9, 2, 1]):
        source.submit(ticket, np.array([seconds]))
    assert [one.ticket for one in source.wait_until(5.0)] == [1, 2]
    assert source.wait_until(5.0) == []
    assert [one.signature for one in arrived] == [1, 2]
    assert [one.ticket for one in source.wait()] == [0]
