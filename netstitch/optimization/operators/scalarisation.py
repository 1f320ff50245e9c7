"""Many objectives as one number: weighted Tschebysheff distances, and the slots' weights.

The paper's section 5, which takes them from its reference [23]. Costs are minimised throughout;
those of a failed solution are infinite.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Frame = Literal["following", "frozen"]
"""The frame in which objectives are normalised: its lower end is "following" the best values seen,
or "frozen" whenever weights are assigned, and what lies beyond it counts as the end."""

CANDIDATES = 10
"""Random weight vectors that are drawn for each one that is kept."""


@dataclass(frozen=True, eq=False)
class Scale:
    """The frame in which costs are normalised: the least and the range of each, of shape (m,)."""

    least: Floats
    extent: Floats

    @classmethod
    def of(cls, costs: Floats) -> "Scale":
        """Return the scale of costs, (n, m), from finite rows; a range of 0 counts as 1."""
        finite = costs[np.isfinite(costs).all(axis=1)]
        if not len(finite):
            return cls(np.zeros(costs.shape[1]), np.ones(costs.shape[1]))
        least = finite.min(axis=0)
        extent = finite.max(axis=0) - least
        return cls(least, np.where(extent > 0, extent, 1.0))

    def reaching(self, costs: Floats) -> "Scale":
        """Return the scale moved down to the least of costs, (n, m), in the same units."""
        return Scale(np.minimum(self.least, costs.min(axis=0)), self.extent)


def tschebysheff(costs: Floats, weights: Floats, scale: Scale) -> Floats:
    """Return the largest weighted normalised cost, (...), of (..., m) and (..., m), broadcast.

    Normalised costs are clipped below at 0, so nothing is better than the scale's least. Where a
    cost is infinite so is the result, whatever its weight.
    """
    normalised, failed = _normalised(costs, scale)
    weighted = weights * normalised
    # Over objectives one by one: few, so that NumPy's loop along the axis would be slow.
    largest = functools.reduce(np.maximum, np.moveaxis(weighted, -1, 0))
    return np.where(failed, np.inf, largest)


def weighted_sum(costs: Floats, weights: Floats, scale: Scale) -> Floats:
    """Return the sum of weighted normalised costs, which finds no hollows of a front."""
    normalised, failed = _normalised(costs, scale)
    return np.where(failed, np.inf, (weights * normalised).sum(axis=-1))


def _normalised(costs: Floats, scale: Scale) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return costs in units of the scale, 0 at least, and which rows have failed."""
    failed = np.asarray(~np.isfinite(costs).all(axis=-1))
    known = np.where(failed[..., None], 0.0, costs)
    return np.maximum((known - scale.least) / scale.extent, 0.0), failed


Scalarisation = Callable[[Floats, Floats, Scale], Floats]
"""Costs, weights and a scale to one number, smaller better."""

TSCHEBYSHEFF = "tschebysheff"
SCALARISATIONS: Mapping[str, Scalarisation] = {
    TSCHEBYSHEFF: tschebysheff,
    "weighted-sum": weighted_sum,
}


def first_weights(n: int, objectives: int, generator: np.random.Generator) -> Floats:
    """Return n scattered weight vectors that sum to one, (n, m), the single objectives among them.

    They are a scattered subset of 10 n uniformly random vectors and the m directions; with n under
    m, some of the directions.
    """
    candidates = np.concatenate(
        [np.eye(objectives), generator.dirichlet(np.ones(objectives), size=CANDIDATES * n)]
    )
    return candidates[scattered_subset(candidates, n)]


def scattered_subset(points: Floats, n: int) -> npt.NDArray[np.int64]:
    """Return n indices: the first, then always the point farthest from those chosen so far."""
    chosen = np.zeros(n, dtype=np.int64)
    distances = np.full(len(points), np.inf)
    for step in range(1, n):
        newest = chosen[step - 1]
        offsets = points - points[newest]
        np.minimum(distances, np.einsum("ij,ij->i", offsets, offsets), out=distances)
        distances[newest] = -1.0  # below the 0 of its copies
        chosen[step] = distances.argmax()
    return chosen


def best_on_weights(costs: Floats, weights: Floats, scale: Scale, violations: Floats) -> list[int]:
    """Return for each weight vector, in turn, the best of costs, (n, m), that none before it has.

    The least violation of a threshold, (n,), comes first, then the Tschebysheff distance; of equal
    ones none comes before one that dominates it. Where costs run out, later vectors get none.
    """
    sums = weighted_sum(costs, np.ones(costs.shape[1]), scale)
    taken: list[int] = []
    for values in tschebysheff(costs[None], weights[:, None], scale):
        order = np.lexsort((sums, values, violations))
        taken += [index for index in order.tolist() if index not in taken][:1]
    return taken


def reassigned(
    weights: Floats,
    costs: Floats,
    scale: Scale,
    generator: np.random.Generator,
    scalarise: Scalarisation = tschebysheff,
) -> Floats:
    """Return the same weight vectors, (n, m), row i now for the individual with costs[i].

    In random order each vector goes to the individual, not yet served, with the best scalarised
    value.
    """
    result = np.empty_like(weights)
    values = scalarise(costs[None], weights[:, None], scale)  # of each individual, a row a vector
    # Those that failed are the worst, and yet better than those that are served.
    np.minimum(values, np.finfo(np.float64).max, out=values)
    for index in generator.permutation(len(weights)):
        best = values[index].argmin()
        result[best] = weights[index]
        values[:, best] = np.inf
    return result
