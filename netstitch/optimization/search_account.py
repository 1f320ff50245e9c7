"""The account of a search: what it has spent of its budget, and what came of it."""

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Setup
from netstitch.optimization.executors.executor import Executor
from netstitch.optimization.problem import Genotype, State
from netstitch.optimization.results import ResultLedger
from netstitch.optimization.search_result import History, Progress, SearchResult, Stopped
from netstitch.optimization.search_settings import SearchSettings


class Timing:
    """Counts from `begin` on, and goes on from what an earlier run of the search spent.

    Args:
        executor: The one whose clock and whose workers count.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._elapsed = self._worker_seconds = self._busy = 0.0  # before `begin`
        self.begin()

    def begin(self) -> None:
        """Count from now on; what an executor did for others before is not counted."""
        self._start = self._executor.now()
        self._busy_at_start = self._executor.busy()

    def elapsed(self) -> float:
        """Return the seconds since the search began, earlier runs of it included."""
        return self._elapsed + self._executor.now() - self._start

    def moment(self, elapsed: float) -> float:
        """Return when so many seconds will have passed, by the executor's clock."""
        return self._start + elapsed - self._elapsed

    def catch_up(self, elapsed: float) -> None:
        """Let at least so many seconds have passed; workers are not said to have had them."""
        self._elapsed += max(0.0, elapsed - self.elapsed())

    def spent(self) -> tuple[float, float]:
        """Return the seconds since the search began, and the idle share of its workers' time."""
        elapsed, available, busy = self.state().values()
        idle = (available - busy) / available if available > 0 else 0.0
        return elapsed, min(1.0, max(0.0, idle))

    def state(self) -> State:
        """Return the seconds that passed, that all workers had, and that they evaluated."""
        now = self._executor.now() - self._start
        return {
            "elapsed": self._elapsed + now,
            "worker_seconds": self._worker_seconds + self._executor.workers * now,
            "busy": self._busy + self._executor.busy() - self._busy_at_start,
        }

    def restore(self, state: State) -> None:
        """Go on from what another run of the search spent."""
        self._elapsed, self._worker_seconds, self._busy = state.values()
        self.begin()


class SearchAccount:
    """Counts, time and history of a search, from which it is known when to stop.

    Args:
        setup: Problem and archive of the search.
        slots: The number of its loops.
        settings: Its budget and patience.
        executor: The one whose clock and whose workers count.
        ledger: The evaluations so far.

    Attributes:
        skipped: Proposals that needed no evaluation of their own.
        unchanged: Those of them that changed nothing active.
        failed: Evaluations without a result.
        failure: Why the last one failed.
        unfruitful: Proposals in a row without a new signature.
        elapsed: Seconds until the last result; all that a threshold and a head start know of the
            time.
    """

    def __init__(
        self,
        setup: Setup,
        slots: int,
        settings: SearchSettings,
        executor: Executor,
        ledger: ResultLedger,
    ) -> None:
        self._objectives = tuple(objective.name for objective in setup.problem.objectives)
        self._archive, self._slots, self._ledger = setup.archive, slots, ledger
        self._budget, self._patience = settings.budget, settings.unfruitful_proposals
        self._history = History(
            setup.problem, setup.initialisation.uniform, settings.evaluations, slots
        )
        self.timing = Timing(executor)
        self.skipped = self.unchanged = self.failed = self.unfruitful = 0
        self.failure, self.elapsed = "", 0.0

    @property
    def used(self) -> int:
        """Evaluations that count as spent, those under way included."""
        return self._budget.used(self._ledger.submitted, self.skipped)

    @property
    def share(self) -> float:
        """The part of the budget that is spent."""
        return self._budget.share(self.used, self.elapsed)

    @property
    def larger_share(self) -> float:
        """The part that is spent of the evaluations or of the time, whichever is larger."""
        return self._budget.larger_share(self.used, self.elapsed)

    @property
    def last_moment(self) -> float:
        """The moment by the executor's clock at which what is under way is given up."""
        return self.timing.moment(self._budget.most_seconds)

    @property
    def reason_to_stop(self) -> Stopped | None:
        """Return the reason why the search may propose nothing more; None where it may."""
        budget = self._budget
        if budget.evaluations is not None and self.used >= budget.evaluations:
            return "budget"
        if budget.seconds is not None and self.timing.elapsed() >= budget.seconds:
            return "time"
        return "patience" if self.unfruitful >= self._patience else None

    def skip(self, *, unchanged: bool = False, undo: bool = False) -> None:
        """Note a proposal that needs no evaluation of its own, or undo one."""
        step = -1 if undo else 1
        self.skipped += step
        self.unfruitful += step
        self.unchanged += step * unchanged

    def arrive(self, genotype: Genotype) -> None:
        """Note that the result of a genotype is there."""
        self.elapsed = self.timing.elapsed()
        self._history.see(genotype)

    def fail(self, failure: str | None) -> None:
        """Note why an evaluation failed, if it did; raises as `check_failures`."""
        if failure is not None:
            self.failed += 1
            self.failure = failure
            if self.failed >= self._slots:
                self.check_failures()

    def check_failures(self) -> None:
        """Raise SearchError when there were evaluations and none of them succeeded."""
        if 0 < self.failed == len(self._ledger.known):
            raise SearchError(
                f"all of the first {self.failed} evaluations failed, the last one with "
                f'"{self.failure}": repair the evaluation'
            )

    def mark(self) -> None:
        """End a moment of the history if it is time."""
        evaluated, elapsed = len(self._ledger.known), self.timing.elapsed()
        self._history.mark(self.used, (evaluated, self.skipped, self.unchanged, elapsed))

    def progress(self) -> Progress:
        """Return the progress of the search."""
        evaluated, (elapsed, idle) = len(self._ledger.known), self.timing.spent()
        return Progress(
            used=self.used,
            evaluated=evaluated,
            failed=self.failed,
            skipped=self.skipped,
            unchanged=self.unchanged,
            in_flight=len(self._ledger.pending),
            elapsed=elapsed,
            rate=evaluated / elapsed if elapsed > 0 else 0.0,
            idle=idle,
            archived=len(self._archive),
            best=self._archive.best(),
            stopped_early=len(self._ledger.early),
            objectives=self._objectives,
        )

    def result(self, stopped: Stopped) -> SearchResult:
        """Return the result of the search, at its end."""
        last = self.progress()
        counts = last.evaluated, last.skipped, last.unchanged, last.elapsed
        self._history.finish(last.used, counts)
        return SearchResult(
            **vars(last),
            archive=self._archive.solutions(),
            history=self._history.moments(),
            stopped=stopped,
        )

    def state(self) -> State:
        """Return all that changes."""
        return {
            "skipped": self.skipped,
            "unchanged": self.unchanged,
            "failed": [self.failed, self.failure],
            "unfruitful": self.unfruitful,
            "elapsed": self.elapsed,
            "timing": self.timing.state(),
            "history": self._history.state(),
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.skipped, self.unchanged = state["skipped"], state["unchanged"]
        self.unfruitful = state["unfruitful"]
        self.failed, self.failure = state["failed"]
        self.elapsed = state["elapsed"]
        self.timing.restore(state["timing"])
        self._history.restore(state["history"])

    def end_time(self) -> None:
        """Let the limit of time have passed, where nothing more would end within it."""
        if self._budget.seconds is not None:
            self.timing.catch_up(self._budget.seconds)

    def catch_up(self, elapsed: float) -> None:
        """Let the last result have come after so many seconds, as where earlier ones are repeated.

        The clock shows at least as many from then on.
        """
        self.elapsed = elapsed
        self.timing.catch_up(elapsed)
