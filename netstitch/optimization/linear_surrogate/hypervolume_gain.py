"""The hypervolume that points would add to a front, in two dimensions."""

import numpy as np

from netstitch.optimization.operators.scalarisation import Floats


def hypervolume_gains(points: Floats, front: Floats) -> Floats:
    """Return the area (m,) that each of (m, 2) points adds to a front (n, 2), up to (1, 1).

    Smaller is better. Where a point adds nothing the result is not over 0: minus the least by which
    both of its values would have to be smaller for it to be dominated no more, and under 1.
    """
    ordered = front[np.argsort(front[:, 0], kind="stable")]
    # Strips between the members' first values, and how high the front leaves each of them free.
    ends = np.append(np.minimum(ordered[:, 0], 1.0), 1.0)
    begins = np.append(-np.inf, ends[:-1])
    heights = np.minimum.accumulate(np.append(1.0, ordered[:, 1]))
    widths = np.clip(ends - np.maximum(begins, points[:, :1]), 0.0, None)
    areas = (widths * np.clip(heights - points[:, 1:], 0.0, None)).sum(axis=1)
    behind = (points[:, None] - front).min(axis=2).max(axis=1, initial=-np.inf)
    beyond = (points - 1.0).max(axis=1)
    gains: Floats = np.where(areas > 0, areas, -np.maximum(0.0, np.maximum(behind, beyond)))
    return gains
