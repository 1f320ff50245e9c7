"""The engine between an executor and an algorithm whose proposals are given."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from optimization_cases import (
    ACCURACY_MACS,
    ClockedExecutor,
    ShuffledExecutor,
    accuracy_and_macs,
    parted,
)

from netstitch.errors import SearchError
from netstitch.optimization import (
    Archive,
    Evaluation,
    Executor,
    Genotype,
    Initialisation,
    Problem,
    Progress,
    RejectionRule,
    SearchResult,
    SerialExecutor,
    SimulatedExecutor,
    Solution,
    State,
)
from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.engine import Engine
from netstitch.optimization.executors.attempts import BatchEvaluation, StoppedEarly, Thresholds
from netstitch.optimization.rising_threshold import RisingThreshold


@dataclass
class Scripted(Algorithm):
    """Proposes given numbers in turn, as genotypes of one variable, then has converged.

    Refuses to be asked by a slot that still waits.
    """

    script: list[int]
    slots: int = 1
    proposed: list[tuple[int, int]] = field(default_factory=list)
    received: list[tuple[int, int, tuple[float, ...] | None, bool]] = field(default_factory=list)

    waiting: set[int] = field(default_factory=set)

    def propose(self, slot: int) -> Genotype:
        assert slot not in self.waiting
        self.waiting.add(slot)
        value = self.script.pop(0)
        self.proposed.append((slot, value))
        return np.array([value])

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        self.waiting.remove(slot)
        self.received.append((slot, int(solution.genotype[0]), solution.objectives, entered))

    def converged(self) -> bool:
        return not self.script

    def state(self) -> State:
        return {"script": list(self.script)}

    def restore(self, state: State) -> None:
        self.script = list(state["script"])


def value_and_square(genotype: Genotype) -> tuple[float, float]:
    return float(genotype[0]), float(genotype[0]) ** 2


def engine(algorithm: Scripted, executor: Executor | None = None, **more: Any) -> Engine:
    problem = more.pop("problem", Problem((1000,), ACCURACY_MACS))
    settings, others = parted({"evaluations": 1000, "population": 4, "patience": 100, **more})
    setup = Setup(
        problem=problem,
        population=algorithm.slots,
        initialisation=Initialisation(),
        initial=np.empty((0, problem.length), dtype=np.int64),
        archive=others.pop("archive", Archive(problem.objectives)),
        constraint=others.pop("constraint", None),
        generator=np.random.default_rng(0),
    )
    executor = executor or SerialExecutor(value_and_square)
    return Engine(setup, algorithm, executor, settings, config={}, **others)


def counting(calls: list[int]) -> Callable[[Genotype], tuple[float, float]]:
    def evaluate(genotype: Genotype) -> tuple[float, float]:
        calls.append(int(genotype[0]))
        return value_and_square(genotype)

    return evaluate


def test_a_repeat_is_served_from_memory() -> None:
    calls: list[int] = []
    algorithm = Scripted([3, 3, 5, 3])
    result = engine(algorithm, SerialExecutor(counting(calls))).run()
    assert calls == [3, 5]
    assert (result.evaluated, result.skipped, result.used) == (2, 2, 4)
    assert [got[:3] for got in algorithm.received] == [
        (0, 3, (3.0, 9.0)),
        (0, 3, (3.0, 9.0)),
        (0, 5, (5.0, 25.0)),
        (0, 3, (3.0, 9.0)),
    ]
    assert [got[3] for got in algorithm.received] == [True, False, True, False]


def test_equal_signatures_share_an_evaluation_but_keep_their_genotypes() -> None:
    calls: list[int] = []
    problem = Problem((1000,), ACCURACY_MACS, signature=lambda genotype: int(genotype[0]) % 10)
    algorithm = Scripted([3, 13, 23, 4], slots=2)
    engine(algorithm, SerialExecutor(counting(calls)), problem=problem).run()
    assert calls == [3, 4]
    assert (1, 13, (3.0, 9.0), False) in algorithm.received


def test_equal_signatures_under_way_are_joined() -> None:
    calls: list[int] = []
    algorithm = Scripted([7, 7, 8, 7, 9], slots=4)
    result = engine(algorithm, SerialExecutor(counting(calls), capacity=4)).run()
    assert algorithm.proposed[:4] == [(0, 7), (1, 7), (2, 8), (3, 7)]
    # one evaluation serves the three slots, before that of slot 2 is done
    assert [got[:2] for got in algorithm.received[:3]] == [(0, 7), (1, 7), (3, 7)]
    assert [got[3] for got in algorithm.received[:3]] == [True, False, False]
    assert calls == [7, 8, 9]
    assert (result.evaluated, result.skipped) == (3, 2)


def test_every_slot_waits_for_its_own_evaluation_only() -> None:
    algorithm = Scripted(list(range(500)), slots=5)
    executor = ShuffledExecutor(value_and_square, capacity=5, seed=2)
    engine(algorithm, executor).run()
    assert executor.most_held == 5
    assert len(algorithm.received) == 500
    assert sorted(got[:2] for got in algorithm.received) == sorted(algorithm.proposed)
    assert all(got[2] == (got[1], got[1] ** 2) for got in algorithm.received)
    assert [slot for slot, _ in algorithm.proposed[5:10]] != [0, 1, 2, 3, 4]


def test_no_more_than_the_capacity_is_under_way() -> None:
    executor = ShuffledExecutor(value_and_square, capacity=3, seed=1)
    engine(Scripted(list(range(60)), slots=9), executor).run()
    assert executor.most_held == 3


@pytest.mark.parametrize("count_skipped, proposals", [(True, 5), (False, 8)])
def test_skipped_evaluations_count_as_the_budget_says(count_skipped: bool, proposals: int) -> None:
    algorithm = Scripted([1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8])
    result = engine(algorithm, evaluations=5, count_skipped=count_skipped).run()
    assert len(algorithm.proposed) == proposals
    assert result.stopped == "budget"
    assert result.used == 5


def test_what_is_under_way_when_the_budget_ends_is_used() -> None:
    algorithm = Scripted(list(range(99)), slots=6)
    result = engine(algorithm, SerialExecutor(value_and_square, capacity=6), evaluations=8).run()
    assert len(algorithm.proposed) == len(algorithm.received) == result.evaluated == 8


@pytest.mark.parametrize("seconds, evaluated", [(10.0, 10), (30.0, 31)])
def test_when_the_time_is_up_nothing_is_started_that_ends_a_twentieth_later(
    seconds: float, evaluated: int
) -> None:
    now = 0.0

    def evaluate(genotype: Genotype) -> tuple[float, float]:
        nonlocal now
        now += 1.0
        return value_and_square(genotype)

    algorithm = Scripted(list(range(99)), slots=4)
    result = engine(
        algorithm,
        ClockedExecutor(evaluate, lambda: now, capacity=2),
        evaluations=None,
        seconds=seconds,
    ).run()
    assert result.stopped == "time"
    assert len(algorithm.proposed) == seconds + 1  # one more was under way
    assert result.evaluated == result.elapsed == evaluated


class Choosy(Scripted):
    """Cares for no value before the last but one of its script."""

    learns_from_all = False

    def matters(self, slot: int, solution: Solution) -> bool:
        return len(self.script) <= 1


class Bounded(BatchEvaluation):
    """Takes ten seconds, and stops early where it may; 9 is better than all others."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self, genotype: Genotype) -> tuple[float, float]:
        self.now += 10.0
        value, square = value_and_square(genotype)
        return value, 0.0 if value == 9 else square

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> list[StoppedEarly]:
        [(value, square)] = map(self, genotypes)
        return [StoppedEarly((value + 1, square))]


def test_a_proposal_whose_value_time_does_not_suffice_for_is_made_where_there_is_more() -> None:
    def searching(algorithm: Scripted, seconds: float) -> Engine:
        evaluate = Bounded()
        return engine(
            algorithm,
            ClockedExecutor(evaluate, lambda: evaluate.now),
            seconds=seconds,
            rejection=RejectionRule("accuracy", lambda one: (one[0] + 1.0, one[0] ** 2.0)),
        )

    algorithm = Choosy([9, 5, 5, 1])
    made = searching(algorithm, 25.0)
    result = made.run()
    assert (result.stopped, result.elapsed) == ("time", 20.0)
    assert (result.evaluated, result.stopped_early, result.skipped) == (2, 1, 0)
    assert algorithm.received == [(0, 9, (9.0, 0.0), True), (0, 5, (6.0, 25.0), False)]
    same = searching(Choosy([], waiting={0}), 25.0)
    same.restore(made.state())
    assert same.run().evaluated == 2  # there is no more time
    again = Choosy([], waiting={0})
    longer = searching(again, 60.0)
    longer.restore(made.state())
    assert longer.run().stopped == "converged"
    assert again.received == [(0, 5, (5.0, 25.0), False), (0, 1, (1.0, 1.0), False)]


def test_patience_ends_a_search_that_finds_nothing_new() -> None:
    algorithm = Scripted([1, 2, *[1, 2] * 50])
    result = engine(algorithm, patience=7).run()
    assert result.stopped == "patience"
    assert (result.evaluated, result.skipped) == (2, 7)


def test_something_new_restores_patience() -> None:
    algorithm = Scripted([1, 1, 1, 2, 1, 1, 3, 1, 1, 1, 1, 4])
    result = engine(algorithm, patience=3).run()
    assert (result.stopped, result.evaluated, result.skipped) == ("patience", 3, 7)


def test_a_converged_algorithm_is_done() -> None:
    assert engine(Scripted([1, 2])).run().stopped == "converged"


def test_records_come_before_the_algorithm_learns_of_them() -> None:
    algorithm = Scripted([4, 4, 6])
    seen: list[tuple[Evaluation, int]] = []
    engine(algorithm, on_evaluation=lambda one: seen.append((one, len(algorithm.received)))).run()
    assert [received for _, received in seen] == [0, 2]
    first = seen[0][0]
    assert (first.ordinal, first.objectives, first.failure) == (1, (4.0, 16.0), None)
    assert first.seconds >= 0


def test_progress_tells_where_the_search_is() -> None:
    now = iter(range(1000))
    seen: list[Progress] = []
    executor = ClockedExecutor(value_and_square, lambda: float(next(now)))
    engine(Scripted([9, 9, 2]), executor, on_progress=seen.append).run()
    last = seen[-1]
    assert (last.used, last.evaluated, last.skipped, last.failed) == (3, 2, 1, 0)
    assert (last.archived, last.best) == (2, (9.0, 4.0))
    assert last.rate == 2 / last.elapsed


def test_progress_tells_what_is_under_way_and_how_idle_workers_are() -> None:
    """A genotype is as many seconds long; one of two workers has the first, one the others."""
    executor = SimulatedExecutor(
        value_and_square, lambda genotype: float(genotype[0]), workers=2, capacity=3
    )
    seen: list[Progress] = []
    result = engine(Scripted([10, 1, 2, 3], slots=3), executor, on_progress=seen.append).run()
    assert [(one.elapsed, one.in_flight) for one in seen] == [(1, 2), (3, 2), (6, 1), (10, 0)]
    assert [one.idle for one in seen] == [0, 0, 0, 4 / 20]
    assert result.idle == 4 / 20


def test_idle_shares_are_those_of_one_search_where_an_executor_serves_several() -> None:
    executor = SimulatedExecutor(value_and_square, lambda genotype: 1.0, workers=2)
    for _ in range(2):
        result = engine(Scripted([1, 2, 3]), executor).run()
        assert result.idle == 0.5  # one loop, two workers


def test_time_begins_when_the_search_does() -> None:
    now = 0.0
    executor = ClockedExecutor(value_and_square, lambda: now)
    made = engine(Scripted([1, 2]), executor, evaluations=None, seconds=5.0)
    now = 100.0
    assert made.run().evaluated == 2


def test_a_state_within_a_step_is_refused() -> None:
    """Such as where a search was interrupted while it made a proposal."""
    algorithm = Scripted([1, 2, 3])

    def interrupted(slot: int) -> Genotype:
        raise KeyboardInterrupt

    algorithm.propose = interrupted  # type: ignore[method-assign]
    made = engine(algorithm)
    assert made.run().stopped == "interrupted"
    with pytest.raises(SearchError, match="ask for it in `on_progress`"):
        made.state()


def test_the_threshold_follows_the_budget_with_skipped_evaluations() -> None:
    constraint = RisingThreshold(column=0, target=100.0)
    algorithm = Scripted([50, 50, 50, 200])
    archive = Archive(ACCURACY_MACS, constrained=0)
    result = engine(algorithm, evaluations=10, constraint=constraint, archive=archive).run()
    assert constraint.value == pytest.approx(80.0)
    assert [one.objectives for one in result.archive] == [(200.0, 40000.0)]


def test_with_time_only_the_threshold_follows_the_clock() -> None:
    constraint = RisingThreshold(column=0, target=100.0)
    now = iter(range(1000))
    archive = Archive(ACCURACY_MACS, constrained=0)
    engine(
        Scripted(list(range(99))),
        ClockedExecutor(value_and_square, lambda: float(next(now))),
        evaluations=None,
        seconds=40.0,
        constraint=constraint,
        archive=archive,
    ).run()
    assert constraint.value == 100.0


def failing(values: Iterable[int]) -> Callable[[Genotype], tuple[float, float]]:
    bad = set(values)

    def evaluate(genotype: Genotype) -> tuple[float, float]:
        if int(genotype[0]) in bad:
            raise RuntimeError(f"no memory for {genotype[0]}")
        return value_and_square(genotype)

    return evaluate


def test_when_all_first_evaluations_fail_the_search_says_why() -> None:
    algorithm = Scripted(list(range(50)), slots=4)
    with pytest.raises(SearchError, match=r"first 4 evaluations failed.*no memory for 3"):
        engine(algorithm, SerialExecutor(failing(range(50)))).run()
    assert len(algorithm.proposed) == 4


def test_when_all_of_a_small_space_fails_the_search_says_why() -> None:
    algorithm = Scripted([1, 1, 1, 1, 1], slots=4)
    with pytest.raises(SearchError, match=r"first 1 evaluations failed.*no memory for 1"):
        engine(algorithm, SerialExecutor(failing([1]))).run()


def test_one_success_is_enough_to_go_on() -> None:
    result = engine(Scripted(list(range(9)), slots=4), SerialExecutor(failing([0, 1, 3, 4]))).run()
    assert (result.evaluated, result.failed) == (9, 4)


def test_a_failure_is_not_evaluated_again() -> None:
    algorithm = Scripted([5, 1, 1, 1])
    result = engine(algorithm, SerialExecutor(failing([1]))).run()
    assert (result.evaluated, result.failed, result.skipped) == (2, 1, 2)
    assert algorithm.received[1:] == [(0, 1, None, False)] * 3


def test_a_number_of_objectives_that_changes_ends_the_search() -> None:
    def three(genotype: Genotype) -> tuple[float, ...]:
        return (1.0, 2.0, 3.0) if genotype[0] == 4 else (1.0, 2.0)

    message = r"gave 3 objectives instead of 2 \(accuracy, macs\)"
    with pytest.raises(SearchError, match=message):
        engine(Scripted([1, 2, 4, 5]), SerialExecutor(three)).run()


def test_genotypes_cannot_be_changed_by_an_evaluation() -> None:
    def meddle(genotype: Genotype) -> tuple[float, float]:
        genotype[0] = 0
        return 0.0, 0.0

    with pytest.raises(SearchError, match="read-only"):
        engine(Scripted([1]), SerialExecutor(meddle)).run()


@pytest.mark.parametrize("callback", ["on_evaluation", "on_progress"])
def test_an_interruption_in_a_callback_ends_gracefully(callback: str) -> None:
    def interrupt(told: object) -> None:
        raise KeyboardInterrupt

    executor = SerialExecutor(value_and_square, capacity=2)
    result: SearchResult = engine(
        Scripted([1, 2, 3], slots=2), executor, **{callback: interrupt}
    ).run()
    assert result.stopped == "interrupted"
    assert [one.objectives for one in result.archive] == [(1.0, 1.0)]
    assert executor.wait() == []  # what was under way is cancelled


def test_an_error_in_a_callback_is_passed_on_and_evaluations_cancelled() -> None:
    def full(told: object) -> None:
        raise OSError("no space left")

    executor = SerialExecutor(accuracy_and_macs, capacity=2)
    with pytest.raises(OSError, match="no space left"):
        engine(Scripted([1, 2, 3], slots=2), executor, on_evaluation=full).run()
    assert executor.wait() == []
