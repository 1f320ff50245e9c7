"""The hypervolume of networks: how much of (cost, accuracy) they dominate, as one number."""

from collections.abc import Sequence

import moocore
import numpy as np

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
