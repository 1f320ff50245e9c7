"""The results of a search: those on their way, and those known by signature."""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from math import inf, isnan, nan

import numpy as np

from netstitch.optimization.executors.executor import WHOLE, Completed, Executor, checked
from netstitch.optimization.problem import Genotype, Objective, State


@dataclass(frozen=True, eq=False)
class Pending:
    """An evaluation under way.

    Attributes:
        signature: Of its genotype.
        waiting: The (slot, genotype) pairs that wait for it, first come first.
        threshold: The value up to which its result does not matter; None where every one does.
    """

    signature: Hashable
    waiting: list[tuple[int, Genotype]]
    threshold: float | None = None


class ResultLedger:
    """Objectives by signature, and tickets for what is under way.

    Args:
        columns: The number of objectives.

    Attributes:
        known: Objectives of each signature in the order in which they came; None where it failed,
            and the best that they can be where the evaluation stopped early.
        early: The signatures of those that stopped early.
        pending: Evaluations under way by ticket, in the order of tickets.
        submitted: Tickets so far.
    """

    def __init__(self, columns: int) -> None:
        self.known: dict[Hashable, tuple[float, ...] | None] = {}
        self.early: set[Hashable] = set()
        self.pending: dict[int, Pending] = {}
        self.submitted = 0
        self._tickets: dict[Hashable, int] = {}
        self._columns = columns

    def join(self, signature: Hashable, slot: int, genotype: Genotype) -> bool:
        """Return whether an equal one is under way; the slot then waits for it too."""
        ticket = self._tickets.get(signature)
        if ticket is None:
            return False
        self.pending[ticket].waiting.append((slot, genotype))
        return True

    def open(
        self, signature: Hashable, slot: int, genotype: Genotype, threshold: float | None
    ) -> int:
        """Return a ticket for a new evaluation."""
        ticket = self.submitted
        self.submitted += 1
        self.pending[ticket] = Pending(signature, [(slot, genotype)], threshold)
        self._tickets[signature] = ticket
        return ticket

    def close(
        self, ticket: int, objectives: tuple[float, ...] | None, *, stopped_early: bool
    ) -> Pending:
        """Enter a result, and return who waited for it."""
        pending = self.pending.pop(ticket)
        del self._tickets[pending.signature]
        if stopped_early:
            self.early.add(pending.signature)
        self.known[pending.signature] = objectives
        return pending

    def complete(self, signature: Hashable, objectives: tuple[float, ...] | None) -> None:
        """Enter the whole result of an evaluation that had stopped early."""
        self.early.remove(signature)
        self.known[signature] = objectives

    def state(self) -> State:
        """Return all that changes."""
        failed = (nan,) * self._columns
        rows = [failed if one is None else one for one in self.known.values()]
        return {
            "signatures": list(self.known),
            "objectives": np.array(rows, dtype=np.float64).reshape(-1, self._columns),
            "early": list(self.early),
            "submitted": self.submitted,
            "tickets": list(self.pending),
            "pending": [replace(one, waiting=list(one.waiting)) for one in self.pending.values()],
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        rows = map(tuple, state["objectives"].tolist())
        self.known = {
            signature: None if isnan(row[0]) else row
            for signature, row in zip(state["signatures"], rows, strict=True)
        }
        self.early = set(state["early"])
        self.submitted = state["submitted"]
        pending = [replace(one, waiting=list(one.waiting)) for one in state["pending"]]
        for one in pending:
            for _, genotype in one.waiting:
                genotype.setflags(write=False)
        self.pending = dict(zip(state["tickets"], pending, strict=True))
        self._tickets = {one.signature: ticket for ticket, one in self.pending.items()}


class TimeUp(Exception):  # noqa: N818 - nothing is wrong
    """Nothing that is under way is done in time."""


class ResultInbox:
    """Results that have arrived and are not worked in yet, in the order of their arrival.

    Args:
        executor: Gives the results.
        objectives: By which each is checked.
        last_moment: Returns the moment by the executor's clock to which results are waited for.

    Attributes:
        arrived: Those of this round, each checked when it is the next.
        round: The number of rounds so far; results of one round arrived together.
    """

    def __init__(
        self,
        executor: Executor,
        objectives: Sequence[Objective],
        last_moment: Callable[[], float],
    ) -> None:
        self._executor = executor
        self._objectives = objectives
        self._last_moment = last_moment
        self.arrived: deque[Completed] = deque()
        self._early: deque[list[Completed]] = deque()  # that came while one was waited for
        self.round = 0

    def __len__(self) -> int:
        return len(self.arrived)

    @property
    def next(self) -> Completed:
        """The oldest result, as `checked`."""
        self.arrived[0] = checked(self.arrived[0], self._objectives)
        return self.arrived[0]

    def wait(self) -> None:
        """Begin the next round, for which the executor may have to be waited for.

        Raises:
            TimeUp: There is none by the last moment.
        """
        if not self.begin_early_round():
            self.arrived.extend(self._results())
            self.round += 1

    def _results(self) -> list[Completed]:
        moment = self._last_moment()
        if moment == inf:  # so that executors that override `wait` alone serve too
            return self._executor.wait()
        if done := self._executor.wait_until(moment):
            return done
        raise TimeUp

    def begin_early_round(self) -> bool:
        """Return whether a whole round is there already, which then begins."""
        if not self._early:
            return False
        self.arrived.extend(self._early.popleft())
        self.round += 1
        return True

    def evaluate_whole(self, genotype: Genotype) -> Completed:
        """Evaluate a genotype whose evaluation stopped early, while other results wait.

        Raises:
            TimeUp: It is not done by the last moment.
        """
        self._executor.submit(WHOLE, genotype)
        while True:
            done = self._results()
            if others := [one for one in done if one.ticket != WHOLE]:
                self._early.append(others)
            for one in done:
                if one.ticket == WHOLE:
                    return checked(one, self._objectives)

    def complete_next(self, genotype: Genotype) -> None:
        """Let the next result, which stopped early, be one that was done whole."""
        early = self.arrived[0]
        whole = self.evaluate_whole(genotype)
        seconds = early.seconds + whole.seconds
        self.arrived[0] = replace(whole, ticket=early.ticket, seconds=seconds, stopped_early=False)

    def tickets(self) -> set[int]:
        """Return the tickets of all results that have arrived."""
        return {one.ticket for results in (self.arrived, *self._early) for one in results}

    def state(self) -> State:
        """Return all that changes."""
        return {
            "arrived": list(self.arrived),
            "early": [list(results) for results in self._early],
            "round": self.round,
        }

    def restore(self, state: State) -> None:
        """Become what `state` returned."""
        self.arrived = deque(state["arrived"])
        self._early = deque(list(results) for results in state["early"])
        self.round = state["round"]
