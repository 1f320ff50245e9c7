"""A search that was stopped repeats itself from what is known, and evaluates nothing again."""

from collections.abc import Callable, Hashable
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimization_cases import ACCURACY_MACS, ShuffledExecutor, accuracy_and_macs

from netstitch.optimization import (
    ALGORITHMS,
    Engine,
    Evaluation,
    Genotype,
    Problem,
    Progress,
    SearchSettings,
    State,
    prepare_search,
)
from netstitch.optimization.executors.replay import KnownResult, ReplayExecutor, known_by

PROBLEM = Problem((2, 3, 1, 4, 2, 2, 3, 2, 2, 5), ACCURACY_MACS)


class Stopped:
    """A search on workers that answer in random order, stopped after some evaluations."""

    def __init__(
        self,
        algorithm: str,
        after: int,
        known: dict[Hashable, KnownResult],
        seed: int,
        clock: Callable[[], float] | None = None,
        **settings: Any,
    ) -> None:
        self.asked: list[bytes] = []
        self.told: list[Evaluation] = []
        self.states: list[State] = []
        self._after, self._known = after, known
        workers = ShuffledExecutor(self._evaluate, 5, seed)
        if clock is not None:
            workers.now = clock  # type: ignore[method-assign]
        self.executor = ReplayExecutor(workers, PROBLEM.identify, known)
        self.engine: Engine = prepare_search(
            PROBLEM,
            self.executor,
            SearchSettings(algorithm=algorithm, population=8, **{"evaluations": 120} | settings),
            on_evaluation=self._keep,
            on_progress=self._look,
        )
        self.moments: dict[int, float] = {}  # of results that come again, by number

    def _evaluate(self, genotype: Genotype) -> tuple[float, float]:
        self.asked.append(genotype.tobytes())
        if genotype.sum() % 7 == 3:
            raise ValueError("three")
        return accuracy_and_macs(genotype)

    def _keep(self, evaluation: Evaluation) -> None:
        self.told.append(evaluation)
        self._known[evaluation.signature] = known_by(evaluation)
        if evaluation.ordinal in self.moments:
            self.engine.account.catch_up(self.moments[evaluation.ordinal])

    def _look(self, progress: Progress) -> None:
        self.states.append(self.engine.state())
        if progress.evaluated >= self._after:
            raise KeyboardInterrupt

    @property
    def rounds(self) -> list[list[Hashable]]:
        groups = groupby(self.told, key=lambda one: one.round)
        return [[one.signature for one in group] for _, group in groups]


def facts(told: list[Evaluation]) -> list[Any]:
    return [
        (one.ordinal, one.signature, one.objectives, one.failure, one.round, one.skipped)
        for one in told
    ]


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@settings(deadline=None, max_examples=15)
@given(after=st.integers(1, 60), seed=st.integers(0, 99))
def test_results_in_the_order_of_before_make_the_same_proposals(
    algorithm: str, after: int, seed: int
) -> None:
    """Whatever the order of the workers: what they did before is not asked of them again."""
    known: dict[Hashable, KnownResult] = {}
    first = Stopped(algorithm, after, known, seed)
    first.engine.run()
    again = Stopped(algorithm, 10_000, known, seed + 1)
    again.executor.follow(first.rounds)
    again.engine.run()
    assert facts(again.told)[: len(first.told)] == facts(first.told)
    assert len(set(again.asked)) == len(again.asked)
    delivered = {one.genotype.tobytes() for one in first.told}
    assert not delivered & set(again.asked)


class Ticking:
    """A clock on which random times pass between two looks."""

    def __init__(self, seed: int, longest: float) -> None:
        self._random, self._longest = np.random.default_rng(seed), longest
        self._now = 0.0

    def __call__(self) -> float:
        self._now += float(self._random.uniform(0, self._longest))
        return self._now


@settings(deadline=None, max_examples=15)
@given(after=st.integers(10, 60), seed=st.integers(0, 99))
def test_a_threshold_that_rises_with_time_is_where_it_was(after: int, seed: int) -> None:
    """The clock runs otherwise when a search is repeated, and is read at other moments."""
    known: dict[Hashable, KnownResult] = {}
    rising = {"evaluations": None, "seconds": 100.0, "threshold": 0.9}
    first = Stopped("ga", after, known, seed, clock=Ticking(seed, 0.3), **rising)
    first.engine.run()
    again = Stopped("ga", after, known, seed + 1, clock=Ticking(seed, 1e-6), **rising)
    again.executor.follow(first.rounds)
    again.moments = {one.ordinal: one.elapsed for one in first.told}
    again.engine.run()
    assert facts(again.told)[: len(first.told)] == facts(first.told)
    assert not again.asked or len(again.told) > len(first.told)


@settings(deadline=None, max_examples=25)
@given(after=st.integers(20, 60), place=st.integers(0, 19), seed=st.integers(0, 99))
def test_it_goes_on_from_a_state_and_what_came_behind_it(after: int, place: int, seed: int) -> None:
    known: dict[Hashable, KnownResult] = {}
    first = Stopped("gomea", after, known, seed)
    first.engine.run()
    again = Stopped("gomea", 10_000, known, seed + 1)
    again.engine.restore(first.states[place])
    count = again.engine.delivered
    assert count >= place + 1
    left = [[one for one in first.told if one.round == number] for number in range(1, after + 1)]
    rounds = [[one.signature for one in group if one.ordinal > count] for group in left]
    again.executor.follow([group for group in rounds if group])
    again.engine.run()
    expected = facts(first.told)[place + 1 :]
    assert facts(again.told)[: len(expected)] == expected


def test_where_the_search_takes_another_way_the_order_is_forgotten() -> None:
    known: dict[Hashable, KnownResult] = {}
    first = Stopped("ga", 30, known, 0)
    first.engine.run()
    other = Stopped("gomea", 60, known, 1)
    other.executor.follow(first.rounds)
    assert other.executor._rounds
    other.engine.run()
    assert not other.executor._rounds
    delivered = {one.genotype.tobytes() for one in first.told}
    assert len(other.told) >= 60  # and what is known is still not evaluated again
    assert not delivered & set(other.asked)
