"""Choosing a few of tens of thousands of cascades without overfitting the validation samples.

The most accurate of so many on some thousand samples are mostly lucky: at the top they lose half a
point and more on other samples. So an answer is not scored by its label, but by the probability
that the reference of the least loss, calibrated, gives to it (`Answers`), which varies far less.
Labels count only through two numbers a network: its temperature and, for references, their loss.
Thresholds stand on a coarse grid, and of the front those few cascades are kept that hold most of
its hypervolume.
`benchmarks/cascade_choice.py` measures what this is worth beside other rules.
"""

from collections.abc import Sequence

import numpy as np

from netstitch.analysis.front_chart import tenth_below
from netstitch.cascades.drafts import NONE, Drafts
from netstitch.cascades.stage_table import StageTable

KEPT = 24
"""The most cascades and single networks that are kept."""
BELOW = 0.1
"""The distance of the reference score of hypervolumes below that from which fronts are drawn."""
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
    """Return the `count` drafts of the front that have the most hypervolume together.

    Exact, by dynamic programming: the best sets of k that end with a given draft follow from the
    best sets of k - 1.
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
