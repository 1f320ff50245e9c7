"""How long a search takes, and how much of their time its workers evaluate."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from netstitch.optimization.executors.executor import Executor
from netstitch.optimization.search_state import State


@dataclass(frozen=True)
class Spent:
    """Seconds: since the search began; that its workers had, together; that they evaluated."""

    elapsed: float
    had: float
    busy: float

    @property
    def idle(self) -> float:
        """The share of the workers' time in which they evaluated nothing; 0 before there is any."""
        return min(1.0, max(0.0, (self.had - self.busy) / self.had)) if self.had > 0 else 0.0


class Timing:
    """Counts from `begin` on, and goes on from what an earlier run of the search spent.

    clock: seconds from any start.
    """

    def __init__(self, clock: Callable[[], float], executor: Executor) -> None:
        self._clock = clock
        self._executor = executor
        self._before = Spent(0.0, 0.0, 0.0)
        self.begin()

    def begin(self) -> None:
        """Time counts from now on; what an executor did for others before is not counted."""
        self._start = self._clock()
        self._busy_at_start = self._executor.busy()

    def elapsed(self) -> float:
        """Seconds since the search began, earlier runs of it included."""
        return self._before.elapsed + self._clock() - self._start

    def catch_up(self, elapsed: float) -> None:
        """Let at least so many seconds have passed; workers are not said to have had them."""
        missing = max(0.0, elapsed - self.elapsed())
        self._before = replace(self._before, elapsed=self._before.elapsed + missing)

    def spent(self) -> Spent:
        """All three."""
        now = self._clock() - self._start
        return Spent(
            self._before.elapsed + now,
            self._before.had + self._executor.workers * now,
            self._before.busy + self._executor.busy() - self._busy_at_start,
        )

    def state(self) -> State:
        """What was spent, as plain data."""
        return dict(vars(self.spent()))

    def restore(self, state: State) -> None:
        """Go on from what another run of the search spent."""
        self._before = Spent(**state)
        self.begin()
