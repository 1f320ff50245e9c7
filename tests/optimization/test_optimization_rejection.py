"""Evaluations that end early leave a search as it is."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimization_cases import ACCURACY_MACS, ShuffledExecutor

from netstitch.errors import SearchError
from netstitch.optimization import (
    ALGORITHMS,
    Archive,
    Completed,
    Evaluation,
    Executor,
    Genotype,
    Problem,
    Progress,
    RejectionRule,
    SearchResult,
    SearchSettings,
    SerialExecutor,
    Solution,
    State,
    prepare_search,
)
from netstitch.optimization.executors.attempts import BatchEvaluation, StoppedEarly, Thresholds
from netstitch.optimization.executors.executor import WHOLE
from netstitch.optimization.executors.replay import OrderedExecutor
from netstitch.optimization.rejection import STEPS, rejection_threshold

LENGTH = 12
EARLY = ("ga", "gomea", "lk-gomea", "random")


def macs(genotype: Genotype) -> float:
    return float(genotype @ np.arange(1, LENGTH + 1))


def accuracy(genotype: Genotype) -> float:
    """Rugged, and far under what is possible for most."""
    hardly = np.abs(np.sin(genotype * np.arange(3, LENGTH + 3))).mean()
    return float(np.round(hardly * (0.3 + 0.7 * np.cos(genotype.sum()) ** 2), 3))


def signature(genotype: Genotype) -> bytes:
    """Return a signature of all but the first variable, so that genotypes repeat."""
    return genotype[1:].astype(np.uint8).tobytes()


PROBLEM = Problem((3,) * LENGTH, ACCURACY_MACS, signature=signature)
BOUNDING = RejectionRule("accuracy", lambda genotype: (1.0, macs(genotype * MASK)))
MASK = np.array([0] + [1] * (LENGTH - 1))


class InSteps(BatchEvaluation):
    """Evaluates as one does batch by batch: what it may end with is over the true value."""

    def __init__(self) -> None:
        self.ended = 0

    def __call__(self, genotype: Genotype) -> tuple[float, float]:
        return accuracy(genotype * MASK), macs(genotype * MASK)

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds
    ) -> list[tuple[float, ...] | StoppedEarly | Exception]:
        found: list[tuple[float, ...] | StoppedEarly | Exception] = []
        for genotype, threshold in zip(genotypes, thresholds, strict=True):
            value, cost = self(genotype)
            seen = np.random.default_rng(int(1000 * value)).uniform(0.2, 1.0)
            bound = value + (1 - value) * (1 - seen)
            early = threshold is not None and bound <= threshold
            self.ended += early
            found.append(StoppedEarly((bound, cost)) if early else (value, cost))
        return found


def searched(
    algorithm: str,
    executor: Executor,
    rejection: RejectionRule | None,
    *,
    evaluations: int = 250,
    seconds: float | None = None,
    threshold: float | None = None,
    restored: State | None = None,
    states: list[State] | None = None,
    ended: list[State] | None = None,
    **more: Any,
) -> tuple[SearchResult, list[Evaluation]]:
    records: list[Evaluation] = []

    def look(progress: Progress) -> None:
        if states is not None and progress.evaluated == 100:
            states.append(engine.state())

    engine = prepare_search(
        PROBLEM,
        executor,
        SearchSettings(
            evaluations=evaluations,
            seconds=seconds,
            algorithm=algorithm,
            population=10,
            threshold=threshold,
        ),
        seed=5,
        rejection=rejection,
        on_evaluation=records.append,
        on_progress=look,
        **more,
    )
    if restored is not None:
        engine.restore(restored)
    result = engine.run()
    if ended is not None:
        ended.append(engine.state())
    return result, records


def way(result: SearchResult, records: list[Evaluation]) -> Any:
    """Return the path of a search, and what it found."""
    return (
        [one.objectives for one in result.archive],
        [one.genotype.tolist() for one in result.archive],
        [one.genotype.tolist() for one in records],
        [(one.round, one.skipped) for one in records],
        (result.used, result.skipped, result.evaluated, result.stopped),
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("target", [None, 0.6])
@pytest.mark.parametrize(("capacity", "group"), [(1, 1), (6, 3)])
def test_the_search_decides_as_if_none_had_ended_early(
    algorithm: str, target: float | None, capacity: int, group: int
) -> None:
    threshold = None if target is None else target

    def executor(evaluate: InSteps) -> Executor:
        return OrderedExecutor(SerialExecutor(evaluate, capacity, group=group))

    plain = searched(algorithm, executor(InSteps()), None, threshold=threshold)
    evaluate = InSteps()
    early = searched(algorithm, executor(evaluate), BOUNDING, threshold=threshold)
    assert way(*early) == way(*plain)
    stopped_early = [one for one in early[1] if one.stopped_early]
    assert (evaluate.ended >= len(stopped_early) > 20) == (algorithm in EARLY)
    for one, whole in zip(early[1], plain[1], strict=True):
        assert one.objectives is not None
        assert whole.objectives is not None
        if one.stopped_early:
            assert one.objectives[0] >= whole.objectives[0]
            assert one.objectives[1] == whole.objectives[1]
        else:
            assert one.objectives == whole.objectives


def test_one_that_ended_early_is_done_whole_where_a_decision_needs_it() -> None:
    evaluate = InSteps()
    executor = OrderedExecutor(SerialExecutor(evaluate, 8, group=4))
    result, records = searched("ga", executor, BOUNDING, evaluations=800)
    assert evaluate.ended > sum(one.stopped_early for one in records)
    for one in result.archive:
        assert one.objectives == evaluate(one.genotype)


@pytest.mark.parametrize("algorithm", EARLY)
@pytest.mark.parametrize("racing", [False, True])
def test_a_state_with_results_that_are_bounded_goes_on_alike(algorithm: str, racing: bool) -> None:
    rule = replace(BOUNDING, racing=racing)
    states: list[State] = []

    def executor() -> Executor:
        return OrderedExecutor(SerialExecutor(InSteps(), 6, group=3))

    whole, records = searched(algorithm, executor(), rule, states=states)
    [state] = states
    rest, after = searched(algorithm, executor(), rule, restored=state)
    assert [one.objectives for one in rest.archive] == [one.objectives for one in whole.archive]
    assert [one.genotype.tolist() for one in after] == [
        one.genotype.tolist() for one in records[100:]
    ]
    assert [one.stopped_early for one in after] == [one.stopped_early for one in records[100:]]


class Ending(SerialExecutor):
    """Says of all results after some that they would come too late."""

    def __init__(self, evaluate: InSteps, rounds: int) -> None:
        super().__init__(evaluate, 6, group=3)
        self.rounds, self.whole = rounds, list[int]()

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        if ticket == WHOLE:
            self.whole.append(self.rounds)
        super().submit(ticket, genotype, threshold)

    def wait_until(self, moment: float) -> list[Completed]:
        self.rounds -= 1
        return super().wait_until(moment) if self.rounds >= 0 else []


def test_time_may_be_up_while_one_is_done_whole() -> None:
    limit = {"evaluations": 300, "seconds": 1e6}
    source = Ending(InSteps(), 10_000)
    whole, _ = searched("ga", source, BOUNDING, **limit)
    assert whole.stopped == "budget"
    assert source.whole
    for left in source.whole:
        states: list[State] = []
        evaluate = InSteps()
        ending = Ending(evaluate, 10_000 - left)
        cut, before = searched("ga", ending, BOUNDING, ended=states, **limit)
        assert cut.stopped == "time"
        assert 0 < cut.evaluated == len(before) < whole.evaluated
        for one in cut.archive:
            assert one.objectives == evaluate(one.genotype)
        ending = Ending(evaluate, 10_000)
        more = limit | {"seconds": 2e6}
        longer, after = searched("ga", ending, BOUNDING, restored=states[0], **more)
        assert (longer.stopped, longer.used) == ("budget", whole.used)
        told = [one.signature for one in before + after]
        assert len(set(told)) == len(told) == longer.evaluated
        for one in longer.archive:
            assert one.objectives == evaluate(one.genotype)


def test_results_in_any_order_end_with_true_values() -> None:
    evaluate = InSteps()
    result, records = searched("ga", ShuffledExecutor(evaluate, 5, seed=2), BOUNDING)
    assert result.evaluated == len(records)
    assert any(one.stopped_early for one in records)
    for one in result.archive:
        assert one.objectives == evaluate(one.genotype)


class Stubborn(SerialExecutor):
    """Says of all that may end early that they did, with a bound that is always too high."""

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        super().submit(ticket, genotype, threshold)
        self.asked = threshold

    def wait_until(self, moment: float) -> list[Completed]:
        [one] = super().wait_until(moment)
        if self.asked is None:
            return [one]
        assert one.objectives is not None
        return [Completed(one.ticket, (1.0, one.objectives[1]), None, 1.0, "", True)]


def test_what_is_bounded_too_high_is_done_whole() -> None:
    plain = searched("ga", SerialExecutor(InSteps()), None)
    evaluate = InSteps()
    early = searched("ga", Stubborn(lambda genotype: evaluate(genotype)), BOUNDING)
    assert way(*early)[:3] == way(*plain)[:3]


RACING = replace(BOUNDING, racing=True)


class Counted(SerialExecutor):
    """Counts what is done whole after all."""

    def __init__(self, evaluate: InSteps) -> None:
        super().__init__(evaluate, 6, group=3)
        self.again = 0

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        self.again += ticket == WHOLE
        super().submit(ticket, genotype, threshold)


@pytest.mark.parametrize("algorithm", EARLY)
@pytest.mark.parametrize("target", [None, 0.6])
def test_in_a_race_only_the_front_is_evaluated_whole(algorithm: str, target: float | None) -> None:
    certain = Counted(InSteps())
    _, before = searched(algorithm, certain, BOUNDING, threshold=target)
    evaluate = InSteps()
    executor = Counted(evaluate)
    result, records = searched(algorithm, executor, RACING, threshold=target)
    assert executor.again == 0
    early = [one.stopped_early for one in records]
    assert sum(early) >= sum(one.stopped_early for one in before)
    whole = Archive(PROBLEM.objectives)
    for one in records:  # no true value of those that ended early would be on the front
        whole.add(Solution(one.genotype, evaluate(one.genotype)))
    if target is None:
        assert [one.objectives for one in whole.solutions()] == [
            one.objectives for one in result.archive
        ]
    for one in result.archive:
        assert one.objectives == evaluate(one.genotype)


@pytest.mark.parametrize("algorithm", sorted({*ALGORITHMS} - {*EARLY} - {"surrogate"}))
def test_those_that_learn_from_every_value_do_not_race(algorithm: str) -> None:
    plain = searched(algorithm, SerialExecutor(InSteps()), None)
    assert way(*searched(algorithm, SerialExecutor(InSteps()), RACING)) == way(*plain)


@given(st.floats(0, 1), st.booleans())
@settings(deadline=None)
def test_the_threshold_is_just_under_the_least_that_matters(least: float, inclusive: bool) -> None:
    def matters(value: float) -> bool:
        return value >= least if inclusive else value > least

    threshold = rejection_threshold(matters, 0.0, 1.0)
    if threshold is None:
        assert matters(0.0)
    else:
        assert not matters(threshold)
        assert threshold == 1.0 or matters(min(1.0, threshold + 1.01 * 2.0**-STEPS))


def test_an_objective_that_is_not_there_is_refused() -> None:
    with pytest.raises(SearchError, match="unknown objective 'loss'"):
        searched("ga", SerialExecutor(InSteps()), RejectionRule("loss", lambda _: (1.0, 0.0)))
