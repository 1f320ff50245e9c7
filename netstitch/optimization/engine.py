"""The engine: runs an algorithm's loops against an executor (the paper's section 5).

Each loop waits only for its own evaluation. A loop proposes when the executor has room for it, so
an executor of capacity n has all n of them under way, and one of capacity 1 lets every proposal
know all results before it.
"""

from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from typing import Any

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.executors.executor import Completed, Executor
from netstitch.optimization.executors.timing import Timing
from netstitch.optimization.history import History
from netstitch.optimization.loops import Loops
from netstitch.optimization.problem import Genotype
from netstitch.optimization.rejection import RejectionRule, RejectionTest
from netstitch.optimization.result_inbox import ResultInbox
from netstitch.optimization.result_ledger import ResultLedger
from netstitch.optimization.search_result import Progress, SearchCounts, SearchResult, Stopped
from netstitch.optimization.search_settings import SearchSettings
from netstitch.optimization.search_state import State, check_config
from netstitch.optimization.solution import Evaluation, Solution


class Engine:
    """The state of a search between evaluations, and the steps that move it on.

    Args:
        setup: What the algorithm was made from; its generator is part of the state.
        algorithm: Proposes genotypes, and learns from results.
        executor: Evaluates them.
        settings: Budget and patience of the search.
        config: What the search is, as plain data; a state to go on from must have an equal one.
        rejection: Lets evaluations stop early where their outcome is certain. Where a later
            decision needs the value of one that did, it is evaluated whole, and the search waits
            for it, so that it goes its way as if none had stopped early.
        clock: Seconds from any start; by default the executor's.
        on_evaluation: Called with every distinct evaluation before the algorithm learns of it.
        on_progress: Called after every distinct evaluation.
    """

    def __init__(
        self,
        setup: Setup,
        algorithm: Algorithm,
        executor: Executor,
        settings: SearchSettings,
        *,
        config: Mapping[str, Any],
        rejection: RejectionRule | None = None,
        clock: Callable[[], float] | None = None,
        on_evaluation: Callable[[Evaluation], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._problem = setup.problem
        self._algorithm = algorithm
        self._executor = executor
        self._archive = setup.archive
        self._budget = settings.budget
        self._constraint = setup.constraint
        self._patience = settings.unfruitful_proposals
        self._on_evaluation = on_evaluation
        self._on_progress = on_progress
        self._timing = Timing(clock or executor.now, executor)
        self._generator = setup.generator
        self._config = dict(config)
        self._history = History(
            setup.problem, setup.initialisation.uniform, settings.evaluations, algorithm.slots
        )
        self._rejection = RejectionTest(setup.problem, algorithm, setup.archive, rejection)

        self._loops = Loops(algorithm.slots)
        self._ledger = ResultLedger(len(setup.problem.objectives))
        self._inbox = ResultInbox(executor, setup.problem.objectives)
        self._counts = SearchCounts()
        self._between_steps = True
        self._stopped: Stopped | None = None

    def run(self) -> SearchResult:
        """Search until something ends it; an interruption from the keyboard ends it gracefully.

        Raises:
            SearchError: When all evaluations fail, at the latest after one for each slot, and when
                one gives another number of objectives than the problem has.
        """
        try:
            self._timing.begin()
            self._raise_threshold()
            while True:
                self._take_arrived()
                self._fill()
                if not self._ledger.pending:
                    break
                self._inbox.wait()
            self._stopped = self._stopped or "converged"  # no loop has anything to propose
            self._check_failures()  # of a small space, fewer than there are slots
        except KeyboardInterrupt:
            self._executor.cancel()
            self._stopped = "interrupted"
            with suppress(KeyboardInterrupt):
                if self._between_steps:
                    self._take_rest()
        except BaseException:
            self._executor.cancel()
            raise
        assert self._stopped is not None
        return self._result(self._stopped)

    def _take_arrived(self) -> None:
        while self._inbox:
            if self._must_be_whole(self._inbox.next):
                pending = self._ledger.pending[self._inbox.next.ticket]
                self._inbox.complete_next(pending.waiting[0][1])
            self._take(self._inbox.next)

    def _take_rest(self) -> None:
        """After an interruption, work in what has arrived, up to one that must be done whole."""
        while True:
            while self._inbox:
                if self._must_be_whole(self._inbox.next):
                    return
                self._take(self._inbox.next)
            if not self._inbox.begin_early_round():
                return

    def _fill(self) -> None:
        """Let idle loops propose until the executor is full, or nothing may be proposed."""
        while self._loops.ready and len(self._ledger.pending) < self._executor.capacity:
            self._stopped = self._stopped or self._reason_to_stop()
            if self._stopped:
                return
            self._between_steps = False
            self._propose(self._loops.ready.popleft())
            self._between_steps = True

    def _propose(self, slot: int) -> None:
        genotype = self._loops.held.pop(slot, None)
        if genotype is None:
            genotype = self._algorithm.propose(slot)
        if genotype is None:
            self._loops.parked.append(slot)
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
            self._loops.ready.append(slot)
            self._loops.wake()
        elif self._ledger.join(signature, slot, genotype):
            self._skip()
        else:
            self._counts.unfruitful = 0
            threshold = self._rejection.threshold(slot, genotype)
            ticket = self._ledger.open(signature, slot, genotype, threshold)
            self._raise_threshold()
            self._executor.submit(ticket, genotype, threshold)

    def _hold(self, slot: int, genotype: Genotype) -> None:
        """Undo a proposal that was known: the slot makes the same where the search goes on."""
        self._loops.hold(slot, genotype)
        self._counts.skipped -= 1
        self._counts.unfruitful -= 1
        self._between_steps = True

    def _known(self, slot: int, genotype: Genotype, signature: Hashable) -> Solution:
        """Return what a slot receives of a known signature, whole where that matters to it."""
        known = Solution(genotype, self._ledger.known[signature])
        if self._ledger.stopped_early(signature) and self._rejection.in_slot(slot, known):
            whole = self._inbox.evaluate_whole(genotype)
            known = Solution(genotype, whole.objectives)
            self._ledger.complete(signature, whole.objectives)
            self._note_failure(whole.failure)
        return known

    def _note_failure(self, failure: str | None) -> None:
        if failure is None:
            return
        self._counts.failed += 1
        self._counts.failure = failure
        if self._counts.failed >= self._algorithm.slots:
            self._check_failures()

    def _skip(self) -> None:
        self._counts.skipped += 1
        self._counts.unfruitful += 1
        self._raise_threshold()
        self._mark()

    def _take(self, completed: Completed) -> None:
        """Work in the next result: remember it, archive it, tell of it, give it to its loops.

        One that stopped early must be one that need not be done whole.
        """
        self._between_steps = False
        self._inbox.arrived.popleft()
        objectives, early = completed.objectives, completed.stopped_early
        pending = self._ledger.close(completed.ticket, objectives, stopped_early=early)
        genotype = pending.waiting[0][1]
        self._counts.elapsed = self._timing.elapsed()
        self._history.see(genotype)
        entered = not early and self._archive.add(Solution(genotype, objectives))
        if self._on_evaluation is not None:
            self._on_evaluation(
                Evaluation(
                    ordinal=len(self._ledger.known),
                    genotype=genotype,
                    signature=pending.signature,
                    objectives=objectives,
                    seconds=completed.seconds,
                    failure=completed.failure,
                    worker=completed.worker,
                    round=self._inbox.round,
                    skipped=self._counts.skipped,
                    elapsed=self._counts.elapsed,
                    stopped_early=early,
                )
            )
        self._note_failure(completed.failure)
        self._loops.wake()
        for slot, own in pending.waiting:
            self._algorithm.receive(slot, Solution(own, objectives), entered)
            entered = False  # those that joined bring nothing new
            self._loops.ready.append(slot)
        self._mark()
        self._between_steps = True
        if self._on_progress is not None:
            self._on_progress(self.progress())

    def _must_be_whole(self, completed: Completed) -> bool:
        """Return whether a result stopped early and its value may matter.

        Where several loops wait for it, what one makes of it may matter to the next.
        """
        if not completed.stopped_early:
            return False
        waiting = self._ledger.pending[completed.ticket].waiting
        return len(waiting) > 1 or any(
            self._rejection.matters(slot, Solution(own, completed.objectives))
            for slot, own in waiting
        )

    def _check_failures(self) -> None:
        """Raise SearchError when there were evaluations and none of them succeeded."""
        if 0 < self._counts.failed == len(self._ledger.known):
            raise SearchError(
                f"all of the first {self._counts.failed} evaluations failed, the last one with "
                f'"{self._counts.failure}": repair the evaluation'
            )

    @property
    def used(self) -> int:
        """Evaluations that count as spent, those under way included."""
        return self._budget.used(self._ledger.submitted, self._counts.skipped)

    @property
    def delivered(self) -> int:
        """Results that the search was given so far, those that it has not worked in included."""
        return self.taken + len(self._inbox)

    @property
    def taken(self) -> int:
        """Results that the search has worked in."""
        return len(self._ledger.known)

    @property
    def between_steps(self) -> bool:
        """No step is half done, so `state` can be asked for."""
        return self._between_steps

    @property
    def front(self) -> tuple[Solution, ...]:
        """The archive as it is."""
        return self._archive.solutions()

    def _raise_threshold(self) -> None:
        if self._constraint is not None:
            self._constraint.advance(self._budget.share(self.used, self._counts.elapsed))
            self._archive.raise_threshold(self._constraint.value)

    def _reason_to_stop(self) -> Stopped | None:
        budget = self._budget
        if budget.evaluations is not None and self.used >= budget.evaluations:
            return "budget"
        if budget.seconds is not None and self._timing.elapsed() >= budget.seconds:
            return "time"
        if self._counts.unfruitful >= self._patience:
            return "patience"
        if self._algorithm.converged():
            return "converged"
        return None

    def _mark(self) -> None:
        self._history.mark(self.used, self.taken, self._counts.skipped, self._timing.elapsed())

    def progress(self) -> Progress:
        """Return where the search is."""
        elapsed, idle = self._timing.spent()
        return Progress(
            used=self.used,
            evaluated=self.taken,
            failed=self._counts.failed,
            skipped=self._counts.skipped,
            in_flight=len(self._ledger.pending),
            elapsed=elapsed,
            rate=self.taken / elapsed if elapsed > 0 else 0.0,
            idle=idle,
            archived=len(self._archive),
            best=self._archive.best(),
            stopped_early=self._ledger.early,
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
            stopped_early=last.stopped_early,
        )

    def state(self) -> State:
        """Return all that the search is, as plain data, to be saved with `save_state`.

        To be asked for between two evaluations, such as in `on_progress`. Evaluations under way
        are part of it, and are submitted again where the search goes on.

        Raises:
            SearchError: Where the problem's signatures are not bytes, and within a step, as in
                `on_evaluation`, or where an interruption ended one.
        """
        if not self._between_steps:
            raise SearchError(
                "the state of a search within a step is not whole: ask for it in `on_progress`"
            )
        return {
            "config": self._config,
            "algorithm": self._algorithm.state(),
            "archive": self._archive.state(),
            "threshold": None if self._constraint is None else self._constraint.value,
            "generator": self._generator.bit_generator.state,
            "history": self._history.state(),
            "ledger": self._ledger.state(),
            "inbox": self._inbox.state(),
            "loops": self._loops.state(),
            "counts": dict(vars(self._counts)),
            "timing": self._timing.state(),
        }

    def restore(self, state: State) -> None:
        """Go on from a state of an equal search, before `run`; budget and patience may differ.

        With a serial executor the search then ends as the other one would have.

        Raises:
            SearchError: When the state is of another search.
        """
        lacking = sorted(self.state().keys() - state.keys())
        if lacking:
            raise SearchError(f"the state lacks {lacking[0]!r}: give what `Engine.state` gave")
        check_config(self._config, state["config"])
        self._algorithm.restore(state["algorithm"])
        self._archive.restore(state["archive"])
        if self._constraint is not None:
            self._constraint.value = state["threshold"]
        self._generator.bit_generator.state = state["generator"]
        self._history.restore(state["history"])
        self._ledger.restore(state["ledger"])
        self._inbox.restore(state["inbox"])
        self._loops.restore(state["loops"])
        self._counts = SearchCounts(**state["counts"])
        self._timing.restore(state["timing"])
        arrived = self._inbox.tickets()
        for ticket, pending in self._ledger.pending.items():
            if ticket not in arrived:
                self._executor.submit(ticket, pending.waiting[0][1], pending.threshold)

    def catch_up(self, elapsed: float) -> None:
        """Let the last result have come after so many seconds, as where earlier ones are repeated.

        The clock shows at least as many from then on.
        """
        self._counts.elapsed = elapsed
        self._timing.catch_up(elapsed)
