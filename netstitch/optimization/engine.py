"""The engine: runs an algorithm's loops against an executor (the paper's section 5).

Each loop waits only for its own evaluation. A loop proposes when the executor has room for it, so
an executor of capacity n has all n of them under way, and one of capacity 1 lets every proposal
know all results before it.
"""

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress

from netstitch.errors import SearchError
from netstitch.optimization.algorithms.algorithm import Algorithm, Setup
from netstitch.optimization.executors.executor import Completed, Executor
from netstitch.optimization.problem import Evaluation, Genotype, Solution, State
from netstitch.optimization.rejection import RejectionRule, RejectionTest
from netstitch.optimization.results import ResultInbox, ResultLedger, TimeUp
from netstitch.optimization.search_account import SearchAccount
from netstitch.optimization.search_result import Progress, SearchResult, Stopped
from netstitch.optimization.search_settings import SearchSettings
from netstitch.optimization.search_state import check_config


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
            for it, so that it goes its way as if none had stopped early; but for a race (see
            `RejectionRule`).
        on_evaluation: Called with every distinct evaluation before the algorithm learns of it.
        on_progress: Called after every distinct evaluation.

    Attributes:
        account: Counts, time and history of the search.
        between_steps: Whether no step is half done, so that `state` can be asked for.
    """

    def __init__(
        self,
        setup: Setup,
        algorithm: Algorithm,
        executor: Executor,
        settings: SearchSettings,
        *,
        config: Mapping[str, object],
        rejection: RejectionRule | None = None,
        on_evaluation: Callable[[Evaluation], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self._problem = setup.problem
        self._algorithm = algorithm
        self._executor = executor
        self._archive = setup.archive
        self._constraint = setup.constraint
        self._generator = setup.generator
        self._config = dict(config)
        self._on_evaluation, self._on_progress = on_evaluation, on_progress
        self._rejection = RejectionTest(setup.problem, algorithm, setup.archive, rejection)

        self._ledger = ResultLedger(len(setup.problem.objectives))
        self.account = SearchAccount(setup, algorithm.slots, settings, executor, self._ledger)
        self._inbox = ResultInbox(
            executor, setup.problem.objectives, lambda: self.account.last_moment
        )
        self._ready = deque(range(algorithm.slots))  # slots that may propose, the next one first
        self._parked: list[int] = []  # those that had nothing to propose until the next result
        self._held: dict[int, Genotype] = {}  # proposals that an interruption held up, by slot
        self._stopped: Stopped | None = None
        self.between_steps = True

    def run(self) -> SearchResult:
        """Search until something ends it; an interruption from the keyboard ends it gracefully.

        What takes more than a twentieth longer than the limit of time is given up, as it is after
        an interruption: its evaluations stay under way in the state.

        Raises:
            SearchError: When all evaluations fail, at the latest after one for each slot, and when
                one gives another number of objectives than the problem has.
        """
        try:
            self.account.timing.begin()
            self._raise_threshold()
            while True:
                self._take_arrived()
                self._fill()
                if not self._ledger.pending:
                    break
                self._inbox.wait()
            self._stopped = self._stopped or "converged"  # no loop has anything to propose
            self.account.check_failures()  # of a small space, fewer than there are slots
        except (KeyboardInterrupt, TimeUp) as end:
            self._executor.cancel()
            self._stopped = "time" if isinstance(end, TimeUp) else "interrupted"
            with suppress(KeyboardInterrupt):
                if self.between_steps:
                    self._take_rest()
            if self._stopped == "time":
                self.account.check_failures()
        except BaseException:
            self._executor.cancel()
            raise
        result = self.account.result(self._stopped)
        if self._stopped == "time":
            self.account.end_time()  # so that one that is restored has none left either
        return result

    def _take_arrived(self) -> None:
        while self._inbox:
            if self._must_be_whole(self._inbox.next):
                pending = self._ledger.pending[self._inbox.next.ticket]
                self._inbox.complete_next(pending.waiting[0][1])
            self._take(self._inbox.next)

    def _take_rest(self) -> None:
        """Work in what has arrived after an early end, but for what must be done whole.

        An interrupted search goes on as if it had not been, so from the first such one on all
        waits. Where the time is up such a one is given up, and stays under way like others.
        """
        while self._inbox or self._inbox.begin_early_round():
            if not self._must_be_whole(self._inbox.next):
                self._take(self._inbox.next)
            elif self._stopped == "time":
                self._inbox.arrived.popleft()
            else:
                return

    def _must_be_whole(self, completed: Completed) -> bool:
        """Return whether a result stopped early and its value may matter."""
        if not completed.stopped_early:
            return False
        slots, genotypes = zip(*self._ledger.pending[completed.ticket].waiting, strict=True)
        return self._rejection.matters(slots, Solution(genotypes[0], completed.objectives))

    def _take(self, completed: Completed) -> None:
        """Work in the next result: remember it, archive it, tell of it, give it to its loops.

        One that stopped early must be one that need not be done whole.
        """
        self.between_steps = False
        self._inbox.arrived.popleft()
        objectives, early = completed.objectives, completed.stopped_early
        pending = self._ledger.close(completed.ticket, objectives, stopped_early=early)
        genotype = pending.waiting[0][1]
        self.account.arrive(genotype)
        entered = not early and self._archive.add(Solution(genotype, objectives))
        if self._on_evaluation is not None:
            self._on_evaluation(
                Evaluation(
                    ordinal=self.taken,
                    genotype=genotype,
                    signature=pending.signature,
                    objectives=objectives,
                    seconds=completed.seconds,
                    failure=completed.failure,
                    worker=completed.worker,
                    round=self._inbox.round,
                    skipped=self.account.skipped,
                    elapsed=self.account.elapsed,
                    stopped_early=early,
                )
            )
        self.account.fail(completed.failure)
        self._wake()
        for slot, own in pending.waiting:
            self._algorithm.receive(slot, Solution(own, objectives), entered)
            entered = False  # those that joined bring nothing new
            self._ready.append(slot)
        self.account.mark()
        self.between_steps = True
        if self._on_progress is not None:
            self._on_progress(self.account.progress())

    def _fill(self) -> None:
        """Let idle loops propose until the executor is full, or nothing may be proposed."""
        while self._ready and len(self._ledger.pending) < self._executor.capacity:
            self._stopped = self._stopped or self._reason_to_stop()
            if self._stopped:
                return
            self.between_steps = False
            self._propose(self._ready.popleft())
            self.between_steps = True

    def _reason_to_stop(self) -> Stopped | None:
        if reason := self.account.reason_to_stop:
            return reason
        return "converged" if self._algorithm.converged() else None

    def _propose(self, slot: int) -> None:
        genotype = self._held.pop(slot, None)
        if genotype is None:
            genotype = self._algorithm.propose(slot)
        if genotype is None:
            self._parked.append(slot)
            return
        genotype.setflags(write=False)
        signature = self._problem.identify(genotype)
        if signature in self._ledger.known:
            unchanged = self._is_unchanged(slot, genotype)
            self._skip(unchanged)
            known = self._known(slot, genotype, signature, unchanged)
            self._algorithm.receive(slot, known, False)
            self._ready.append(slot)
            self._wake()
        elif self._ledger.join(signature, slot, genotype):
            self._skip()
        else:
            self.account.unfruitful = 0
            threshold = self._rejection.threshold(slot, genotype)
            ticket = self._ledger.open(signature, slot, genotype, threshold)
            self._raise_threshold()
            self._executor.submit(ticket, genotype, threshold)

    def _is_unchanged(self, slot: int, genotype: Genotype) -> bool:
        """Return whether nothing differs that is active in what the proposal was made from."""
        origin = self._algorithm.origin(slot)
        if origin is None:
            return False
        differing = genotype != origin
        if self._problem.active is not None:
            differing &= self._problem.active(origin)
        return not differing.any()

    def _skip(self, unchanged: bool = False) -> None:
        self.account.skip(unchanged=unchanged)
        self._raise_threshold()
        self.account.mark()

    def _known(
        self, slot: int, genotype: Genotype, signature: Hashable, unchanged: bool
    ) -> Solution:
        """Return the solution for a slot of a known signature, whole where that matters."""
        known = Solution(genotype, self._ledger.known[signature])
        if signature not in self._ledger.early or not self._rejection.in_slot(slot, known):
            return known
        try:
            whole = self._inbox.evaluate_whole(genotype)
        except (KeyboardInterrupt, TimeUp):
            # The proposal is undone: the slot makes the same where the search goes on.
            self._held[slot] = genotype
            self._ready.appendleft(slot)
            self.account.skip(unchanged=unchanged, undo=True)
            self.between_steps = True
            raise
        self._ledger.complete(signature, whole.objectives)
        self.account.fail(whole.failure)
        return Solution(genotype, whole.objectives)

    def _wake(self) -> None:
        """Let slots that had nothing to propose try again, since there is a new result."""
        self._ready.extend(self._parked)
        self._parked.clear()

    def _raise_threshold(self) -> None:
        if self._constraint is not None:
            self._constraint.advance(self.account.share)
            self._archive.raise_threshold(self._constraint.value)

    @property
    def taken(self) -> int:
        """Results that the search has worked in."""
        return len(self._ledger.known)

    @property
    def delivered(self) -> int:
        """Results that the search was given so far, those that it has not worked in included."""
        return self.taken + len(self._inbox)

    @property
    def front(self) -> tuple[Solution, ...]:
        """The archive as it is."""
        return self._archive.solutions()

    def state(self) -> State:
        """Return all that the search is, to be saved with `save_state`.

        To be asked for between two evaluations, such as in `on_progress`. Evaluations under way
        are part of it, and are submitted again where the search goes on.

        Raises:
            SearchError: Within a step, as in `on_evaluation`, or where an interruption ended one.
        """
        if not self.between_steps:
            raise SearchError(
                "the state of a search within a step is not whole: ask for it in `on_progress`"
            )
        return {
            "config": self._config,
            "algorithm": self._algorithm.state(),
            "archive": self._archive.state(),
            "threshold": None if self._constraint is None else self._constraint.value,
            "generator": self._generator.bit_generator.state,
            "ledger": self._ledger.state(),
            "inbox": self._inbox.state(),
            "slots": [list(self._ready), list(self._parked), list(self._held.items())],
            "account": self.account.state(),
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
        self._ledger.restore(state["ledger"])
        self._inbox.restore(state["inbox"])
        ready, parked, held = state["slots"]
        self._ready, self._parked, self._held = deque(ready), list(parked), dict(held)
        self.account.restore(state["account"])
        arrived = self._inbox.tickets()
        for ticket, pending in self._ledger.pending.items():
            if ticket not in arrived:
                self._executor.submit(ticket, pending.waiting[0][1], pending.threshold)
