"""The time that a search takes, and the share of it in which its workers evaluate nothing."""

from collections.abc import Callable

from netstitch.optimization.executors.executor import Executor
from netstitch.optimization.search_state import State


class Timing:
    """Counts from `begin` on, and goes on from what an earlier run of the search spent.

    Args:
        clock: Seconds from any start.
        executor: The one whose workers count.
    """

    def __init__(self, clock: Callable[[], float], executor: Executor) -> None:
        self._clock = clock
        self._executor = executor
        self._elapsed = self._worker_seconds = self._busy = 0.0  # before `begin`
        self.begin()

    def begin(self) -> None:
        """Count from now on; what an executor did for others before is not counted."""
        self._start = self._clock()
        self._busy_at_start = self._executor.busy()

    def elapsed(self) -> float:
        """Return the seconds since the search began, earlier runs of it included."""
        return self._elapsed + self._clock() - self._start

    def catch_up(self, elapsed: float) -> None:
        """Let at least so many seconds have passed; workers are not said to have had them."""
        self._elapsed += max(0.0, elapsed - self.elapsed())

    def spent(self) -> tuple[float, float]:
        """Return the seconds since the search began, and the idle share of its workers' time."""
        elapsed, available, busy = self.state().values()
        idle = (available - busy) / available if available > 0 else 0.0
        return elapsed, min(1.0, max(0.0, idle))

    def state(self) -> State:
        """Return the seconds that passed, that all workers had, and that they evaluated."""
        now = self._clock() - self._start
        return {
            "elapsed": self._elapsed + now,
            "worker_seconds": self._worker_seconds + self._executor.workers * now,
            "busy": self._busy + self._executor.busy() - self._busy_at_start,
        }

    def restore(self, state: State) -> None:
        """Go on from what another run of the search spent."""
        self._elapsed, self._worker_seconds = state["elapsed"], state["worker_seconds"]
        self._busy = state["busy"]
        self.begin()
