"""Dealing to workers, and trying again after a death, for process and Ray executors.

An evaluation in which a worker died is a suspect: it is evaluated once more, alone, and has failed
where its worker dies again.
"""

from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Generic, TypedDict, TypeVar

from netstitch.errors import SearchError
from netstitch.optimization.executors.attempts import TaskOutcome
from netstitch.optimization.executors.executor import Completed, Executor, Request
from netstitch.optimization.executors.queue import Choose, EvaluationQueue
from netstitch.optimization.problem import Genotype
from netstitch.text import one_line
from netstitch.time_limits import Throughput

Handle = TypeVar("Handle")


@dataclass(eq=False)
class PendingTask:
    """Evaluations that go to a worker together, and are not done.

    Attributes:
        requests: The evaluations.
        suspect: Whether a worker died in it before.
        earliest: The moment from which a suspect may run again.
    """

    requests: Sequence[Request]
    suspect: bool = False
    earliest: float = 0.0


class Dealing(TypedDict, total=False):
    """Keywords of executors with workers: how evaluations are dealt to them.

    Attributes:
        capacity: How many evaluations may be submitted, those that wait for a worker included; by
            default as many as the workers take at once. With the population's size as many as there
            are loops wait in the queue.
        group: How many genotypes a worker may be given at once, 1 by default; together where the
            evaluation is a `BatchEvaluation`. Those that wait are dealt to the free workers, as
            many to each, and their seconds are divided equally among them. They are fewer where
            time is short, and while it is limited and nothing is known of how long one takes.
        choose: Which of those that wait go with the oldest; by default the next ones.
        timeout: Seconds that each genotype of a call may take; a worker that needs more is killed.
    """

    capacity: int | None
    group: int
    choose: Choose | None
    timeout: float | None


class WorkerExecutor(Executor, Generic[Handle]):
    """Evaluates in workers of which some may die, first come first served.

    `kind` names the workers in messages; the other arguments are those of `Dealing`.

    Raises:
        SearchError: For no workers, less capacity than workers, and a group or timeout of none.
    """

    def __init__(
        self,
        kind: str,
        workers: int,
        *,
        capacity: int | None = None,
        group: int = 1,
        choose: Choose | None = None,
        timeout: float | None = None,
    ) -> None:
        self.capacity = workers * group if capacity is None else capacity
        self.workers = workers
        if min(workers, group) < 1 or self.capacity < workers:
            raise SearchError(
                f"{workers} {kind} that take {group} evaluations at once and room for "
                f"{self.capacity}: give at least 1 worker that takes 1, and room for as many "
                "evaluations as there are workers"
            )
        if timeout is not None and not timeout > 0:
            raise SearchError(f"an evaluation may take {timeout} seconds: give more than 0")
        self._kind, self._group = kind, group
        self._timeout = inf if timeout is None else timeout
        self._waiting = EvaluationQueue(choose)
        self._suspects: deque[PendingTask] = deque()  # that wait to be run alone
        self._running: dict[Handle, PendingTask] = {}  # by order of submission
        self._busy = 0.0  # seconds of evaluations that are over
        self._moment = inf  # to which results are waited for
        self._throughput = Throughput()

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        """Let an evaluation wait for a worker."""
        self._waiting.put(Request(ticket, genotype, threshold))
        if self._group == 1:  # else `wait`, when all that may go together are there
            self._start()

    def wait(self) -> list[Completed]:
        """Return all results that are ready, at least one; none where nothing is under way."""
        return self.wait_until(inf)

    def wait_until(self, moment: float) -> list[Completed]:
        """Do as `wait`, to that moment; workers are given as much as they do by then.

        What runs longer goes on, and is lost where it is then cancelled.
        """
        self._moment = moment
        done: list[Completed] = []
        while not done and (self._running or self._suspects or self._room()):
            self._start()
            done = self._finished()
            if self.now() >= moment:
                break
        if self._group == 1:
            self._start()
        return done

    def busy(self) -> float:
        """Return the seconds that all workers together have spent on evaluations so far.

        Starting up is none of it, and what was lost with a worker is.
        """
        return self._busy + self._under_way()

    def cancel(self) -> None:
        """Forget what is running and waiting, and kill the workers, whatever they do."""
        self._busy = self.busy()
        self._moment = inf
        self._waiting.clear()
        self._suspects.clear()
        self._running.clear()
        self._end_workers()

    @abstractmethod
    def _start(self) -> None:
        """Give what waits to workers that have nothing to do."""

    @abstractmethod
    def _finished(self) -> list[Completed]:
        """Wait until something happens, to the moment at most; return what it gave, if anything."""

    @abstractmethod
    def _under_way(self) -> float:
        """Return the seconds that were spent on what is running."""

    @abstractmethod
    def _end_workers(self) -> None:
        """Kill the workers, whatever they do."""

    @contextmanager
    def _sending(self, give: str) -> Iterator[None]:
        """Let what goes wrong with an evaluation on its way to the workers be one line."""
        try:
            yield
        except Exception as error:  # whichever, it comes from pickling what was given, or no room
            raise SearchError(
                f"the evaluation cannot be sent to {self._kind} ({one_line(error, kind=True)}): "
                f"give {give}"
            ) from error

    def _room(self) -> int:
        """Return the number of waiting requests that a worker may begin, one after the other."""
        fitting = self._throughput.fitting(self._moment - self.now())
        return min(self._group, len(self._waiting), fitting)

    def _deal(self, free: int) -> PendingTask:
        """Return the task of the next of some free workers, so that all are given as much."""
        share = -(-len(self._waiting) // max(1, free))
        room = max(1, self._room())  # time may have run out since it was asked for
        return PendingTask(self._waiting.take(min(room, share)))

    def _take(self, task: PendingTask, outcome: TaskOutcome, worker: str) -> list[Completed]:
        """Return the results of a task that is done."""
        self._busy += outcome.seconds
        self._throughput.note(outcome.seconds, len(task.requests))
        return outcome.completed(task.requests, worker)

    def _lose(
        self, task: PendingTask, failure: str, seconds: float, worker: str, earliest: float = 0.0
    ) -> list[Completed]:
        """Let the evaluations of a task whose worker died be tried again alone, or fail.

        `seconds` were lost with the worker; they may run again from the moment `earliest` on.
        """
        self._busy += seconds
        if task.suspect:
            [request] = task.requests
            return [Completed(request.ticket, None, failure, seconds, worker)]
        self._suspects += [PendingTask([one], True, earliest) for one in task.requests]
        return []
