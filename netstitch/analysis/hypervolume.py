"""The hypervolume of networks: how much of (cost, accuracy) they dominate, and how that grew."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from netstitch.analysis.front import Front
from netstitch.analysis.front_chart import Floor, accuracy_floor, worst_accuracy
from netstitch.analysis.front_point import MeasuredPoint, Split
from netstitch.errors import DataError

REACH = 1.1
"""Costs count up to so many times the ensemble's, so that gains at and beyond it count."""


@dataclass(frozen=True)
class ReferencePoint:
    """The point that networks have to be better than to add to a hypervolume.

    Attributes:
        ensemble: The ensemble's cost, the unit of costs; that of the point is REACH of it.
        accuracy: That of the point.
    """

    ensemble: float
    accuracy: float = 0.0


def reference_points(
    fronts: Sequence[Front], floor: Floor = "tenth"
) -> tuple[ReferencePoint, ReferencePoint]:
    """Return the points over a floor, and over the worst reference, that fronts share.

    The accuracy is the least of all fronts', on all parts of the data, so that hypervolumes on
    validation and on test samples compare too; the ensemble is the most expensive one. Fronts hold
    networks: where none has references, points stand for them.

    Raises:
        DataError: The floor is neither a number nor one of the words.
    """
    fronts = [front for front in fronts if front.references] or fronts
    ensemble = max(front.ensemble_cost for front in fronts)
    known = [(front.references or front.points, front.parts) for front in fronts]
    least = min(accuracy_floor(base, parts, floor) for base, parts in known)
    worst = min(worst_accuracy(base, parts) for base, parts in known)
    return ReferencePoint(ensemble, least), ReferencePoint(ensemble, worst)


def hypervolume(
    accuracies: ArrayLike, costs: ArrayLike, *, ensemble: float, accuracy_floor: float = 0.0
) -> float:
    """Return the area that networks dominate, with costs in units of the ensemble's.

    The reference point is the accuracy floor at 1.1 times the ensemble's cost: over 0 a perfect
    network without cost would have 1.1. Networks that are not better than it in both add nothing.

    Accuracies and costs are (n,), and `ensemble` is the ensemble's cost.

    Raises:
        DataError: Lengths differ, values are not finite, or the ensemble has no cost.
    """
    scores, spent = np.asarray(accuracies, np.float64), np.asarray(costs, np.float64)
    if len(scores) != len(spent):
        raise DataError(
            f"{len(scores)} accuracies but {len(spent)} costs; give one of each for every network"
        )
    if not ensemble > 0:
        raise DataError(f"an ensemble of {ensemble:g} is no unit of costs; expected more than 0")
    if not len(scores):
        return 0.0
    points = np.column_stack([scores, spent / ensemble])
    if not np.isfinite(points).all():
        raise DataError("an accuracy or cost is NaN or infinite; expected finite numbers")
    return float(moocore.hypervolume(points, ref=[accuracy_floor, REACH], maximise=[True, False]))


def hypervolume_of(
    points: Sequence[MeasuredPoint], on: Split, over: ReferencePoint
) -> float | None:
    """Return the hypervolume of accuracies and costs on a part of the data; None without any.

    Points are networks, cascades, or both.
    """
    known = [(a, point.cost_on(on)) for point in points if (a := point.accuracy(on)) is not None]
    if not known:
        return None
    accuracies, costs = np.transpose(known)
    return hypervolume(accuracies, costs, ensemble=over.ensemble, accuracy_floor=over.accuracy)


def hypervolume_course(
    accuracies: ArrayLike, costs: ArrayLike, over: ReferencePoint
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the places where the hypervolume rises, and its values there.

    Accuracies (n,) and costs (n,) are in the order in which networks were known, NaN where an
    accuracy is not.

    Returns:
        Indices (m,) from 0, and hypervolumes (m,), both rising.
    """
    # Non-dominated networks by rising cost, and so by rising accuracy.
    kept: list[float] = []
    best: list[float] = []
    rises: list[tuple[int, float]] = []
    pairs = np.column_stack([accuracies, costs]).astype(np.float64).tolist()
    for index, (accuracy, cost) in enumerate(pairs):
        if not accuracy > over.accuracy or cost / over.ensemble >= REACH:
            continue  # NaN among them
        no_dearer = bisect_right(kept, cost)
        if no_dearer and best[no_dearer - 1] >= accuracy:
            continue
        dominated = slice(bisect_left(kept, cost), bisect_right(best, accuracy))
        kept[dominated], best[dominated] = [cost], [accuracy]
        area = hypervolume(best, kept, ensemble=over.ensemble, accuracy_floor=over.accuracy)
        rises.append((index, area))
    indices, values = np.array(rises, np.float64).reshape(-1, 2).T
    return indices.astype(np.int64), values
