"""Upper bounds on the weight of an acyclic matching, for graphs too wide for the exact program.

The assignment bound drops the order: a heaviest bipartite matching. The relaxed bound keeps part of
it. Both graphs are cut into parts, only orders within a part are kept, and a node may be used once
with every part of the other graph, at a price. Whatever the prices, the heaviest priced choice plus
the prices weighs no less than any acyclic matching (Lagrangian relaxation); subgradient steps look
for prices that make the bound small.
"""

from math import fsum

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from netstitch.matching.acyclic.downsets import Downsets, chain, downsets
from netstitch.matching.acyclic.dynamic_program import PairWeights, heaviest_way, pairs_of
from netstitch.matching.acyclic.partial_order import PartialOrder

STEPS = 100
STATES = 1_000_000
PART_CAPS = (65_536, 16_384, 4_096, 1_024, 256, 64)
Assignment = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def assignment(weights: PairWeights) -> Assignment:
    """Return a heaviest bipartite matching of positive weights: its nodes of A, and of B."""
    rows, columns = linear_sum_assignment(weights, maximize=True)
    matched = weights[rows, columns] > 0
    return rows[matched], columns[matched]


def assignment_bound(weights: PairWeights, matched: Assignment) -> float:
    """Return the weight of the heaviest bipartite matching."""
    return fsum(weights[matched])


def prices(weights: PairWeights, matched: Assignment) -> tuple[PairWeights, PairWeights]:
    """Return optimal prices of the nodes of A (n_a,) and B (n_b,): the assignment's dual solution.

    No pair weighs more than its two prices, and all prices add up to the assignment's weight. They
    are longest ways over exchanges, which end within n_a rounds as no exchange gains anything.
    """
    rows, columns = matched
    price_a = np.zeros(weights.shape[0])
    price_b = np.zeros(weights.shape[1])
    for _ in range(weights.shape[0] + 1):
        price_a[rows] = weights[rows, columns] - price_b[columns]
        raised = np.maximum(price_b, (weights - price_a[:, None]).max(axis=0))
        if np.allclose(raised, price_b, rtol=0, atol=1e-12 * weights.max()):
            break
        price_b = raised
    return np.maximum(price_a, 0), np.maximum(price_b, 0)


def relaxed_bound(
    order_a: PartialOrder,
    order_b: PartialOrder,
    weights: PairWeights,
    matched: Assignment,
    enough: float,
) -> float:
    """Return the smallest bound found in STEPS subgradient steps.

    The search ends at `enough`, the weight of a known acyclic matching.
    """
    parts_a = parts(order_a, STATES // (len(order_b) + 1))
    parts_b = parts(order_b, STATES // sum(len(part) for part in parts_a))
    price_a, price_b = prices(weights, matched)
    best = assignment_bound(weights, matched)
    best_prices, stride, stale = (price_a, price_b), 1.0, 0
    whole = bool((weights == np.rint(weights)).all())
    for _ in range(STEPS):
        priced = weights - price_a[:, None] - price_b
        used_a = np.zeros(len(price_a))
        used_b = np.zeros(len(price_b))
        terms = [*price_a, *price_b]
        for part_a in parts_a:
            for part_b in parts_b:
                for i, j in pairs_of(heaviest_way(part_a, part_b, priced)):
                    terms.append(priced[i, j])
                    used_a[i] += 1
                    used_b[j] += 1
        bound = fsum(terms)
        if bound < best:
            stale = 0 if bound < best - 1e-3 * (best - enough) else stale + 1
            best, best_prices = bound, (price_a, price_b)
        else:
            stale += 1
        if whole:
            best = min(best, float(np.floor(best + 1e-6)))
        if best <= enough:
            break
        if stale > 8:
            stride, stale = stride / 2, 0
            price_a, price_b = best_prices
            continue
        slope_a, slope_b = 1 - used_a, 1 - used_b
        # A price of zero cannot fall, so its slope says nothing about the length of the step.
        slope_a[(price_a == 0) & (slope_a > 0)] = 0
        slope_b[(price_b == 0) & (slope_b > 0)] = 0
        norm = float(slope_a @ slope_a + slope_b @ slope_b)
        if norm == 0:
            break
        step = stride * (bound - enough) / norm
        price_a = np.maximum(price_a - step * slope_a, 0)
        price_b = np.maximum(price_b - step * slope_b, 0)
    return max(best, enough)


def parts(order: PartialOrder, states: int) -> list[Downsets]:
    """Return the order cut into parts of whole chains, as few as fit `states` downsets in all.

    Chains are never cut, whatever `states` is.
    """
    chains = chain_cover(order)
    found = [chain(order.part(positions)) for positions in chains]
    for cap in PART_CAPS:
        if cap > states:
            continue
        merged: list[Downsets] = []
        positions: list[int] = []
        for more in chains:
            joined = downsets(order.part(sorted(positions + more)), cap, 4 * cap)
            if joined is None or not positions:
                positions = list(more)
                merged.append(joined or chain(order.part(more)))
            else:
                positions = sorted(positions + more)
                merged[-1] = joined
        if sum(len(part) for part in merged) <= states:
            return merged
    return found


def chain_cover(order: PartialOrder) -> list[list[int]]:
    """Return all positions in ascending chains; greedy, so not always the fewest."""
    chains: list[list[int]] = []
    for position, low in enumerate(order.below):
        ends = [line for line in chains if low >> line[-1] & 1]
        if ends:
            max(ends, key=lambda line: line[-1]).append(position)
        else:
            chains.append([position])
    return chains
