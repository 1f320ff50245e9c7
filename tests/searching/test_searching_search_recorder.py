"""A recorded search that was stopped anywhere goes on as it was, early ends or not."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.evaluation import Store
from netstitch.optimization import (
    Completed,
    Engine,
    Executor,
    Genotype,
    HeadStart,
    Objective,
    Problem,
    Progress,
    RejectionRule,
    SearchResult,
    SearchSettings,
    SearchStart,
    SerialExecutor,
    prepare_search,
)
from netstitch.optimization.executors.attempts import BatchEvaluation, StoppedEarly
from netstitch.optimization.executors.executor import WHOLE, Request
from netstitch.optimization.executors.replay import ReplayExecutor
from netstitch.searching.search_recorder import SearchRecorder

LENGTH, SIZE = 10, 8
AHEAD = list(np.eye(LENGTH, dtype=np.int64))
NAMES = ("accuracy", "weight")


class KilledError(BaseException):
    """Ends a search as a kill does: nothing is tidied up."""


def objectives(genotype: Genotype) -> tuple[float, float]:
    accuracy = abs(np.sin(genotype @ np.arange(3, LENGTH + 3))) * np.cos(genotype.sum()) ** 2
    return float(np.round(accuracy, 3)), float(genotype @ np.arange(1, LENGTH + 1))


class InSteps(BatchEvaluation):
    """Evaluates as one does batch by batch: what it ends with is over the true value."""

    def __call__(self, genotype: Genotype) -> tuple[float, float]:
        return objectives(genotype)

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Sequence[float | None]
    ) -> list[tuple[float, float] | StoppedEarly]:
        found: list[tuple[float, float] | StoppedEarly] = []
        for genotype, threshold in zip(genotypes, thresholds, strict=True):
            accuracy, cost = objectives(genotype)
            bound = accuracy + 0.7 * (1 - accuracy)
            early = threshold is not None and bound <= threshold
            found.append(StoppedEarly((bound, cost)) if early else (accuracy, cost))
        return found


PROBLEM = Problem(
    (3,) * LENGTH,
    (Objective(NAMES[0], maximise=True), Objective(NAMES[1])),
    signature=lambda genotype: genotype.astype(np.uint8).tobytes(),
)
BOUNDING = RejectionRule("accuracy", lambda genotype: (1.0, objectives(genotype)[1]))


class Workers(Executor):
    """Gives results in random order, `together` at a time; `at_whole` is called before a WHOLE.

    Each takes a second by its clock.
    """

    def __init__(self, seed: int, together: int, at_whole: Callable[[], None]) -> None:
        self.capacity = self.workers = 6
        self.evaluated: list[bytes] = []
        self._serial = SerialExecutor(InSteps())
        self._held: list[Request] = []
        self._random = np.random.default_rng(seed)
        self._together, self._at_whole = together, at_whole
        self._seconds = 0.0

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        self._held.append(Request(ticket, genotype, threshold))

    def wait(self) -> list[Completed]:
        self._random.shuffle(self._held)  # type: ignore[arg-type]
        taken, self._held = self._held[: self._together], self._held[self._together :]
        self._seconds += len(taken)
        done: list[Completed] = []
        for one in taken:
            if one.ticket == WHOLE:
                self._at_whole()
            else:
                self.evaluated.append(one.genotype.tobytes())
            self._serial.submit(*one)
            done += self._serial.wait()
        return done

    def busy(self) -> float:
        return 0.0

    def now(self) -> float:
        return self._seconds

    def cancel(self) -> None:
        self._held.clear()


def search(
    folder: Path,
    seed: int,
    *,
    together: int = 1,
    ahead: int = 0,
    share: float = 1.0,
    seconds: float | None = None,
    create: bool = True,
    at_whole: Callable[[], None] = lambda: None,
    look: Callable[[Engine, SearchRecorder, Progress], None] = lambda engine, record, progress: (
        None
    ),
) -> tuple[SearchResult | None, list[bytes], list[bytes]]:
    """The result, None where it was killed; signatures in order of delivery; what was evaluated."""
    with Store(folder / "evaluations.sqlite", NAMES, create=create) as store:
        record = SearchRecorder(folder, store, PROBLEM.objectives)
        workers = Workers(seed, together, at_whole)
        replaying = ReplayExecutor(workers, PROBLEM.identify, record.known, record.arrive)
        engine = prepare_search(
            PROBLEM,
            replaying,
            SearchSettings(evaluations=120, seconds=seconds, algorithm="ga", population=SIZE),
            seed=1,
            start=SearchStart(head_start=HeadStart(AHEAD[:ahead], share) if ahead else None),
            on_evaluation=record.keep,
            on_progress=lambda progress: look(engine, record, progress),
            rejection=BOUNDING,
        )
        record.begin(SIZE, engine, replaying)
        try:
            result = engine.run()
        except KilledError:
            result = None
        else:
            record.save()
        order = [bytes(one.signature) for one in store.deliveries(SIZE)]
        return result, order, workers.evaluated


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 999),
    together=st.integers(1, 4),
    ahead=st.sampled_from([0, LENGTH]),
    saved=st.integers(1, 50),
    more=st.integers(1, 40),
)
def test_killed_behind_any_state_it_repeats_what_came_behind_it(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    together: int,
    ahead: int,
    saved: int,
    more: int,
) -> None:
    folder = tmp_path_factory.mktemp("run")

    def look(engine: Engine, record: SearchRecorder, progress: Progress) -> None:
        if progress.evaluated == saved:
            record.save()
        if progress.evaluated == saved + more:
            raise KilledError

    _, before, first = search(folder, seed, together=together, ahead=ahead, look=look)
    result, after, again = search(folder, seed + 1, together=together, ahead=ahead, create=False)
    assert result is not None
    assert result.stopped == "budget"
    assert after[: len(before)] == before
    assert not set(first) & set(again)


@pytest.mark.parametrize("saved", [None, 2, 12])
def test_a_head_start_that_time_ended_ends_there_again(tmp_path: Path, saved: int | None) -> None:
    """After three seconds, a tenth; six evaluations are under way at a time."""

    def look(engine: Engine, record: SearchRecorder, progress: Progress) -> None:
        if progress.evaluated == saved:
            record.save()
        if progress.evaluated == 20:
            raise KilledError

    timed: dict[str, Any] = {"ahead": LENGTH, "share": 0.1, "seconds": 30.0}
    _, before, _ = search(tmp_path, 1, look=look, **timed)
    result, after, _ = search(tmp_path, 2, create=False, **timed)
    assert set(before[:8]) == {PROBLEM.identify(one) for one in AHEAD[:8]}
    assert PROBLEM.identify(AHEAD[8]) != before[8] != PROBLEM.identify(AHEAD[9])
    assert result is not None
    assert result.stopped == "time"
    assert after[: len(before)] == before


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 999), together=st.integers(1, 4), which=st.integers(1, 6))
def test_an_interruption_while_one_is_done_whole_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, together: int, which: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    left = [which]

    def interrupt() -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    result, before, first = search(folder, seed, together=together, at_whole=interrupt)
    assert result is not None
    if result.stopped == "interrupted":
        assert result.evaluated == len(before)
        assert (folder / f"search-{SIZE}.state").exists()
    result, after, again = search(folder, seed + 1, together=together, create=False)
    assert result is not None
    assert result.stopped == "budget"
    assert after[: len(before)] == before
    done = set(first) & set(again)
    assert len(done) <= together  # what the interruption came amid
    for one in result.archive:
        assert one.objectives == objectives(one.genotype)


def test_a_failure_that_is_kept_names_the_objective_of_the_search(tmp_path: Path) -> None:
    def endless(genotype: Genotype) -> tuple[float, float]:
        accuracy, weight = objectives(genotype)
        return accuracy, weight if genotype[0] else np.inf

    with Store(tmp_path / "evaluations.sqlite", NAMES) as store:
        record = SearchRecorder(tmp_path, store, PROBLEM.objectives)
        executor = ReplayExecutor(
            SerialExecutor(endless), PROBLEM.identify, record.known, record.arrive
        )
        asked = SearchSettings(evaluations=40, algorithm="random", population=SIZE)
        engine = prepare_search(PROBLEM, executor, asked, seed=1, on_evaluation=record.keep)
        record.begin(SIZE, engine, executor)
        engine.run()
        failures = {one.failure for one in store.known().values() if one.failure is not None}
    assert failures == {"objective 'weight' is inf, not a finite number"}
