"""Pareto dominance: no other point is at least as good in score and cost, and better in one."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar, get_args

import moocore
import numpy as np

Split = Literal["validation", "confirmation", "test"]
"""Samples that the search chose by; others like them that it did not see; and test samples."""
SPLITS: tuple[Split, ...] = get_args(Split)
ObjectiveName = Literal["accuracy", "cross-entropy"]
"""What is held against the cost."""


class ScoredPoint(Protocol):
    """A cost and, on each part of the data, the values of objectives, as far as measured."""

    @property
    def cost(self) -> float:
        """Lower is better."""
        ...

    def score(self, on: Split, objective: ObjectiveName) -> float | None:
        """Return the value of an objective on a part of the data; higher is better."""
        ...


Point = TypeVar("Point", bound=ScoredPoint)


def nondominated(
    points: Sequence[Point], on: Split, objective: ObjectiveName = "accuracy"
) -> tuple[Point, ...]:
    """Return the non-dominated points by rising cost; of equal ones the first.

    Points that were not measured on that part are left out.
    """
    measured = [(point, point.score(on, objective)) for point in points]
    known = [(point, score) for point, score in measured if score is not None]
    if not known:
        return ()
    objectives = np.array([(score, point.cost) for point, score in known], float)
    kept = moocore.is_nondominated(objectives, maximise=[True, False])
    front = [point for (point, _), keep in zip(known, kept, strict=True) if keep]
    return tuple(sorted(front, key=lambda point: point.cost))
