"""The maximum acyclic matching of two graphs (the paper's section 3), exact for any weights.

The paper's authors use branch and bound; here a linear order and a bipartite matching are tried
first, as bounds that often meet, then the dynamic program over downsets is run, and beyond its
cap a search with a lower and an upper bound.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from netstitch.errors import MatchingError
from netstitch.matching.acyclic.bounds import assignment, assignment_bound, relaxed_bound
from netstitch.matching.acyclic.downsets import chain, downsets
from netstitch.matching.acyclic.dynamic_program import (
    PairWeights,
    StepPairs,
    heaviest_way,
    pairs_of,
    weight_of,
)
from netstitch.matching.acyclic.large_neighbourhood import STATES, improved
from netstitch.matching.acyclic.partial_order import (
    Edge,
    PartialOrder,
    partial_order,
    topological_order,
)

STATE_CAP = 200_000_000
ROUNDING = 1e-12

BOUNDS_MEET = "linear order meets the assignment bound"
PROGRAM = "dynamic programme"
BANDS = "banded search with a relaxed bound"


@dataclass(frozen=True)
class AcyclicMatching:
    """StepPairs of nodes whose merged graph is acyclic.

    Attributes:
        pairs: (node of A, node of B), in an order in which the merged graph can be computed.
        weight: the sum of the pairs' weights, rounded once.
        upper_bound: no acyclic matching weighs more, up to float64 rounding; equal to `weight`
            where the matching is a maximum.
        method: the algorithm that found it, in words.
    """

    pairs: StepPairs
    weight: float
    upper_bound: float
    method: str


def maximum_acyclic_matching(
    n_a: int,
    edges_a: Iterable[Edge],
    n_b: int,
    edges_b: Iterable[Edge],
    weights: npt.ArrayLike,
    *,
    state_cap: int = STATE_CAP,
) -> AcyclicMatching:
    """Return the heaviest set of pairs, each node in one at most, whose merged graph is acyclic.

    Up to `state_cap` the weight is the maximum: exactly so for weights whose sums float64 holds
    exactly, such as integers, otherwise up to rounding (a relative 1e-12). Above it, `upper_bound`
    says how far from the maximum the result may be.

    Ties break towards the earliest match. Nodes have positions: topological, lowest number first.
    Both graphs are computed from nothing, and of all moves that still lead to the maximum the first
    is taken, in the order: pairs, by the position of A's node, then of B's; then a single node of A
    by position; then one of B. Where the two cheap bounds meet, all nodes wait for those at earlier
    positions; when they meet only in the second order that is tried (first the node that became
    ready last), positions are those of that order. Above the cap the result is one of the banded
    search. Equal input always gives equal output.

    Args:
        n_a: number of nodes of A, which are 0..n_a-1.
        edges_a: (source, target) each.
        n_b: number of nodes of B.
        edges_b: (source, target) each.
        weights: (n_a, n_b), finite and not negative; 0 means incompatible.
        state_cap: largest product of both graphs' numbers of downsets that is solved exactly. A
            state takes 2 bytes, and 16 in the widest layer of A, and a graph's downsets may have
            state_cap / 8 moves in all, at 8 bytes: 0.8 GB at the default for graphs that are not
            tiny.

    Raises:
        MatchingError: for an edge or shape that does not fit, a cycle, and weights that are
            negative, not finite, or too large to add up.
    """
    table = _checked_weights(weights, n_a, n_b)
    listed_a, listed_b = _checked_edges(edges_a, "A"), _checked_edges(edges_b, "B")
    kept_a = np.flatnonzero(table.any(axis=1)).tolist()
    kept_b = np.flatnonzero(table.any(axis=0)).tolist()
    linear_a = topological_order(n_a, listed_a, "A")
    linear_b = topological_order(n_b, listed_b, "B")
    order_a = partial_order(linear_a, listed_a, kept_a)
    order_b = partial_order(linear_b, listed_b, kept_b)
    matched = assignment(table)
    upper = assignment_bound(table, matched)
    if not kept_a:
        return AcyclicMatching((), 0.0, 0.0, BOUNDS_MEET)

    branch_a = topological_order(n_a, listed_a, "A", first="newest")
    branch_b = topological_order(n_b, listed_b, "B", first="newest")
    newest = partial_order(branch_a, listed_a, kept_a), partial_order(branch_b, listed_b, kept_b)
    tried: list[StepPairs] = []
    for some_a, some_b in ((order_a, order_b), newest):
        tried.append(pairs_of(heaviest_way(chain(some_a), chain(some_b), table)))
        weight = weight_of(table, tried[-1])
        if weight >= upper * (1 - ROUNDING):
            return AcyclicMatching(tried[-1], weight, weight, BOUNDS_MEET)

    exact = _program(order_a, order_b, table, state_cap)
    if exact is not None:
        weight = weight_of(table, exact)
        return AcyclicMatching(exact, weight, weight, PROGRAM)

    start = max(tried, key=lambda pairs: weight_of(table, pairs))
    pairs = improved(order_a, order_b, table, start, upper, min(STATES, state_cap))
    weight = weight_of(table, pairs)
    upper = relaxed_bound(order_a, order_b, table, matched, weight)
    if weight >= upper * (1 - ROUNDING):
        upper = weight
    return AcyclicMatching(pairs, weight, upper, BANDS)


def _program(
    order_a: PartialOrder, order_b: PartialOrder, weights: PairWeights, state_cap: int
) -> StepPairs | None:
    """Return the exact program's pairs; None where the cap allows too few states or moves."""
    a = downsets(order_a, state_cap // (len(order_b) + 1), state_cap // 8)
    b = None if a is None else downsets(order_b, state_cap // len(a), state_cap // 8)
    return None if a is None or b is None else pairs_of(heaviest_way(a, b, weights))


def _checked_edges(edges: Iterable[Edge], name: str) -> list[Edge]:
    try:
        return [(int(source), int(target)) for source, target in edges]
    except (TypeError, ValueError):
        raise MatchingError(f"graph {name}: edges must be pairs of node numbers") from None


def _checked_weights(weights: npt.ArrayLike, n_a: int, n_b: int) -> PairWeights:
    try:
        table = np.array(weights, np.float64)
    except (TypeError, ValueError):
        raise MatchingError("weights must be an (n_a, n_b) array of numbers") from None
    if table.size == 0 and n_a * n_b == 0:
        table = table.reshape(n_a, n_b)
    if table.shape != (n_a, n_b):
        raise MatchingError(
            f"weights have shape {table.shape}; graphs of {n_a} and {n_b} nodes need ({n_a}, {n_b})"
        )
    wrong = np.argwhere(~(np.isfinite(table) & (table >= 0)))
    if len(wrong):
        i, j = wrong[0].tolist()
        raise MatchingError(
            f"the weight of the pair ({i}, {j}) is {table[i, j]}; "
            "weights must be finite and not negative, 0 for incompatible nodes"
        )
    with np.errstate(over="ignore"):
        total = table.sum()
    if not np.isfinite(total):
        raise MatchingError("the weights are too large to add up; scale them down")
    return table
