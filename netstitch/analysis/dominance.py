"""Which networks are not dominated: no other is at least as good in both, and better in one."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar, get_args

import moocore
import numpy as np

Split = Literal["validation", "confirmation", "test"]
"""Samples that the search chose by; others like them that it did not see; and test samples."""
SPLITS: tuple[Split, ...] = get_args(Split)
ObjectiveName = Literal["accuracy", "cross-entropy"]
"""What is held against multiply-adds."""


class HasObjectives(Protocol):
    """What has a cost and, on each part of the data, values of objectives or none."""

    @property
    def multiply_adds(self) -> int: ...

    def score(self, on: Split, objective: ObjectiveName) -> float | None:
        """Higher is better."""
        ...


M = TypeVar("M", bound=HasObjectives)


def nondominated(
    points: Sequence[M], on: Split, objective: ObjectiveName = "accuracy"
) -> tuple[M, ...]:
    """The non-dominated points by rising multiply-adds; of equal ones the first.

    Points that were not measured on that part are left out.
    """
    measured = [(point, point.score(on, objective)) for point in points]
    known = [(point, score) for point, score in measured if score is not None]
    if not known:
        return ()
    objectives = np.array([(score, point.multiply_adds) for point, score in known], float)
    kept = moocore.is_nondominated(objectives, maximise=[True, False])
    front = [point for (point, _), keep in zip(known, kept, strict=True) if keep]
    return tuple(sorted(front, key=lambda point: point.multiply_adds))
