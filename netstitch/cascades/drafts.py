"""Drafts: very many cascades as arrays, with their cost and score on some samples."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import moocore
import numpy as np
from numpy.typing import NDArray

MOST = 3
"""Stages."""
NONE = -1


@dataclass(frozen=True, eq=False)
class Drafts:
    """k cascades of candidates; a single candidate is a cascade of one stage.

    Attributes:
        stages: (k, 3), indices of candidates; NONE behind the last stage.
        mean: (k, 3), whether a stage answers with the mean of the outputs so far.
        thresholds: (k, 2); NaN behind the last one.
        cost: (k,), the mean over samples.
        score: (k,), the mean over samples.
    """

    stages: NDArray[np.int32]
    mean: NDArray[np.bool_]
    thresholds: NDArray[np.float64]
    cost: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.cost)

    def taken(self, chosen: NDArray[np.integer] | NDArray[np.bool_]) -> "Drafts":
        """Return the drafts at indices, or where a mask is true."""
        return Drafts(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def measured(self, cost: NDArray[np.float64], score: NDArray[np.float64]) -> "Drafts":
        """Return the same cascades with other costs and scores."""
        return Drafts(self.stages, self.mean, self.thresholds, cost, score)

    @property
    def undominated(self) -> "Drafts":
        """The drafts that no other dominates, by rising cost; of equal ones the first."""
        if not len(self):
            return self
        kept = self.taken(undominated(self.cost, self.score))
        return kept.taken(np.argsort(kept.cost, kind="stable"))

    def path(self, index: int) -> tuple[int, ...]:
        """Return the candidates of one cascade, in their order."""
        return tuple(stage for stage in self.stages[index].tolist() if stage != NONE)


def undominated(cost: NDArray[np.float64], score: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (k,) bool: which are Pareto-optimal in cost and score; of equal ones the first."""
    points = np.column_stack([cost, score])
    kept: NDArray[np.bool_] = moocore.is_nondominated(points, maximise=[False, True])
    return kept


def joined(parts: Sequence[Drafts]) -> Drafts:
    """Return several sets of drafts as one."""
    return Drafts(
        *(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Drafts))
    )


def make_drafts(
    paths: NDArray[np.integer],
    thresholds: NDArray[np.floating],
    cost: NDArray[np.float64],
    score: NDArray[np.float64],
    mean: Sequence[bool] = (),
) -> Drafts:
    """Return drafts of one number of stages.

    Args:
        paths: (k, stages).
        thresholds: (k, stages - 1).
        cost: (k,).
        score: (k,).
        mean: For each stage, the same for all.
    """
    count, stages = paths.shape
    whole = np.full((count, MOST), NONE, np.int32)
    whole[:, :stages] = paths
    means = np.zeros((count, MOST), np.bool_)
    means[:, : len(mean)] = mean
    limits = np.full((count, MOST - 1), np.nan)
    limits[:, : stages - 1] = thresholds
    return Drafts(whole, means, limits, cost, score)
