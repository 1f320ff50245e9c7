"""The choice that holds: cascades found on one part of the samples, kept where another agrees.

There are tens of thousands of pairs and thresholds, and the best of so many on some samples is
partly luck. So samples are parted in two. What is found on each part is measured on the other, and
what something else found there beats is dropped. What is left, a few dozen, is measured on all.
"""

from collections.abc import Callable, Sequence

import numpy as np

from netstitch.cascades.drafts import NONE, Drafts, joined
from netstitch.cascades.stage_table import StageTable

SEED = 0

Search = Callable[[StageTable], Drafts]
"""Returns cascades of the candidates of a table, single candidates among them."""


def choose_drafts(table: StageTable, candidates: Sequence[int], search: Search) -> Drafts:
    """Return the cascades of two or more stages that hold, by rising cost.

    Args:
        table: The candidates.
        candidates: Those of them that are searched; no cascade is kept that one alone beats.
        search: What finds cascades.
    """
    order = np.random.default_rng(SEED).permutation(len(table.rows))
    halves = [table.taken(np.sort(part)) for part in np.array_split(order, 2)]
    kept = [
        other.remeasured(search(own).undominated).undominated
        for own, other in (halves, halves[::-1])
    ]
    known = joined([*kept, table.alone.taken(np.array(candidates))])
    found = table.remeasured(known).undominated
    return found.taken(found.stages[:, 1] != NONE)
