"""The budget of a search."""

import math
from dataclasses import dataclass

from netstitch.errors import SearchError
from netstitch.time_limits import OVERTIME


@dataclass(frozen=True)
class Budget:
    """Evaluations, seconds, or both; the stricter one ends the search.

    Attributes:
        evaluations: None for any number.
        seconds: None for any time. Nothing is begun after them, and what is under way is given up
            a twentieth later.
        count_skipped: Whether proposals that needed no evaluation of their own, because an equal
            one is known or under way, count as evaluations (the paper's section 7 counts them).

    Raises:
        SearchError: When neither is given, or one is not positive.
    """

    evaluations: int | None = None
    seconds: float | None = None
    count_skipped: bool = True

    def __post_init__(self) -> None:
        if self.evaluations is None and self.seconds is None:
            raise SearchError("the budget has no end: give evaluations, seconds, or both")
        if self.evaluations is not None and not (
            isinstance(self.evaluations, int) and self.evaluations >= 1
        ):
            raise SearchError(
                f"the budget is {self.evaluations} evaluations: give a whole number of at least 1"
            )
        if self.seconds is not None and not (
            isinstance(self.seconds, int | float)
            and self.seconds > 0
            and math.isfinite(self.seconds)
        ):
            raise SearchError(f"the budget is {self.seconds} seconds: give a positive number")

    @property
    def most_seconds(self) -> float:
        """The seconds after which what is under way is given up."""
        return math.inf if self.seconds is None else OVERTIME * self.seconds

    def used(self, evaluations: int, skipped: int) -> int:
        """Return the number of evaluations that count as spent."""
        return evaluations + skipped if self.count_skipped else evaluations

    def share(self, used: int, elapsed: float) -> float:
        """Return the part that is spent, of the evaluations if they are bounded, else of the time.

        Only the former repeats exactly, so a threshold follows evaluations where there are both.
        """
        if self.evaluations is not None:
            return used / self.evaluations
        assert self.seconds is not None
        return elapsed / self.seconds

    def larger_share(self, used: int, elapsed: float) -> float:
        """Return the part that is spent of the evaluations or of the time, whichever is larger."""
        parts = (used, self.evaluations), (elapsed, self.seconds)
        return max(spent / most for spent, most in parts if most is not None)
