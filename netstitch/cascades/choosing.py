"""The choice that holds, of tens of thousands of cascades and thresholds.

The best of so many by the labels of some thousand samples are mostly lucky: at the top they lose
half a point and more on other samples. So labels have no say between them but through two numbers a
network, its temperature and, for references, their loss: an answer counts as much as the reference
of the least loss takes it to be right (`Answers`), which varies far less than a label. Thresholds
stand on a coarse grid, and of the front a few cascades are kept, those that hold most of its
hypervolume.
`benchmarks/cascade_choice.py` measures what this is worth beside other rules.
"""

from collections.abc import Sequence

import numpy as np

from netstitch.analysis.front_chart import tenth_below
from netstitch.cascades.drafts import NONE, Drafts
from netstitch.cascades.stage_table import StageTable

KEPT = 24
"""Cascades and single networks that are kept of a front."""
BELOW = 0.1
"""Hypervolumes count from this far under the score that fronts are shown from."""
BEYOND = 1.1
"""Hypervolumes end at this many times the cost of the dearest reference."""


def choose_drafts(table: StageTable, found: Drafts, references: Sequence[int]) -> Drafts:
    """Return the cascades of two or more stages that are kept, by rising cost.

    Args:
        table: The candidates.
        found: Cascades, and single candidates, which may beat them.
        references: Those of the candidates that are references. Hypervolumes are over the score of
            the worst of them, rounded down to a tenth, and a tenth less: cheap cascades count too.
    """
    own = list(references)
    floor = tenth_below(float(table.score[own].mean(1).min())) - BELOW
    kept = thinned(found, KEPT, floor, BEYOND * float(table.costs.whole[own].max()))
    return kept.taken(kept.stages[:, 1] != NONE)


def thinned(drafts: Drafts, count: int, floor: float, ceiling: float) -> Drafts:
    """Return the `count` of the front over a score that have the most hypervolume together.

    Exact, by dynamic programming: the best so many of which the dearest is known follow from the
    best with one less.
    """
    front = drafts.undominated
    front = front.taken(front.score > floor)
    if len(front) <= count:
        return front
    cost, height = front.cost, front.score - floor
    # What each adds until the next one begins: rows are the one, columns the next.
    added = np.where(cost[None] > cost[:, None], height[:, None] * (cost - cost[:, None]), -np.inf)
    best = np.zeros(len(front))
    before = []
    for _ in range(count - 1):
        grown = best[:, None] + added
        before.append(grown.argmax(0))
        best = grown.max(0)
    last = int(np.argmax(best + height * np.maximum(ceiling - cost, 0)))
    chosen = [last]
    for previous in reversed(before):
        chosen.append(int(previous[chosen[-1]]))
    return front.taken(np.array(chosen[::-1]))
