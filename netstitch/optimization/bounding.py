"""Evaluations that end where their outcome is certain.

While an evaluation goes on, the best that its value may still become only falls. Once that is so
low that the search would decide the same for any value under it, the rest need not be evaluated.
"""

from collections.abc import Callable
from dataclasses import dataclass

from netstitch.optimization.problem import Genotype

STEPS = 14
"""Halvings of the range in which the floor is sought."""


@dataclass(frozen=True)
class Bounding:
    """What a search must know to let evaluations end early.

    objective: the name of one that is maximised, and known bit by bit as an evaluation goes on.
    best: objectives of a genotype that turns out as well as it can; the others are exact.
    worst: the least value of the objective.
    """

    objective: str
    best: Callable[[Genotype], tuple[float, ...]]
    worst: float = 0.0


def floor_of(matters: Callable[[float], bool], worst: float, best: float) -> float | None:
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
