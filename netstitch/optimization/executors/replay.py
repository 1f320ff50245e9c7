"""Executors around another, which say in which order its results come, and which it need not give.

A search that takes results as they come depends on how long each takes, so on the machine and on
chance. In the order of asking it depends on its seed alone, whatever evaluates and however many at
a time, and nothing favours what is quick to evaluate. That costs little where more is under way
than there are workers: they go on with what is asked while the oldest result is waited for.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from netstitch.optimization.executors.executor import WHOLE, Completed, Executor, checked
from netstitch.optimization.problem import Evaluation, Genotype, Objective


class WrappedExecutor(Executor):
    """Hands evaluations on to another executor, is as busy as that, and ends with it."""

    def __init__(self, executor: Executor) -> None:
        self.capacity, self.workers = executor.capacity, executor.workers
        self._executor = executor

    def busy(self) -> float:
        """Return what the other executor does."""
        return self._executor.busy()

    def now(self) -> float:
        """Return what the other executor does."""
        return self._executor.now()

    def cancel(self) -> None:
        """Forget what is under way, here and there."""
        self._forget()
        self._executor.cancel()

    def close(self) -> None:
        """Close the other executor."""
        self._forget()
        self._executor.close()

    @abstractmethod
    def _forget(self) -> None:
        """Drop what is held of evaluations under way."""


class OrderedExecutor(WrappedExecutor):
    """Hands back the results of another executor one at a time, the oldest first."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self._tickets: deque[int] = deque()
        self._done: dict[int, Completed] = {}

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        """Hand the evaluation on, and note its turn; one that the search waits for is next."""
        if ticket == WHOLE:
            self._tickets.appendleft(ticket)
        else:
            self._tickets.append(ticket)
        self._executor.submit(ticket, genotype, threshold)

    def wait(self) -> list[Completed]:
        """Return the result of the oldest evaluation; an empty list when there is none."""
        return self.wait_until(inf)

    def wait_until(self, moment: float) -> list[Completed]:
        """Do as `wait`; where the oldest is not done by then, return all that are, in order."""
        if not self._tickets:
            return []
        while self._tickets[0] not in self._done:
            arrived = self._executor.wait_until(moment)
            self._done |= {one.ticket: one for one in arrived}
            if not arrived:
                there = [ticket for ticket in self._tickets if ticket in self._done]
                self._tickets = deque(one for one in self._tickets if one not in self._done)
                return [self._done.pop(ticket) for ticket in there]
        return [self._done.pop(self._tickets.popleft())]

    def _forget(self) -> None:
        self._tickets.clear()
        self._done.clear()


@dataclass(frozen=True)
class KnownResult:
    """The result of an evaluation, whatever its ticket was; fields as of `Completed`."""

    objectives: tuple[float, ...] | None
    failure: str | None
    seconds: float
    worker: str = ""
    stopped_early: bool = False


@dataclass(frozen=True)
class Arrival:
    """A result as it came from the workers, with what was evaluated."""

    signature: Hashable
    genotype: Genotype
    completed: Completed


def known_by(source: Evaluation | Completed) -> KnownResult:
    """Return the result that an evaluation had."""
    return KnownResult(
        source.objectives, source.failure, source.seconds, source.worker, source.stopped_early
    )


def known_by_arrival(arrival: Arrival, objectives: Sequence[Objective]) -> KnownResult:
    """Return a result as a search will take it; raises SearchError as `checked` does."""
    return known_by(checked(arrival.completed, objectives))


class ReplayExecutor(WrappedExecutor):
    """Answers what is known by its signature, and leaves the rest to another executor.

    A result that stopped early answers requests with a threshold; the search judges if it is
    enough. A search proposes the same again where it gets the same results in the same order.
    `follow` gives that order, so that a search that was stopped repeats itself up to where it was.

    Args:
        executor: Evaluates what is not known.
        identify: Returns the signature of a genotype.
        known: Results by signature; those that are added later are known from then on.
        on_arrival: Called with the results of the other executor as they come, before they are
            handed on.
        capacity: How many evaluations may be under way, where not as many as the other executor
            has places for: those that are more wait there. A search repeats itself only with as
            many as before.
    """

    def __init__(
        self,
        executor: Executor,
        identify: Callable[[Genotype], Hashable],
        known: Mapping[Hashable, KnownResult],
        on_arrival: Callable[[Sequence[Arrival]], None] | None = None,
        capacity: int | None = None,
    ) -> None:
        super().__init__(executor)
        self.capacity = executor.capacity if capacity is None else capacity
        self._identify = identify
        self._known = known
        self._on_arrival = on_arrival
        self._rounds: deque[Sequence[Hashable]] = deque()
        self._replayed: dict[Hashable, int] = {}  # tickets that wait to be handed back
        self._submitted: dict[int, tuple[Hashable, Genotype]] = {}  # to the other executor
        self._later: list[Completed] = []  # that came before their turn

    def follow(self, rounds: Iterable[Sequence[Hashable]]) -> None:
        """Hand back known results in this order, those of a round together.

        Where the search does not ask for what comes next, it has taken another way, and the rest
        of the order is forgotten.
        """
        self._rounds = deque(rounds)

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        """Note the ticket of a known result, or hand the evaluation on."""
        signature = self._identify(genotype)
        known = self._known.get(signature)
        if known is not None and (threshold is not None or not known.stopped_early):
            self._replayed[signature] = ticket
        else:
            self._submitted[ticket] = signature, genotype
            self._executor.submit(ticket, genotype, threshold)

    def wait(self) -> list[Completed]:
        """Return the next round; without an order, all that is known, or one round of the others.

        In any case that which the search waits for comes first, alone.
        """
        return self.wait_until(inf)

    def wait_until(self, moment: float) -> list[Completed]:
        """Do as `wait`; what is known takes no time.

        Where that which the search waits for is not there by then, what came meanwhile is returned.
        """
        if WHOLE in self._submitted or WHOLE in self._replayed.values():
            return self._wait_for_whole(moment)
        if self._rounds and all(signature in self._replayed for signature in self._rounds[0]):
            return [self._replay(signature) for signature in self._rounds.popleft()]
        self._rounds.clear()
        if self._replayed:
            return [self._replay(signature) for signature in list(self._replayed)]
        return self._take_later() or self._arrive(moment)

    def _take_later(self) -> list[Completed]:
        later, self._later = self._later, []
        return later

    def _wait_for_whole(self, moment: float) -> list[Completed]:
        """Return the result that the search waits for; others, in their order, stay for later."""
        for signature, ticket in self._replayed.items():
            if ticket == WHOLE:
                return [self._replay(signature)]
        while completed := self._arrive(moment):
            self._later += [one for one in completed if one.ticket != WHOLE]
            for one in completed:
                if one.ticket == WHOLE:
                    return [one]
        return self._take_later()

    def _arrive(self, moment: float) -> list[Completed]:
        """Return results of the other executor."""
        completed = self._executor.wait_until(moment)
        arrived = [Arrival(*self._submitted.pop(one.ticket), one) for one in completed]
        if self._on_arrival is not None and arrived:
            self._on_arrival(arrived)
        return completed

    def _replay(self, signature: Hashable) -> Completed:
        known = self._known[signature]
        return Completed(self._replayed.pop(signature), **vars(known))

    def _forget(self) -> None:
        self._rounds.clear()
        self._replayed.clear()
        self._submitted.clear()
        self._later.clear()
