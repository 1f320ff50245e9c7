"""The engine: runs an algorithm's loops against an executor (the paper's section 5).

Each loop waits only for its own evaluation. A loop proposes when the executor has room for it, so
an executor of capacity n has all n of them under way, and one of capacity 1 lets every proposal
know all results before it.
"""

import math
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Algorithm
from netstitch.optimization.archive import Archive
from netstitch.optimization.budget import Budget
from netstitch.optimization.executor import Completed, Executor
from netstitch.optimization.problem import Genotype, Problem
from netstitch.optimization.result import Progress, SearchResult, Stopped
from netstitch.optimization.solution import Evaluation, Solution
from netstitch.optimization.steering import Steering


@dataclass(frozen=True, eq=False)
class Pending:
    """An evaluation under way and the (slot, genotype) pairs that wait for it, first come first."""

    signature: Hashable
    waiting: list[tuple[int, Genotype]]


class Engine:
    """The state of a search between evaluations, and the steps that move it on.

    patience: how many proposals in a row may bring no new signature before the search ends.
    clock: seconds from any start.
    """

    def __init__(
        self,
        problem: Problem,
        algorithm: Algorithm,
        executor: Executor,
        archive: Archive,
        budget: Budget,
        *,
        steering: Steering | None,
        patience: int,
        on_evaluation: Callable[[Evaluation], None] | None,
        on_progress: Callable[[Progress], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self._problem = problem
        self._algorithm = algorithm
        self._executor = executor
        self._archive = archive
        self._budget = budget
        self._steering = steering
        self._patience = patience
        self._on_evaluation = on_evaluation
        self._on_progress = on_progress
        self._clock = clock
        self._start = clock()

        self._idle = deque(range(algorithm.slots))
        self._parked: list[int] = []  # loops that wait for another one's result
        self._pending: dict[int, Pending] = {}  # by ticket
        self._tickets: dict[Hashable, int] = {}  # of the signatures under way
        self._known: dict[Hashable, tuple[float, ...] | None] = {}  # objectives by signature
        self._submitted = 0
        self._skipped = 0
        self._failed = 0
        self._failure = ""  # the last one
        self._fruitless = 0  # proposals in a row without a new signature
        self._stopped: Stopped | None = None

    def run(self) -> SearchResult:
        """Search until something ends it; an interruption from the keyboard ends it gracefully.

        Raises SearchError when all evaluations fail, at the latest after one for each slot.
        """
        try:
            self._steer()
            while True:
                self._fill()
                if not self._pending:
                    break
                for completed in self._executor.wait():
                    self._take(completed)
            self._stopped = self._stopped or "converged"  # no loop has anything to propose
            self._check_failures()  # of a small space, fewer than there are slots
        except KeyboardInterrupt:
            self._executor.cancel()
            self._stopped = "interrupted"
        except BaseException:
            self._executor.cancel()
            raise
        assert self._stopped is not None
        return self._result(self._stopped)

    def _fill(self) -> None:
        """Let idle loops propose until the executor is full, or nothing may be proposed."""
        while self._idle and len(self._pending) < self._executor.capacity:
            self._stopped = self._stopped or self._reason_to_stop()
            if self._stopped:
                return
            self._propose(self._idle.popleft())

    def _propose(self, slot: int) -> None:
        genotype = self._algorithm.propose(slot)
        if genotype is None:
            self._parked.append(slot)
            return
        genotype.setflags(write=False)
        signature = self._problem.identify(genotype)
        if signature in self._known:
            self._skip()
            self._algorithm.receive(slot, Solution(genotype, self._known[signature]), False)
            self._idle.append(slot)
            self._wake()
        elif signature in self._tickets:
            self._skip()
            self._pending[self._tickets[signature]].waiting.append((slot, genotype))
        else:
            self._fruitless = 0
            ticket = self._submitted
            self._submitted += 1
            self._pending[ticket] = Pending(signature, [(slot, genotype)])
            self._tickets[signature] = ticket
            self._steer()
            self._executor.submit(ticket, genotype)

    def _wake(self) -> None:
        """Let loops that had nothing to propose try again, since there is a new result."""
        self._idle.extend(self._parked)
        self._parked.clear()

    def _skip(self) -> None:
        self._skipped += 1
        self._fruitless += 1
        self._steer()

    def _take(self, completed: Completed) -> None:
        """Work in one result: remember it, archive it, tell of it, and give it to its loops."""
        pending = self._pending.pop(completed.ticket)
        del self._tickets[pending.signature]
        genotype = pending.waiting[0][1]
        objectives, failure = self._checked(completed)
        self._known[pending.signature] = objectives
        self._failed += objectives is None
        entered = self._archive.add(Solution(genotype, objectives))
        if self._on_evaluation is not None:
            self._on_evaluation(
                Evaluation(
                    ordinal=len(self._known),
                    genotype=genotype,
                    signature=pending.signature,
                    objectives=objectives,
                    seconds=completed.seconds,
                    failure=failure,
                )
            )
        if failure is not None:
            self._failure = failure
            if self._failed >= self._algorithm.slots:
                self._check_failures()
        self._wake()
        for slot, own in pending.waiting:
            self._algorithm.receive(slot, Solution(own, objectives), entered)
            entered = False  # those that joined bring nothing new
            self._idle.append(slot)
        if self._on_progress is not None:
            self._on_progress(self.progress())

    def _checked(self, completed: Completed) -> tuple[tuple[float, ...] | None, str | None]:
        """The objectives, or None and the reason: a failure, a wrong number, or not finite."""
        objectives = completed.objectives
        if objectives is None:
            return None, completed.failure or "the evaluation gave no objectives"
        names = [objective.name for objective in self._problem.objectives]
        if len(objectives) != len(names):
            return None, f"{len(objectives)} objectives instead of {len(names)}"
        for name, value in zip(names, objectives, strict=True):
            if not math.isfinite(value):
                return None, f"objective {name!r} is {value}, not a finite number"
        return objectives, None

    def _check_failures(self) -> None:
        """Raise SearchError when there were evaluations and none of them succeeded."""
        if 0 < self._failed == len(self._known):
            raise SearchError(
                f"all of the first {self._failed} evaluations failed, the last one with "
                f'"{self._failure}": repair the evaluation'
            )

    @property
    def used(self) -> int:
        """Evaluations that count as spent, those under way included."""
        return self._budget.used(self._submitted, self._skipped)

    def _steer(self) -> None:
        if self._steering is not None:
            share = self._budget.share(self.used, self._clock() - self._start)
            self._steering.advance(share)
            self._archive.raise_threshold(self._steering.value)

    def _reason_to_stop(self) -> Stopped | None:
        budget = self._budget
        if budget.evaluations is not None and self.used >= budget.evaluations:
            return "budget"
        if budget.seconds is not None and self._clock() - self._start >= budget.seconds:
            return "time"
        if self._fruitless >= self._patience:
            return "patience"
        if self._algorithm.converged():
            return "converged"
        return None

    def progress(self) -> Progress:
        """Where the search is."""
        elapsed = self._clock() - self._start
        evaluated = len(self._known)
        return Progress(
            used=self.used,
            evaluated=evaluated,
            failed=self._failed,
            skipped=self._skipped,
            elapsed=elapsed,
            rate=evaluated / elapsed if elapsed > 0 else 0.0,
            archived=len(self._archive),
            best=self._archive.best(),
        )

    def _result(self, stopped: Stopped) -> SearchResult:
        return SearchResult(
            archive=self._archive.solutions(),
            used=self.used,
            evaluated=len(self._known),
            failed=self._failed,
            skipped=self._skipped,
            elapsed=self._clock() - self._start,
            stopped=stopped,
        )
