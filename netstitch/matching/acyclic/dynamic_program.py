"""The dynamic program over (downset of A, downset of B).

A set of pairs is acyclic when merged if and only if both graphs have linear orders in which the two
nodes of every pair stand at the same step. From a state, one more node of A is computed, or one of
B, or a compatible pair at once; the heaviest way from nothing to everything is a maximum acyclic
matching. Over tighter orders than the graphs' own the same program gives a lower bound.
"""

from math import fsum

import numpy as np
import numpy.typing as npt
from numba import njit

from netstitch.matching.acyclic.downsets import Downsets

PairWeights = npt.NDArray[np.float64]
PathStep = tuple[int | None, int | None]
StepPairs = tuple[tuple[int, int], ...]
"""Pairs of nodes of A and B."""


def heaviest_way(a: Downsets, b: Downsets, weights: PairWeights) -> list[PathStep]:
    """Return the steps of a heaviest way: (i, j), or (i, None) and (None, j) for single nodes.

    The weights are (n_a, n_b), finite, 0 where incompatible. Of moves that lead to equal sums a
    pair goes before a single node; of pairs the one whose node of A has the earlier position, then
    whose node of B has; of single nodes one of A before one of B, the earlier position first. Sums
    are in float64. Takes 2 bytes for each of the len(a) * len(b) states, and 16 for each state of
    the widest layer of A.
    """
    # One more than the most moves of a downset of B. Moves are an antichain, so n of them mean 2**n
    # downsets: what fits into memory leaves the product of both sides' far under 65,536.
    base = int(np.diff(b.starts).max(initial=0)) + 1
    choices = np.empty((len(a), len(b)), np.uint16)
    _fill(
        *(a.layers, a.starts, a.nodes, a.targets),
        *(b.starts, b.nodes, b.targets),
        np.ascontiguousarray(weights),
        *(base, choices),
    )
    steps: list[PathStep] = []
    at_a = at_b = 0
    while at_a < len(a) - 1 or at_b < len(b) - 1:
        move_a, move_b = divmod(int(choices[at_a, at_b]), base)
        i = j = None
        if move_a:
            move = a.starts[at_a] + move_a - 1
            i, at_a = int(a.nodes[move]), int(a.targets[move])
        if move_b:
            move = b.starts[at_b] + move_b - 1
            j, at_b = int(b.nodes[move]), int(b.targets[move])
        steps.append((i, j))
    return steps


def pairs_of(steps: list[PathStep]) -> StepPairs:
    """Return the pairs among the steps, in order."""
    return tuple((i, j) for i, j in steps if i is not None and j is not None)


def weight_of(weights: PairWeights, pairs: StepPairs) -> float:
    """Return the sum of the pairs' weights, rounded once."""
    return fsum(weights[pair] for pair in pairs)


@njit(cache=True, nogil=True)
def _fill(
    layers: npt.NDArray[np.integer],
    starts_a: npt.NDArray[np.integer],
    nodes_a: npt.NDArray[np.integer],
    targets_a: npt.NDArray[np.integer],
    starts_b: npt.NDArray[np.integer],
    nodes_b: npt.NDArray[np.integer],
    targets_b: npt.NDArray[np.integer],
    weights: PairWeights,
    base: int,
    choices: npt.NDArray[np.integer],
) -> None:
    """Write each state's best move: base * (1 + move of A, or 0) + (1 + move of B, or 0)."""
    count_b = len(starts_b) - 1
    widest = np.diff(layers).max()
    # Only choices are kept for all states; a state's sum is read by its own layer of A and the
    # one before, which is what leaves room for sums in float64.
    here = np.empty((widest, count_b))
    after = np.empty((widest, count_b))
    for k in range(len(layers) - 2, -1, -1):
        for s in range(layers[k], layers[k + 1]):
            row = here[s - layers[k]]
            for t in range(count_b - 1, -1, -1):
                best = -1.0
                choice = 0
                for x in range(starts_a[s], starts_a[s + 1]):
                    i = nodes_a[x]
                    target = targets_a[x] - layers[k + 1]
                    for y in range(starts_b[t], starts_b[t + 1]):
                        weight = weights[i, nodes_b[y]]
                        if weight > 0.0:
                            total = weight + after[target, targets_b[y]]
                            if total > best:
                                best = total
                                choice = base * (x - starts_a[s] + 1) + y - starts_b[t] + 1
                for x in range(starts_a[s], starts_a[s + 1]):
                    total = after[targets_a[x] - layers[k + 1], t]
                    if total > best:
                        best = total
                        choice = base * (x - starts_a[s] + 1)
                for y in range(starts_b[t], starts_b[t + 1]):
                    total = row[targets_b[y]]
                    if total > best:
                        best = total
                        choice = y - starts_b[t] + 1
                row[t] = max(best, 0.0)
                choices[s, t] = choice
        here, after = after, here
