"""Pareto dominance: no other point is at least as good in score and cost, and better in one."""

from collections.abc import Sequence

import moocore
import numpy as np

from netstitch.analysis.front_point import ACCURACY, AnyMeasured, ObjectiveName, Split


def nondominated(
    points: Sequence[AnyMeasured], on: Split, objective: ObjectiveName = ACCURACY
) -> tuple[AnyMeasured, ...]:
    """Return the points that none dominates there, by rising cost; of equal ones the first.

    Points that were not measured on that part of the data are left out.
    """
    known = [(p, score) for p in points if (score := p.score(on, objective)) is not None]
    if not known:
        return ()
    objectives = np.array([(score, point.cost_on(on)) for point, score in known], float)
    kept = moocore.is_nondominated(objectives, maximise=[True, False])
    front = [point for (point, _), keep in zip(known, kept, strict=True) if keep]
    return tuple(sorted(front, key=lambda point: point.cost_on(on)))
