"""Rejection thresholds: evaluations stop early where their outcome is certain.

While an evaluation goes on, the best that its value may still become only falls. Once that is so
low that the search would decide the same for any value under it, the rest need not be evaluated.
In a race it stops once it will not, or most likely not, enter the archive, and what it can be at
best is all that the algorithm learns of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netstitch.optimization.algorithms.algorithm import Algorithm
from netstitch.optimization.archive import Archive
from netstitch.optimization.problem import Genotype, Problem, Solution

STEPS = 14
"""Halvings of the range in which the rejection threshold is sought."""


@dataclass(frozen=True)
class RejectionRule:
    """The rule by which a search lets evaluations stop early.

    Attributes:
        objective: The name of one that is maximised, and known bit by bit as an evaluation goes on.
        best: Returns the objectives of a genotype that turns out as well as it can; those other
            than `objective` are exact.
        worst: The least value of the objective.
        racing: Whether only what may enter the archive is evaluated whole. An algorithm then takes
            what stopped early for as good as it can be, and the search goes another way than one
            in which nothing stops early.
    """

    objective: str
    best: Callable[[Genotype], tuple[float, ...]]
    worst: float = 0.0
    racing: bool = False


class RejectionTest:
    """Tells what the value of a result decides, as algorithm and archive are now.

    Where the algorithm learns from every result, or there is no rule, every value decides.

    Raises:
        SearchError: When the problem does not have the rule's objective.
    """

    def __init__(
        self,
        problem: Problem,
        algorithm: Algorithm,
        archive: Archive,
        rule: RejectionRule | None,
    ) -> None:
        self._algorithm = algorithm
        self._archive = archive
        self._column = 0 if rule is None else problem.column(rule.objective)
        self._rule = None if algorithm.learns_from_all else rule
        self._racing = self._rule is not None and self._rule.racing

    def in_slot(self, slot: int, solution: Solution) -> bool:
        """Return whether the slot must know the value of the solution."""
        if self._racing:
            return False
        return self._algorithm.learns_from_all or self._algorithm.matters(slot, solution)

    def matters(self, waiting: Sequence[int], solution: Solution) -> bool:
        """Return whether the slots that wait for a solution, or the archive, must know its value.

        What the first of several slots makes of it may matter to the next.
        """
        several = len(waiting) > 1 and not self._racing
        return several or self.in_slot(waiting[0], solution) or self._archive.admits(solution)

    def threshold(self, slot: int, genotype: Genotype) -> float | None:
        """Return the value up to which a result changes nothing; None where every one may."""
        if self._rule is None:
            return None
        best = self._rule.best(genotype)
        before, after = best[: self._column], best[self._column + 1 :]
        return rejection_threshold(
            lambda value: self.matters([slot], Solution(genotype, (*before, value, *after))),
            self._rule.worst,
            best[self._column],
        )


def rejection_threshold(
    matters: Callable[[float], bool], worst: float, best: float
) -> float | None:
    """Return a value up to which none matters, close to the greatest; None where every one does.

    Values lie between `worst` and `best`; where one matters, all greater ones do.
    """
    if matters(worst):
        return None
    if not matters(best):
        return best
    low, high = worst, best
    for _ in range(STEPS):
        middle = (low + high) / 2
        if matters(middle):
            high = middle
        else:
            low = middle
    return low
