"""Solutions at an end of the front may be judged by the objective of that end alone.

MO-GOMEA's extreme clusters, as the paper's authors have them in their asynchronous GOMEA too: the
population is parted into balanced clusters that overlap, and for each objective the cluster that is
best in it is extreme. (Luong, La Poutre and Bosman, "Multi-objective gene-pool optimal mixing
evolutionary algorithms", GECCO 2014, section 3.)
"""

import warnings

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans2

from netstitch.optimization.operators.scalarisation import Floats, Scale, scattered_subset

ITERATIONS = 20
"""The most that k-means makes; a few hundred points in two objectives need fewer."""


def extreme_objective(
    costs: Floats, slot: int, clusters: int, generator: np.random.Generator
) -> int | None:
    """Return the objective in which the slot's cluster is extreme, None where it is in none.

    A cluster is drawn from those that have the slot's solution; where none has, the nearest counts.
    The last objective wins where a cluster is extreme in several. Costs are the population's,
    (n, m), smaller better, infinite where there are none.
    """
    known = np.flatnonzero(np.isfinite(costs).all(axis=1))
    position = np.flatnonzero(known == slot)
    if not len(position) or len(known) < clusters:
        return None
    scale = Scale.of(costs)
    points = (costs[known] - scale.least) / scale.extent
    members, centres = balanced_clusters(points, clusters, generator)
    having = np.flatnonzero((members == position[0]).any(axis=1))
    if len(having):
        own = int(having[generator.integers(len(having))])
    else:
        own = int(((centres - points[position[0]]) ** 2).sum(axis=1).argmin())
    extreme = np.flatnonzero(centres.argmin(axis=0) == own)
    return int(extreme[-1]) if len(extreme) else None


def balanced_clusters(
    points: Floats, clusters: int, generator: np.random.Generator
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return members, (c, 2 n / c) indices, and means, (c, m), of c clusters of (n, m) points.

    k-means from scattered points, the first of them the best in one objective drawn at random; then
    each centre takes the points nearest to it, so that most points are in two clusters.
    """
    first = int(points[:, generator.integers(points.shape[1])].argmin())
    order = np.concatenate([[first], np.delete(np.arange(len(points)), first)])
    leaders = order[scattered_subset(points[order], clusters)]
    with warnings.catch_warnings():  # of centres without points, which stay where they are
        warnings.simplefilter("ignore")
        centres, _ = kmeans2(points, points[leaders], iter=ITERATIONS, minit="matrix")
    size = min(len(points), 2 * len(points) // clusters)
    shuffled = generator.permutation(len(points))  # so that equally near ones take turns
    distances = ((centres[:, None] - points[shuffled]) ** 2).sum(axis=2)
    members = shuffled[np.argsort(distances, axis=1, kind="stable")[:, :size]]
    return members, points[members].mean(axis=1)
