"""Cascades of two stages: all pairs and thresholds, as sums over sorted samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netstitch.cascades.drafts import NONE, Drafts, joined, make_drafts, undominated
from netstitch.cascades.stage_table import StageTable
from netstitch.cascades.thresholds import GOING_ON, thresholds_of

MEANS = 40
"""The most pairs that are tried with a mean as the second answer."""


@dataclass(frozen=True, eq=False)
class Thresholded:
    """A candidate as first stage: samples by falling confidence, and the thresholds tried.

    Attributes:
        order: (n,), samples, the surest first.
        thresholds: (q,).
        leaving: (q,), how many samples leave at each threshold.
    """

    order: NDArray[np.int64]
    thresholds: NDArray[np.float32]
    leaving: NDArray[np.int64]

    @property
    def going_on(self) -> NDArray[np.float64]:
        """(q,), the share of samples that go on to the next stage."""
        return 1 - self.leaving / len(self.order)

    def sure(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., q) sums over the samples that leave at each threshold, of (..., n)."""
        return self._sums(values)[..., :-1].cumsum(-1)

    def unsure(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., q) sums over the samples that go on at each threshold, of (..., n)."""
        sums = self._sums(values)
        return sums[..., ::-1].cumsum(-1)[..., ::-1][..., 1:]

    def _sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (..., q + 1) sums between thresholds."""
        starts = np.concatenate([[0], self.leaving])
        return np.add.reduceat(values[..., self.order], starts, axis=-1)


def thresholded(
    confidence: NDArray[np.float32], going_on: Sequence[float] = GOING_ON
) -> Thresholded:
    """Return the thresholds of (n,) confidences; there are none where any is NaN."""
    if np.isnan(confidence).any():
        return Thresholded(
            np.arange(len(confidence)), np.zeros(0, np.float32), np.zeros(0, np.int64)
        )
    return Thresholded(np.argsort(-confidence, kind="stable"), *thresholds_of(confidence, going_on))


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs.

    Attributes:
        drafts: For each first stage, its undominated cascades.
        ranked: (k, 2), pairs, the best ones first.
    """

    drafts: Drafts
    ranked: NDArray[np.int64]


def all_pairs(
    table: StageTable,
    firsts: Sequence[int],
    seconds: Sequence[int],
    progress: Callable[[int], None],
) -> Pairs:
    """Measure each pair of candidates at each threshold.

    Pairs are ranked by the gap in score between their best threshold and the front of all pairs.

    Args:
        table: The candidates.
        firsts: Those that may be first stages.
        seconds: Those that may be second stages.
        progress: Called after each first stage with how many there were.
    """
    last = np.array(seconds, np.int64)
    scores, count = table.score[last], table.score.shape[1]
    kept, grids = [table.alone.taken(last)], []
    for done, first in enumerate(firsts, start=1):
        parted = thresholded(table.confidence[first])
        score = (parted.sure(table.score[first]) + parted.unsure(scores)) / count  # (m, q)
        more = table.costs.beyond([first])[last]
        cost = table.costs.whole[first] + more[:, None] * parted.going_on
        score[more <= 0] = -np.inf  # a stage that only repeats what the first one computed
        best = undominated(cost.ravel(), score.ravel()) if score.size else np.zeros(0, np.bool_)
        second, at = np.divmod(np.flatnonzero(best), max(1, score.shape[1]))
        paths = np.column_stack([np.full(len(second), first), last[second]])
        limits = parted.thresholds[at][:, None]
        kept.append(make_drafts(paths, limits, cost[second, at], score[second, at]))
        grids.append((cost, score))
        progress(done)
    drafts = joined(kept)
    drafts = drafts.taken(np.isfinite(drafts.score))
    front = drafts.undominated
    if not grids:
        return Pairs(drafts, np.zeros((0, 2), np.int64))
    behind = np.concatenate([_behind(front, *grid) for grid in grids])
    every = np.column_stack([np.repeat(firsts, len(last)), np.tile(last, len(firsts))])
    own = front.stages[front.stages[:, 1] != NONE]
    # Others come as close where they add a cost and no score.
    on_front = [int((own[:, :2] == pair).all(1).sum()) for pair in every]
    order = np.lexsort((-np.array(on_front), behind))
    return Pairs(drafts, every[order[np.isfinite(behind[order])]])


def _behind(
    front: Drafts, cost: NDArray[np.float64], score: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (m,) the least gap in score between each row of (m, q) cascades and a front."""
    if not score.size:
        return np.full(len(score), np.inf)
    place = np.searchsorted(front.cost, cost, side="right") - 1
    reached = np.where(place >= 0, front.score[place], -np.inf)
    least: NDArray[np.float64] = (reached - score).min(1)
    return least


def with_means(table: StageTable, ranked: NDArray[np.int64]) -> Drafts:
    """Return the best pairs, with the mean of outputs as the second stage's answer."""
    found, tried = [], 0
    for first, second in ranked.tolist():
        answered = table.answer((first, second), True)
        if answered is None:
            continue
        parted = thresholded(table.confidence[first])
        score = parted.sure(table.score[first]) + parted.unsure(answered[1])
        more = table.costs.beyond([first])[second]
        cost = table.costs.whole[first] + more * parted.going_on
        paths = np.tile([first, second], (len(cost), 1))
        limits, share = parted.thresholds[:, None], score / len(parted.order)
        found.append(make_drafts(paths, limits, cost, share, (False, True)))
        tried += 1
        if tried == MEANS:
            break
    return joined([table.alone.taken(np.zeros(0, np.int64)), *found])
