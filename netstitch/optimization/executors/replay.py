"""What was evaluated before is not evaluated again, and comes back in the order it came then."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from netstitch.optimization.executors.executor import (
    WHOLE,
    Completed,
    DelegatingExecutor,
    Executor,
    checked,
)
from netstitch.optimization.problem import Genotype, Objective
from netstitch.optimization.solution import Evaluation


@dataclass(frozen=True)
class KnownResult:
    """What an evaluation gave: objectives, or None and the reason of the failure.

    bounded: whether it ended early; the objectives are then the best that they can be.
    """

    objectives: tuple[float, ...] | None
    failure: str | None
    seconds: float
    worker: str = ""
    bounded: bool = False


def known_by(evaluation: Evaluation) -> KnownResult:
    """What an evaluation gave."""
    return KnownResult(
        evaluation.objectives,
        evaluation.failure,
        evaluation.seconds,
        evaluation.worker,
        evaluation.bounded,
    )


@dataclass(frozen=True)
class Arrival:
    """A result as it came from those who evaluate."""

    signature: Hashable
    genotype: Genotype
    completed: Completed


def known_by_arrival(arrival: Arrival, objectives: Sequence[Objective]) -> KnownResult:
    """What a result gave, as a search will take it; raises SearchError as `checked` does."""
    completed = arrival.completed
    values, failure = checked(completed, objectives)
    bounded = completed.bounded and values is not None
    return KnownResult(values, failure, completed.seconds, completed.worker, bounded)


class ReplayExecutor(DelegatingExecutor):
    """Answers what is known by its signature, and leaves the rest to another executor.

    What ended early is known to those who ask with a floor; the search judges if it is enough.

    identify: the signature of a genotype. known: results by signature; what is added to it later
        is known from then on.
    on_arrival: called with the results of the other executor as they come, each with its genotype
        and signature, before they are handed on.

    A search proposes the same again where it gets the same results in the same order. `follow`
    gives that order, so that a search that was stopped repeats itself up to where it was.
    """

    def __init__(
        self,
        executor: Executor,
        identify: Callable[[Genotype], Hashable],
        known: Mapping[Hashable, KnownResult],
        on_arrival: Callable[[Sequence[Arrival]], None] | None = None,
    ) -> None:
        super().__init__(executor)
        self._identify = identify
        self._known = known
        self._rounds: deque[Sequence[Hashable]] = deque()
        self._recalled: dict[Hashable, int] = {}  # tickets that wait to be handed back
        self._on_arrival = on_arrival
        self._submitted: dict[int, tuple[Hashable, Genotype]] = {}  # to the other executor
        self._later: list[Completed] = []  # that came before their turn

    def follow(self, rounds: Iterable[Sequence[Hashable]]) -> None:
        """Hand back known results in this order, those of a round together.

        Where the search does not ask for what comes next, it has taken another way, and the rest
        of the order is forgotten.
        """
        self._rounds = deque(rounds)

    @property
    def following(self) -> bool:
        """Whether there is more of an order to follow."""
        return bool(self._rounds)

    def submit(self, ticket: int, genotype: Genotype, floor: float | None = None) -> None:
        signature = self._identify(genotype)
        known = self._known.get(signature)
        if known is not None and (floor is not None or not known.bounded):
            self._recalled[signature] = ticket
        else:
            self._submitted[ticket] = signature, genotype
            self._executor.submit(ticket, genotype, floor)

    def wait(self) -> list[Completed]:
        """The next round's results; without an order, all that are known, or one of the others.

        In any case first that which the search waits for, alone.
        """
        if WHOLE in self._submitted or WHOLE in self._recalled.values():
            return [self._wait_for_whole()]
        if self._rounds and all(signature in self._recalled for signature in self._rounds[0]):
            return [self._recall(signature) for signature in self._rounds.popleft()]
        self._rounds.clear()
        if self._recalled:
            return [self._recall(signature) for signature in list(self._recalled)]
        if self._later:
            later, self._later = self._later, []
            return later
        return self._arrive()

    def _wait_for_whole(self) -> Completed:
        """What the search waits for; the order, and what comes meanwhile, stay for later."""
        for signature, ticket in self._recalled.items():
            if ticket == WHOLE:
                return self._recall(signature)
        while True:
            completed = self._arrive()
            self._later += [one for one in completed if one.ticket != WHOLE]
            for one in completed:
                if one.ticket == WHOLE:
                    return one

    def _arrive(self) -> list[Completed]:
        """Results of the other executor."""
        completed = self._executor.wait()
        arrived = [Arrival(*self._submitted.pop(one.ticket), one) for one in completed]
        if self._on_arrival is not None and arrived:
            self._on_arrival(arrived)
        return completed

    def _forget(self) -> None:
        self._rounds.clear()
        self._recalled.clear()
        self._submitted.clear()
        self._later.clear()

    def _recall(self, signature: Hashable) -> Completed:
        known = self._known[signature]
        return Completed(
            self._recalled.pop(signature),
            known.objectives,
            known.failure,
            known.seconds,
            known.worker,
            known.bounded,
        )
