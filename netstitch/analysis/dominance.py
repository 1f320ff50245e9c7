"""Pareto dominance: no other point is at least as good in score and cost, and better in one."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import moocore
import numpy as np

from netstitch.analysis.front_point import ACCURACY, AnyMeasured, ObjectiveName, Split

CHOSEN_BY: tuple[Split, ...] = ("validation", "confirmation")
"""The parts of the data that a front may be chosen by."""


def nondominated(
    points: Sequence[AnyMeasured], on: Split, objective: ObjectiveName = ACCURACY
) -> tuple[AnyMeasured, ...]:
    """Return the points that none dominates there, by rising cost; of equal ones the first.

    Points that were not measured on that part of the data are left out.
    """
    known = [(p, score) for p in points if (score := p.score(on, objective)) is not None]
    front = _leading([p for p, _ in known], [(score, p.cost_on(on)) for p, score in known])
    return tuple(sorted(front, key=lambda point: point.cost_on(on)))


def confirmed(
    proposed: Sequence[AnyMeasured],
    references: Sequence[AnyMeasured],
    objective: ObjectiveName = ACCURACY,
    samples: Mapping[Split, int] = MappingProxyType({}),
) -> tuple[AnyMeasured, ...]:
    """Return the points that neither another nor a reference dominates, confirmation counted too.

    Scores are means over validation and confirmation samples together. A point stays beside a
    reference that is equal to it, and where it was not measured on both parts.

    Args:
        proposed: Networks, whose cost does not depend on samples.
        references: Networks.
        objective: The score that dominance is in.
        samples: The number of samples of each part; parts count alike by default.
    """
    known: list[AnyMeasured] = []
    objectives: list[tuple[float, float]] = []
    for point in (*proposed, *references):
        scores = [point.score(part, objective) for part in CHOSEN_BY]
        found = [score for score in scores if score is not None]
        if len(found) == len(CHOSEN_BY):
            counts = [samples.get(part, 1) for part in CHOSEN_BY]
            known.append(point)
            # Rounded, so that as many right answers are the same accuracy in whichever part.
            objectives.append((round(float(np.average(found, weights=counts)), 12), point.cost))
    kept = {id(point) for point in _leading(known, objectives)}
    decided = {id(point) for point in known}
    return tuple(one for one in proposed if id(one) in kept or id(one) not in decided)


def _leading(
    points: Sequence[AnyMeasured], objectives: Sequence[tuple[float, float]]
) -> list[AnyMeasured]:
    """Return the points whose score and cost none dominates; of equal ones the first."""
    if not points:
        return []
    kept = moocore.is_nondominated(np.array(objectives, float), maximise=[True, False])
    return [point for point, keep in zip(points, kept, strict=True) if keep]
