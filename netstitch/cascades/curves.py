"""The curve of a cascade: its accuracy and mean cost by the threshold of its first stage."""

import numpy as np

from netstitch.analysis.cascade_point import CurveRow
from netstitch.cascades.drafts import Drafts
from netstitch.cascades.pairs import thresholded
from netstitch.cascades.stage_table import StageTable

SHARES = tuple(np.linspace(0.02, 0.98, 33).tolist())
"""The shares of samples that go on, about, at the rows of a curve."""


def curve_of(table: StageTable, draft: Drafts, index: int) -> tuple[CurveRow, ...]:
    """Return rows of a threshold, the score and the mean cost with it, by rising threshold.

    Scores are by labels. Thresholds of other stages stay; the cascade's own is among the rows.
    """
    table = table.by_labels()
    path = draft.path(index)
    score, left = table.outcome(draft, index, going_on=True)
    costs = table.costs.along(path)
    beyond = np.cumsum((0.0, *costs[1:]))[left]
    own = draft.thresholds[index, 0]
    first_sure, first_score = table.confidence[path[0]], table.score[path[0]]
    thresholds = {*map(float, thresholded(first_sure, SHARES).thresholds), float(own)}
    rows = []
    for threshold in sorted(thresholds):
        leaving = first_sure >= threshold
        share = float(np.where(leaving, first_score, score).mean())
        rows.append((threshold, share, costs[0] + float(np.where(leaving, 0.0, beyond).mean())))
    return tuple(rows)
