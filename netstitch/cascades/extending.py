"""Cascades of three stages: the best pairs, with one more stage behind or before."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from netstitch.cascades.drafts import Drafts, joined, make_drafts, undominated
from netstitch.cascades.pairs import Thresholded, thresholded
from netstitch.cascades.stage_table import StageTable

EXTENDED = 50
"""The most pairs that are extended."""
MEANS = 40
"""The most cascades of three stages that are tried with a mean as the last answer."""


def extended(
    table: StageTable,
    ranked: NDArray[np.int64],
    firsts: Sequence[int],
    lasts: Sequence[int],
    progress: Callable[[int], None],
) -> Drafts:
    """Return cascades of three stages: the best pairs with each candidate behind and before them.

    Args:
        table: The candidates.
        ranked: (k, 2), pairs, the best ones first.
        firsts: Candidates that may be first stages.
        lasts: Candidates that may be last stages.
        progress: Called after each pair with how many there were.
    """
    cuts = {one: thresholded(table.confidence[one]) for one in {*firsts, *ranked[:EXTENDED].flat}}
    found = [table.alone.taken(np.zeros(0, np.int64))]
    for done, (first, second) in enumerate(ranked[:EXTENDED].tolist(), start=1):
        found += _with_last(table, cuts[first], (first, second), np.array(lasts))
        if table.answers.kind != "agreement":  # a first stage has nothing to agree with
            found += _with_first(table, cuts, (first, second), firsts)
        progress(done)
    every = joined(found)
    return joined([every, *_last_means(table, every.undominated)])


def _with_last(
    table: StageTable, parted: Thresholded, pair: tuple[int, int], lasts: NDArray[np.int64]
) -> Iterator[Drafts]:
    """Yield a pair, at each of its thresholds, with each candidate as the third stage."""
    first = pair[0]
    count = len(parted.order)
    answered = table.answer(pair, False)
    assert answered is not None
    sure, right = answered
    middle, more = table.costs.along(pair)[1], table.costs.beyond(pair)
    lasts = lasts[more[lasts] > 0]
    more = more[lasts]
    lasts_score = table.score[lasts]
    settled = parted.sure(table.score[first])
    for threshold, leaving, done in zip(parted.thresholds, parted.leaving, settled, strict=True):
        going = parted.order[leaving:]
        again = thresholded(sure[going])
        share = again.going_on * len(going) / count
        score = done + again.sure(right[going]) + again.unsure(lasts_score[:, going])
        cost = table.costs.whole[first] + middle * len(going) / count + more[:, None] * share
        best = undominated(cost.ravel(), score.ravel()) if score.size else np.zeros(0, np.bool_)
        third, at = np.divmod(np.flatnonzero(best), max(1, score.shape[1]))
        paths = np.column_stack([np.tile(pair, (len(third), 1)), lasts[third]])
        limits = np.column_stack([np.full(len(third), threshold), again.thresholds[at]])
        yield make_drafts(paths, limits, cost[third, at], score[third, at] / count)


def _with_first(
    table: StageTable, cuts: dict[int, Thresholded], pair: tuple[int, int], firsts: Sequence[int]
) -> Iterator[Drafts]:
    """Yield a pair, at each of its thresholds, with each candidate before it."""
    second, third = pair
    parted = cuts[second]
    score, reached = _outcomes(table, parted, pair)
    beyond = table.costs.beyond_each(second, third)
    for first in firsts if len(parted.thresholds) else ():
        middle = table.costs.beyond([first])[second]
        if middle <= 0 or beyond[first] <= 0:
            continue
        before = cuts[first]
        count = len(before.order)
        total = (before.sure(table.score[first]) + before.unsure(score)) / count  # (p, q)
        cost = table.costs.whole[first] + middle * before.going_on
        cost = cost + beyond[first] * before.unsure(reached) / count
        best = undominated(cost.ravel(), total.ravel()) if total.size else np.zeros(0, np.bool_)
        own, at = np.divmod(np.flatnonzero(best), max(1, total.shape[1]))
        paths = np.tile([first, second, third], (len(own), 1))
        limits = np.column_stack([before.thresholds[at], parted.thresholds[own]])
        yield make_drafts(paths, limits, cost[own, at], total[own, at])


def _outcomes(
    table: StageTable, parted: Thresholded, pair: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a pair's scores (p, n) at p thresholds, and which samples reach its second stage."""
    first, second = pair
    place = np.empty(len(parted.order), np.int64)
    place[parted.order] = np.arange(len(parted.order))
    reached = place >= parted.leaving[:, None]
    score = np.where(reached, table.score[second], table.score[first])
    return score, reached.astype(np.float64)


def _last_means(table: StageTable, best: Drafts) -> Iterator[Drafts]:
    """Yield the best cascades of three stages, with the mean of outputs as the last answer."""
    three = np.flatnonzero((best.stages >= 0).all(1))
    for index in three[np.argsort(-best.score[three], kind="stable")][:MEANS]:
        if table.answer(best.path(index), True) is None:
            continue
        draft = best.taken(np.array([index]))
        draft.mean[0, 2] = True
        yield table.remeasured(draft)
