"""Many workers on a clock that nobody waits for: asynchronous searches, exactly and at no cost.

What asynchrony does to a search depends on how long evaluations take, and on which of them take
long (the paper's section 5, and its references [13] and [37]). Here a duration is a function of the
genotype, and time is a number, so that a search on a hundred workers is repeated bit for bit.
"""

import heapq
from collections import deque
from collections.abc import Callable
from math import inf, isfinite

from netstitch.errors import SearchError
from netstitch.optimization.executors.attempts import Evaluate, attempt
from netstitch.optimization.executors.executor import Completed, Executor
from netstitch.optimization.problem import Genotype


class SimulatedExecutor(Executor):
    """Takes evaluations first come first served, each for its own duration on a simulated clock.

    Args:
        evaluate: Objective values of a genotype, computed when its time is up.
        duration: Seconds on the simulated clock that a genotype takes, over 0.
        workers: How many evaluations are under way at once.
        capacity: How many may be submitted, those that wait for a worker included; by default as
            many as there are workers.
        synchronous: Whether results are handed back only once all that were submitted are done, as
            of a generation, instead of each as it completes.

    Raises:
        SearchError: For no workers, less capacity than workers, and, when it is asked for, a
            duration that is not a positive number.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        duration: Callable[[Genotype], float],
        *,
        workers: int,
        capacity: int | None = None,
        synchronous: bool = False,
    ) -> None:
        self.capacity = workers if capacity is None else capacity
        if workers < 1 or self.capacity < workers:
            raise SearchError(
                f"{workers} simulated workers and room for {self.capacity} evaluations: give at "
                "least 1 worker, and room for as many evaluations"
            )
        self.workers = workers
        self._synchronous = synchronous
        self._evaluate, self._duration = evaluate, duration
        self._time = 0.0
        self._busy = 0.0  # seconds of all workers
        self._running: list[tuple[float, int, float, Genotype]] = []  # by end, then ticket
        self._waiting: deque[tuple[int, Genotype]] = deque()

    def now(self) -> float:
        """Return the simulated seconds since the executor was made."""
        return self._time

    def busy(self) -> float:
        """Return the simulated seconds that the workers have spent on evaluations so far."""
        return self._busy - sum(end - self._time for end, *_ in self._running)  # not done yet

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        """Let an evaluation wait for a worker."""
        self._waiting.append((ticket, genotype))
        self._start()

    def wait(self) -> list[Completed]:
        """Return all results of the next moment at which there are any; none if nothing is running.

        Synchronous: all results there are, in the order in which they were ready.
        """
        return self.wait_until(inf)

    def wait_until(self, moment: float) -> list[Completed]:
        """Do as `wait`, and let the clock go no further than to a moment."""
        done: list[Completed] = []
        while self._running and (self._synchronous or not done):
            if self._running[0][0] > moment:
                self._time = max(self._time, moment)
                break
            self._time = self._running[0][0]
            while self._running and self._running[0][0] <= self._time:
                _, ticket, seconds, genotype = heapq.heappop(self._running)
                objectives, failure, _ = attempt(self._evaluate, genotype)
                done.append(Completed(ticket, objectives, failure, seconds))
            self._start()
        return done

    def cancel(self) -> None:
        """Forget what is running and waiting; what running ones had left is not spent."""
        self._busy -= sum(end - self._time for end, *_ in self._running)
        self._running.clear()
        self._waiting.clear()

    def _start(self) -> None:
        while self._waiting and len(self._running) < self.workers:
            ticket, genotype = self._waiting.popleft()
            seconds = float(self._duration(genotype))
            if not (isfinite(seconds) and seconds > 0):
                raise SearchError(
                    f"a simulated evaluation takes {seconds} seconds: give a positive number"
                )
            self._busy += seconds
            heapq.heappush(self._running, (self._time + seconds, ticket, seconds, genotype))
