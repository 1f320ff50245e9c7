"""The search for cascades among candidates: pairs, mean answers, and three stages."""

from collections.abc import Sequence

import numpy as np

from netstitch.cascades.drafts import Drafts, joined
from netstitch.cascades.extending import EXTENDED, extended
from netstitch.cascades.pairs import all_pairs, with_means
from netstitch.cascades.stage_table import StageTable, silent
from netstitch.events import ProgressCallback


def search_drafts(
    table: StageTable, candidates: Sequence[int], stages: int, progress: ProgressCallback = silent
) -> Drafts:
    """Return cascades of candidates, less those that a cascade of the same kind dominates.

    Single candidates are among them, as cascades of one stage.
    """
    sure = [one for one in candidates if not np.isnan(table.confidence[one]).any()]
    pairs = all_pairs(
        table, sure, candidates, lambda done: progress(done, len(sure), "cascades of two stages")
    )
    means = with_means(table, pairs.ranked)
    if stages == 2:
        return joined([pairs.drafts, means])
    total = min(EXTENDED, len(pairs.ranked))
    longer = extended(
        table,
        pairs.ranked,
        sure,
        candidates,
        lambda done: progress(done, total, "cascades of three stages"),
    )
    return joined([pairs.drafts, means, longer])
