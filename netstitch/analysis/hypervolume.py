"""The hypervolume of networks: how much of (cost, accuracy) they dominate, and how that grew."""

from bisect import bisect_left
from collections.abc import Sequence

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

from netstitch.errors import DataError


def hypervolume(
    accuracies: Sequence[float],
    multiply_adds: Sequence[int],
    *,
    ensemble: int,
    accuracy_floor: float = 0.0,
    cost_ceiling: float = 1.0,
) -> float:
    """The area that the networks dominate, of costs in units of the ensemble's multiply-adds.

    ensemble: its multiply-adds. The reference point is (accuracy_floor, cost_ceiling), by default
    accuracy 0 at the ensemble's cost: a perfect network without cost would have 1. Networks that
    are not better than the reference point in both add nothing. No networks give 0.

    Raises DataError for unequal lengths, values that are not finite, or an ensemble without cost.
    """
    if len(accuracies) != len(multiply_adds):
        raise DataError(
            f"{len(accuracies)} accuracies but {len(multiply_adds)} costs; give one of each for "
            "every network"
        )
    if ensemble < 1:
        raise DataError(f"an ensemble of {ensemble} multiply-adds is no unit; expected 1 or more")
    if len(accuracies) == 0:
        return 0.0
    points = np.column_stack([accuracies, np.asarray(multiply_adds, dtype=float) / ensemble])
    if not np.isfinite(points).all():
        raise DataError("an accuracy or cost is NaN or infinite; expected finite numbers")
    reference = [accuracy_floor, cost_ceiling]
    return float(moocore.hypervolume(points, ref=reference, maximise=[True, False]))


def hypervolume_course(
    accuracies: ArrayLike,
    multiply_adds: ArrayLike,
    *,
    ensemble: int,
    accuracy_floor: float = 0.0,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where the hypervolume rises, and to what; between these it stays.

    accuracies, multiply_adds: (n,) of networks in the order in which they were known; NaN for an
        accuracy that is not.

    Returns places (m,), counted from 0, and hypervolumes (m,), both rising; see `hypervolume`.
    """
    # Non-dominated networks by rising cost, and so by rising accuracy.
    costs: list[int] = []
    best: list[float] = []
    places: list[int] = []
    values: list[float] = []
    pairs = zip(
        np.asarray(accuracies, np.float64).tolist(),
        np.asarray(multiply_adds, np.int64).tolist(),
        strict=True,
    )
    for place, (accuracy, cost) in enumerate(pairs):
        if not accuracy > accuracy_floor or cost >= ensemble:
            continue  # NaN among them
        at = bisect_left(costs, cost)
        if at and best[at - 1] >= accuracy:
            continue
        if at < len(costs) and costs[at] == cost and best[at] >= accuracy:
            continue
        end = at
        while end < len(costs) and best[end] <= accuracy:
            end += 1
        costs[at:end], best[at:end] = [cost], [accuracy]
        places.append(place)
        values.append(hypervolume(best, costs, ensemble=ensemble, accuracy_floor=accuracy_floor))
    return np.array(places, np.int64), np.array(values, np.float64)
