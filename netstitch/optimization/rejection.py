"""Evaluations that end where their outcome is certain.

While an evaluation goes on, the best that its value may still become only falls. Once that is so
low that the search would decide the same for any value under it, the rest need not be evaluated.
"""

from collections.abc import Callable
from dataclasses import dataclass

from netstitch.optimization.algorithms.algorithm import Algorithm
from netstitch.optimization.archive import Archive
from netstitch.optimization.problem import Genotype, Problem
from netstitch.optimization.solution import Solution

STEPS = 14
"""Halvings of the range in which the floor is sought."""


@dataclass(frozen=True)
class RejectionRule:
    """What a search must know to let evaluations end early.

    objective: the name of one that is maximised, and known bit by bit as an evaluation goes on.
    best: objectives of a genotype that turns out as well as it can; the others are exact.
    worst: the least value of the objective.
    """

    objective: str
    best: Callable[[Genotype], tuple[float, ...]]
    worst: float = 0.0


class RejectionTest:
    """What the value of a result decides, as algorithm and archive are now.

    algorithm: where it has no `matters`, every value decides.
    bounding: None where no evaluation may end early.

    Raises SearchError when the problem has no such objective.
    """

    def __init__(
        self,
        problem: Problem,
        algorithm: Algorithm,
        archive: Archive,
        bounding: RejectionRule | None,
    ) -> None:
        self._in_slot: Callable[[int, Solution], bool] | None = getattr(algorithm, "matters", None)
        self._archive = archive
        self._bounding = None if self._in_slot is None else bounding
        self._column = 0 if bounding is None else problem.column(bounding.objective)

    def in_slot(self, slot: int, solution: Solution) -> bool:
        """Whether the slot would do anything with it."""
        return self._in_slot is None or self._in_slot(slot, solution)

    def matters(self, slot: int, solution: Solution) -> bool:
        """Whether slot or archive would do anything with it."""
        return self.in_slot(slot, solution) or self._archive.admits(solution)

    def floor(self, slot: int, genotype: Genotype) -> float | None:
        """Up to which value the result would change nothing; None where every one may."""
        if self._bounding is None:
            return None
        best = self._bounding.best(genotype)
        before, after = best[: self._column], best[self._column + 1 :]
        return rejection_threshold(
            lambda value: self.matters(slot, Solution(genotype, (*before, value, *after))),
            self._bounding.worst,
            best[self._column],
        )


def rejection_threshold(
    matters: Callable[[float], bool], worst: float, best: float
) -> float | None:
    """A value up to which none matters, close to the greatest; None where every one does.

    matters: of a value; where one does, all greater ones do.
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
