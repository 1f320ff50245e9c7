"""How the hypervolume grew while networks were evaluated."""

from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netstitch.analysis.hypervolume import hypervolume


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
