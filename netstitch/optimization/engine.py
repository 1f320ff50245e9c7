"""The engine: runs an algorithm's loops against an executor (the paper's section 5).

Each loop waits only for its own evaluation. A loop proposes when the executor has room for it, so
an executor of capacity n has all n of them under way, and one of capacity 1 lets every proposal
know all results before it.
"""

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Algorithm
from netstitch.optimization.annealing import AnnealedConstraint
from netstitch.optimization.archive import Archive
from netstitch.optimization.budget import Budget
from netstitch.optimization.executors.executor import (
    WHOLE,
    Completed,
    Executor,
    checked,
    packed_results,
    unpacked_results,
)
from netstitch.optimization.executors.timing import Timing
from netstitch.optimization.history import History
from netstitch.optimization.problem import Genotype, Problem
from netstitch.optimization.rejection import RejectionRule, RejectionTest
from netstitch.optimization.result_ledger import ResultLedger
from netstitch.optimization.search_result import Progress, SearchResult, Stopped
from netstitch.optimization.search_state import State, check_asked
from netstitch.optimization.solution import Evaluation, Solution


class Engine:
    """The state of a search between evaluations, and the steps that move it on.

    generator: that of the algorithm; what changes of it is part of the state.
    asked: what the search is, as plain data, which a state to go on from must have been asked too.
    patience: how many proposals in a row may bring no new signature before the search ends.
    clock: seconds from any start.
    bounding: lets evaluations end where their outcome is certain, if the algorithm can say what
        matters. Where a later decision needs the value of one that did, it is evaluated whole, and
        the search waits for it, so that it goes its way as if none had ended early.
    """

    def __init__(
        self,
        problem: Problem,
        algorithm: Algorithm,
        executor: Executor,
        archive: Archive,
        budget: Budget,
        *,
        generator: np.random.Generator,
        asked: Mapping[str, Any],
        steering: AnnealedConstraint | None,
        history: History,
        patience: int,
        on_evaluation: Callable[[Evaluation], None] | None,
        on_progress: Callable[[Progress], None] | None,
        clock: Callable[[], float],
        bounding: RejectionRule | None = None,
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
        self._timing = Timing(clock, executor)
        self._generator = generator
        self._asked = dict(asked)
        self._history = history

        self._stakes = RejectionTest(problem, algorithm, archive, bounding)

        self._ready = deque(range(algorithm.slots))
        self._parked: list[int] = []  # loops that wait for another one's result
        self._ledger = ResultLedger(len(problem.objectives))
        self._arrived: deque[Completed] = deque()  # results that are not worked in yet
        self._early: deque[list[Completed]] = deque()  # that came while one was waited for
        self._held: dict[int, Genotype] = {}  # proposals by slot that an interruption held up
        self._round = 0  # of results that arrived together
        self._skipped = 0
        self._failed = 0
        self._failure = ""  # the last one
        self._elapsed = 0.0  # at the last result, which is all that steering knows of the time
        self._fruitless = 0  # proposals in a row without a new signature
        self._whole = True  # whether no step is half done
        self._stopped: Stopped | None = None

    def run(self) -> SearchResult:
        """Search until something ends it; an interruption from the keyboard ends it gracefully.

        Raises SearchError when all evaluations fail, at the latest after one for each slot, and
        when one gives another number of objectives than the problem has.
        """
        try:
            self._timing.begin()
            self._steer()
            while True:
                self._take_arrived()
                self._fill()
                if not self._ledger.pending:
                    break
                self._arrived.extend(self._wait())
                self._round += 1
            self._stopped = self._stopped or "converged"  # no loop has anything to propose
            self._check_failures()  # of a small space, fewer than there are slots
        except KeyboardInterrupt:
            self._executor.cancel()
            self._stopped = "interrupted"
            with suppress(KeyboardInterrupt):
                if self._whole:
                    self._take_left()
        except BaseException:
            self._executor.cancel()
            raise
        assert self._stopped is not None
        return self._result(self._stopped)

    def _wait(self) -> list[Completed]:
        return self._early.popleft() if self._early else self._executor.wait()

    def _take_arrived(self) -> None:
        while self._arrived:
            if self._needs_whole(self._arrived[0]):
                self._arrived[0] = self._completed_whole(self._arrived[0])
            self._take(self._arrived.popleft())

    def _take_left(self) -> None:
        """After an interruption, work in what has arrived, up to one that is to be done whole."""
        while True:
            while self._arrived:
                if self._needs_whole(self._arrived[0]):
                    return
                self._take(self._arrived.popleft())
            if not self._early:
                return
            self._arrived.extend(self._early.popleft())
            self._round += 1

    def _fill(self) -> None:
        """Let idle loops propose until the executor is full, or nothing may be proposed."""
        while self._ready and len(self._ledger.pending) < self._executor.capacity:
            self._stopped = self._stopped or self._reason_to_stop()
            if self._stopped:
                return
            self._propose(self._ready.popleft())

    def _propose(self, slot: int) -> None:
        self._whole = False
        self._ask(slot)
        self._whole = True

    def _ask(self, slot: int) -> None:
        held = self._held.pop(slot, None)
        genotype = self._algorithm.propose(slot) if held is None else held
        if genotype is None:
            self._parked.append(slot)
            return
        genotype.setflags(write=False)
        signature = self._problem.identify(genotype)
        if signature in self._ledger.known:
            self._skip()
            try:
                known = self._known(slot, genotype, signature)
            except KeyboardInterrupt:
                self._hold(slot, genotype)
                raise
            self._algorithm.receive(slot, known, False)
            self._ready.append(slot)
            self._wake()
        elif self._ledger.join(signature, slot, genotype):
            self._skip()
        else:
            self._fruitless = 0
            floor = self._stakes.floor(slot, genotype)
            ticket = self._ledger.open(signature, slot, genotype, floor)
            self._steer()
            self._executor.submit(ticket, genotype, floor)

    def _hold(self, slot: int, genotype: Genotype) -> None:
        """Undo a proposal that was known: the slot makes the same where the search goes on."""
        self._held[slot] = genotype
        self._ready.appendleft(slot)
        self._skipped -= 1
        self._fruitless -= 1
        self._whole = True

    def _known(self, slot: int, genotype: Genotype, signature: Hashable) -> Solution:
        """What a slot receives of a signature that is known, whole where that matters to it."""
        known = Solution(genotype, self._ledger.known[signature])
        if self._ledger.bounded(signature) and self._stakes.in_slot(slot, known):
            whole = self._whole_of(genotype)
            known = Solution(genotype, whole.objectives)
            self._ledger.complete(signature, whole.objectives)
            self._note_failure(whole.failure)
        return known

    def _whole_of(self, genotype: Genotype) -> Completed:
        """Evaluate one that ended early, while other results wait."""
        self._executor.submit(WHOLE, genotype)
        while True:
            done = self._executor.wait()
            others = [one for one in done if one.ticket != WHOLE]
            if others:
                self._early.append(others)
            for one in done:
                if one.ticket == WHOLE:
                    objectives, failure = checked(one, self._problem.objectives)
                    return replace(one, objectives=objectives, failure=failure)

    def _note_failure(self, failure: str | None) -> None:
        if failure is None:
            return
        self._failed += 1
        self._failure = failure
        if self._failed >= self._algorithm.slots:
            self._check_failures()

    def _wake(self) -> None:
        """Let loops that had nothing to propose try again, since there is a new result."""
        self._ready.extend(self._parked)
        self._parked.clear()

    def _skip(self) -> None:
        self._skipped += 1
        self._fruitless += 1
        self._steer()
        self._mark()

    def _take(self, completed: Completed) -> None:
        """Work in one result: remember it, archive it, tell of it, and give it to its loops.

        One that ended early is to be one that need not be done whole.
        """
        self._whole = False
        objectives, failure = checked(completed, self._problem.objectives)
        bounded = completed.bounded and objectives is not None
        pending = self._ledger.close(completed.ticket, objectives, bounded=bounded)
        genotype = pending.waiting[0][1]
        self._elapsed = self._timing.elapsed()
        self._history.see(genotype)
        entered = not bounded and self._archive.add(Solution(genotype, objectives))
        if self._on_evaluation is not None:
            self._on_evaluation(
                Evaluation(
                    ordinal=len(self._ledger.known),
                    genotype=genotype,
                    signature=pending.signature,
                    objectives=objectives,
                    seconds=completed.seconds,
                    failure=failure,
                    worker=completed.worker,
                    round=self._round,
                    skipped=self._skipped,
                    elapsed=self._elapsed,
                    bounded=bounded,
                )
            )
        self._note_failure(failure)
        self._wake()
        for slot, own in pending.waiting:
            self._algorithm.receive(slot, Solution(own, objectives), entered)
            entered = False  # those that joined bring nothing new
            self._ready.append(slot)
        self._mark()
        self._whole = True
        if self._on_progress is not None:
            self._on_progress(self.progress())

    def _needs_whole(self, completed: Completed) -> bool:
        """Whether a result ended early and its value may matter.

        Where several loops wait for it, what one makes of it may matter to the next.
        """
        objectives, _ = checked(completed, self._problem.objectives)
        if not completed.bounded or objectives is None:
            return False
        waiting = self._ledger.pending[completed.ticket].waiting
        return len(waiting) > 1 or any(
            self._stakes.matters(slot, Solution(own, objectives)) for slot, own in waiting
        )

    def _completed_whole(self, completed: Completed) -> Completed:
        """A result that ended early, done whole; others that come meanwhile wait."""
        waiting = self._ledger.pending[completed.ticket].waiting
        whole = self._whole_of(waiting[0][1])
        seconds = completed.seconds + whole.seconds
        return replace(whole, ticket=completed.ticket, seconds=seconds, bounded=False)

    def _check_failures(self) -> None:
        """Raise SearchError when there were evaluations and none of them succeeded."""
        if 0 < self._failed == len(self._ledger.known):
            raise SearchError(
                f"all of the first {self._failed} evaluations failed, the last one with "
                f'"{self._failure}": repair the evaluation'
            )

    @property
    def used(self) -> int:
        """Evaluations that count as spent, those under way included."""
        return self._budget.used(self._ledger.submitted, self._skipped)

    @property
    def delivered(self) -> int:
        """Results that the search was given so far, those that it has not worked in included."""
        return self.taken + len(self._arrived)

    @property
    def taken(self) -> int:
        """Results that the search has worked in."""
        return len(self._ledger.known)

    @property
    def whole(self) -> bool:
        """Whether no step is half done, so that `state` can be asked for."""
        return self._whole

    @property
    def front(self) -> tuple[Solution, ...]:
        """The archive as it is."""
        return self._archive.solutions()

    def _steer(self) -> None:
        if self._steering is not None:
            share = self._budget.share(self.used, self._elapsed)
            self._steering.advance(share)
            self._archive.raise_threshold(self._steering.value)

    def _reason_to_stop(self) -> Stopped | None:
        budget = self._budget
        if budget.evaluations is not None and self.used >= budget.evaluations:
            return "budget"
        if budget.seconds is not None and self._timing.elapsed() >= budget.seconds:
            return "time"
        if self._fruitless >= self._patience:
            return "patience"
        if self._algorithm.converged():
            return "converged"
        return None

    def _mark(self) -> None:
        self._history.mark(
            self.used, len(self._ledger.known), self._skipped, self._timing.elapsed()
        )

    def progress(self) -> Progress:
        """Where the search is."""
        spent = self._timing.spent()
        evaluated = len(self._ledger.known)
        return Progress(
            used=self.used,
            evaluated=evaluated,
            failed=self._failed,
            skipped=self._skipped,
            in_flight=len(self._ledger.pending),
            elapsed=spent.elapsed,
            rate=evaluated / spent.elapsed if spent.elapsed > 0 else 0.0,
            idle=spent.idle,
            archived=len(self._archive),
            best=self._archive.best(),
            bounded=self._ledger.early,
            objectives=tuple(objective.name for objective in self._problem.objectives),
        )

    def _result(self, stopped: Stopped) -> SearchResult:
        last = self.progress()
        self._history.finish(last.used, last.evaluated, last.skipped, last.elapsed)
        return SearchResult(
            archive=self._archive.solutions(),
            used=last.used,
            evaluated=last.evaluated,
            failed=last.failed,
            skipped=last.skipped,
            elapsed=last.elapsed,
            idle=last.idle,
            history=self._history.moments(),
            stopped=stopped,
            bounded=last.bounded,
        )

    def state(self) -> State:
        """All that the search is, as plain data, to be saved with `save_state`.

        To be asked for between two evaluations, such as in `on_progress`. Evaluations under way
        are part of it, and are submitted again where the search goes on.

        Raises SearchError where the problem's signatures are not bytes, and within a step, as in
        `on_evaluation`, or where an interruption ended one.
        """
        if not self._whole:
            raise SearchError(
                "the state of a search within a step is not whole: ask for it in `on_progress`"
            )
        return {
            "asked": self._asked,
            "algorithm": self._algorithm.state(),
            "archive": self._archive.state(),
            "threshold": None if self._steering is None else self._steering.value,
            "generator": self._generator.bit_generator.state,
            "history": self._history.state(),
            "ledger": self._ledger.state(),
            "arrived": packed_results(self._arrived),
            "early": [packed_results(results) for results in self._early],
            "held": [[slot, genotype] for slot, genotype in self._held.items()],
            "round": self._round,
            "ready": list(self._ready),
            "parked": list(self._parked),
            "skipped": self._skipped,
            "failed": self._failed,
            "failure": self._failure,
            "fruitless": self._fruitless,
            "elapsed": self._elapsed,
            "timing": self._timing.state(),
        }

    def restore(self, state: State) -> None:
        """Go on from a state of an equal search, before `run`; budget and patience may differ.

        With a serial executor the search then ends as the other one would have.

        Raises SearchError when the state is of another search.
        """
        lacking = sorted(self.state().keys() - state.keys())
        if lacking:
            raise SearchError(f"the state lacks {lacking[0]!r}: give what `Engine.state` gave")
        check_asked(self._asked, state["asked"])
        self._algorithm.restore(state["algorithm"])
        self._archive.restore(state["archive"])
        if self._steering is not None:
            self._steering.value = state["threshold"]
        self._generator.bit_generator.state = state["generator"]
        self._history.restore(state["history"])
        self._ledger.restore(state["ledger"])
        self._arrived = deque(unpacked_results(state["arrived"]))
        self._early = deque(unpacked_results(results) for results in state["early"])
        self._held = dict(state["held"])
        self._round = state["round"]
        self._ready = deque(state["ready"])
        self._parked = list(state["parked"])
        self._skipped = state["skipped"]
        self._failed = state["failed"]
        self._failure = state["failure"]
        self._fruitless = state["fruitless"]
        self._elapsed = state["elapsed"]
        self._timing.restore(state["timing"])
        arrived = {one.ticket for results in (self._arrived, *self._early) for one in results}
        for ticket, pending in self._ledger.pending.items():
            if ticket not in arrived:
                self._executor.submit(ticket, pending.waiting[0][1], pending.floor)

    def catch_up(self, elapsed: float) -> None:
        """Let the last result have come after so many seconds, as where earlier ones are repeated.

        The clock shows at least as many from then on.
        """
        self._elapsed = elapsed
        self._timing.catch_up(elapsed)
