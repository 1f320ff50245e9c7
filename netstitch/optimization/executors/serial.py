"""Evaluations in this process, one call after the other."""

from math import inf

from netstitch.errors import SearchError
from netstitch.optimization.executors.attempts import Evaluate, attempt_all
from netstitch.optimization.executors.executor import Completed, Executor, Request, worker_name
from netstitch.optimization.executors.queue import Choose, EvaluationQueue
from netstitch.optimization.problem import Genotype
from netstitch.time_limits import Throughput


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
        self._throughput = Throughput()

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        """Let an evaluation wait for its turn."""
        self._waiting.put(Request(ticket, genotype, threshold))

    def wait(self) -> list[Completed]:
        """Evaluate and return the next results; an empty list when nothing waits."""
        return self.wait_until(inf)

    def wait_until(self, moment: float) -> list[Completed]:
        """Do as `wait`, but begin nothing that would end later, by what evaluations take here.

        A group is then evaluated in parts, and those that there is no time for go on waiting.
        """
        requests = self._waiting.take(self._group)
        done: list[Completed] = []
        while requests and (count := self._throughput.fitting(moment - self.now())):
            part, requests = requests[:count], requests[count:]
            begin = self.now()
            outcome = attempt_all(self._evaluate, part)
            self._throughput.note(self.now() - begin, len(part))
            self._busy += outcome.seconds
            done += outcome.completed(part, worker_name())
        self._waiting.put_back(requests)
        return done

    def busy(self) -> float:
        """Return the seconds spent on evaluations so far."""
        return self._busy

    def cancel(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
