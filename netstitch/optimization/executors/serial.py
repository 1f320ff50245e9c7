"""Evaluations in this process, one call after the other."""

import os
import time
from collections.abc import Callable

from netstitch.errors import SearchError
from netstitch.optimization.executors.executor import (
    Asked,
    Completed,
    attempt_all,
    completed,
    worker_name,
)
from netstitch.optimization.executors.queue import Choose, EvaluationQueue
from netstitch.optimization.problem import Genotype


class SerialExecutor:
    """Evaluates in this process, first come first served.

    capacity: how many may queue. With 1 every proposal is made knowing all earlier results; with
        the population's size as many wait as in section 5 of the paper, where all of the loops have
        a request in the queue.
    group: how many of them are evaluated at each `wait`, together where `evaluate` is a `Together`.
    choose: which of those that wait are evaluated with the oldest.
    """

    def __init__(
        self,
        evaluate: Callable[[Genotype], tuple[float, ...]],
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
        self.capacity = capacity
        self.workers = 1
        self._group = group
        self._busy = 0.0
        self._evaluate = evaluate
        self._waiting = EvaluationQueue(choose)

    def submit(self, ticket: int, genotype: Genotype, floor: float | None = None) -> None:
        self._waiting.put(Asked(ticket, genotype, floor))

    def wait(self) -> list[Completed]:
        """The results of the next evaluations; an empty list when there are none."""
        items = self._waiting.take(self._group)
        if not items:
            return []
        start = time.perf_counter()
        attempts = attempt_all(self._evaluate, items)
        seconds = time.perf_counter() - start
        self._busy += seconds
        return completed(items, attempts, seconds, worker_name(os.getpid()))

    def busy(self) -> float:
        return self._busy

    def cancel(self) -> None:
        self._waiting.clear()

    def close(self) -> None:
        self.cancel()
