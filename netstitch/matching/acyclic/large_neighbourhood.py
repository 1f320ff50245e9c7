"""Large-neighbourhood search for acyclic matchings of graphs too wide for the exact program.

From linear orders in which the present matching can be computed, the exact program is run over
bands: orders that let a node move a few positions only. The present matching is in the band, so the
result is never lighter; its own linear orders, with the unmatched nodes in random places, are the
next ones.
"""

import random

from netstitch.matching.acyclic.downsets import Downsets, chain, downsets
from netstitch.matching.acyclic.dynamic_program import (
    PairWeights,
    StepPairs,
    heaviest_way,
    pairs_of,
    weight_of,
)
from netstitch.matching.acyclic.partial_order import PartialOrder

ROUNDS = 40
PATIENCE = 6
STATES = 4_000_000


def improved(
    order_a: PartialOrder,
    order_b: PartialOrder,
    weights: PairWeights,
    pairs: StepPairs,
    enough: float,
    states: int = STATES,
) -> StepPairs:
    """Return an acyclic matching that weighs no less than a known one, `pairs`. Deterministic.

    The search ends at `enough`, an upper bound. Bands are as wide as `states` of a table allow.
    """
    choose = random.Random(0)
    best = weight_of(weights, pairs)
    stale = 0
    for turn in range(ROUNDS):
        if best >= enough or stale >= PATIENCE:
            break
        order_a, order_b = _rearranged(order_a, order_b, pairs, choose)
        # In turn: one side wide and the other linear, and both with their share.
        small_a, small_b = len(order_a) + 1, len(order_b) + 1
        share = int(states**0.5)
        cap_a = (states // small_b, small_a, share)[turn % 3]
        cap_b = (small_b, states // small_a, share)[turn % 3]
        found = pairs_of(heaviest_way(_band(order_a, cap_a), _band(order_b, cap_b), weights))
        weight = weight_of(weights, found)
        stale = 0 if weight > best * (1 + 1e-12) else stale + 1
        if weight >= best:
            pairs, best = found, weight
    return pairs


def _band(order: PartialOrder, cap: int) -> Downsets:
    """Return the downsets of the widest band that has at most `cap`; at least a linear order."""
    found = chain(order)
    low, high = 1, len(order)
    while low < high:
        width = (low + high + 1) // 2
        wider = downsets(order.banded(width), cap, 4 * cap)
        if wider is None:
            high = width - 1
        else:
            low, found = width, wider
    return found


def _rearranged(
    order_a: PartialOrder, order_b: PartialOrder, pairs: StepPairs, choose: random.Random
) -> tuple[PartialOrder, PartialOrder]:
    """Return both orders at positions of a random linear order of the merged graph."""
    place_a = {node: position for position, node in enumerate(order_a.nodes)}
    place_b = {node: position for position, node in enumerate(order_b.nodes)}
    partner: dict[tuple[int, int], tuple[int, int]] = {}
    for i, j in pairs:
        partner[0, place_a[i]] = (1, place_b[j])
        partner[1, place_b[j]] = (0, place_a[i])
    above = order_a.successors(), order_b.successors()
    waiting = tuple([len(immediate) for immediate in o.predecessors()] for o in (order_a, order_b))

    def is_ready(item: tuple[int, int]) -> bool:
        other = partner.get(item)
        return not waiting[item[0]][item[1]] and (other is None or not waiting[other[0]][other[1]])

    ready = [(s, p) for s in (0, 1) for p in range(len(above[s])) if is_ready((s, p))]
    ready = [item for item in ready if item[0] == 0 or item not in partner]
    placed: tuple[list[int], list[int]] = ([], [])
    while ready:
        at = choose.randrange(len(ready))
        ready[at], ready[-1] = ready[-1], ready[at]
        item = ready.pop()
        items = [item, partner[item]] if item in partner else [item]
        for side, position in items:
            placed[side].append(position)
            for consumer in above[side][position]:
                waiting[side][consumer] -= 1
        woken = {(side, c) for side, position in items for c in above[side][position]}
        for side, consumer in sorted(woken):
            candidate = (side, consumer)
            twin = partner.get(candidate)
            # A pair is put in once, under its node of A unless only that of B was woken now.
            if is_ready(candidate) and not (side == 1 and twin in woken):
                ready.append(candidate)
    return order_a.part(placed[0]), order_b.part(placed[1])
