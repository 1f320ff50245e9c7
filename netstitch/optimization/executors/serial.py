"""Evaluations in this process, one call after the other."""

from netstitch.errors import SearchError
from netstitch.optimization.executors.attempts import Evaluate, attempt_all
from netstitch.optimization.executors.executor import Completed, Executor, Request, worker_name
from netstitch.optimization.executors.queue import Choose, EvaluationQueue
from netstitch.optimization.problem import Genotype


class SerialExecutor(Executor):
    """Evaluates in this process, first come first served.

    Args:
        evaluate: Objective values of a genotype, or of several.
        capacity: How many may queue. With 1 every proposal is made knowing all earlier results;
            with the population's size as many wait as in section 5 of the paper, where all of the
            loops have a request in the queue.
        group: How many of them are evaluated at each `wait`, together where `evaluate` is a
            `BatchEvaluation`.
        choose: Which of those that wait are evaluated with the oldest.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        capacity: int = 1,
        *,
        group: int = 1,
        choose: Choose | None = None,
    ) -> None:
        if not 1 <= group <= capacity:
            raise SearchError(
                f"an executor has capacity {capacity} and evaluates {group} at once: give at least "
                "1, and room for as many"
            )
        self.capacity, self.workers = capacity, 1
        self._evaluate, self._group = evaluate, group
        self._busy = 0.0
        self._waiting = EvaluationQueue(choose)

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        """Let an evaluation wait for its turn."""
        self._waiting.put(Request(ticket, genotype, threshold))

    def wait(self) -> list[Completed]:
        """Evaluate and return the next results; an empty list when nothing waits."""
        requests = self._waiting.take(self._group)
        if not requests:
            return []
        outcome = attempt_all(self._evaluate, requests)
        self._busy += outcome.seconds
        return outcome.completed(requests, worker_name())

    def busy(self) -> float:
        """Return the seconds spent on evaluations so far."""
        return self._busy

    def cancel(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
