"""Which networks are not dominated: no other is at least as good in both, and better in one."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar

import moocore
import numpy as np


class Measured(Protocol):
    """What has a cost and, on each part of the data, an accuracy or none."""

    @property
    def multiply_adds(self) -> int: ...

    def accuracy(self, on: Literal["validation", "test"]) -> float | None: ...


M = TypeVar("M", bound=Measured)


def nondominated(points: Sequence[M], on: Literal["validation", "test"]) -> tuple[M, ...]:
    """The non-dominated points by rising multiply-adds; of equal ones the first.

    Points without an accuracy on that part are left out.
    """
    measured = [(point, point.accuracy(on)) for point in points]
    known = [(point, accuracy) for point, accuracy in measured if accuracy is not None]
    if not known:
        return ()
    objectives = np.array([(accuracy, point.multiply_adds) for point, accuracy in known], float)
    kept = moocore.is_nondominated(objectives, maximise=[True, False])
    front = [point for (point, _), keep in zip(known, kept, strict=True) if keep]
    return tuple(sorted(front, key=lambda point: point.multiply_adds))
