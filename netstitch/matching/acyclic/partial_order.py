"""Partial orders of a graph's nodes, for the acyclic matching (the paper's section 3).

Whether a matching is acyclic depends on reachability between matched nodes only, so the solver
works on the partial order that reachability gives the nodes that have a compatible partner.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from netstitch.errors import MatchingError

Edge = tuple[int, int]


@dataclass(frozen=True)
class PartialOrder:
    """Some nodes of a graph, at positions that extend their partial order.

    Attributes:
        nodes: the graph's number of the node at each position, after all that it depends on.
        below: for each position the positions it depends on, directly or not, as bits.
    """

    nodes: tuple[int, ...]
    below: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.nodes)

    def predecessors(self) -> list[list[int]]:
        """Return for each position its immediate predecessors, ascending."""
        found: list[list[int]] = []
        for remaining in self.below:
            immediate: list[int] = []
            while remaining:
                # The highest position left cannot be below another one that is left.
                top = remaining.bit_length() - 1
                immediate.append(top)
                remaining &= ~(self.below[top] | 1 << top)
            found.append(immediate[::-1])
        return found

    def successors(self) -> list[list[int]]:
        """Return for each position its immediate successors, ascending."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for position, immediate in enumerate(self.predecessors()):
            for low in immediate:
                found[low].append(position)
        return found

    def part(self, positions: Sequence[int]) -> "PartialOrder":
        """Return the order among some positions, or all, listed in an order that extends it."""
        new = {old: position for position, old in enumerate(positions)}
        nodes = tuple(self.nodes[old] for old in positions)
        chosen = _bits(positions)
        below = [_members(self.below[old] & chosen) for old in positions]
        return PartialOrder(nodes, tuple(_bits(new[low] for low in lows) for lows in below))

    def banded(self, width: int) -> "PartialOrder":
        """Return an order in which a node also depends on each position at least `width` earlier.

        Width 1 leaves one linear order, that of the positions.
        """
        ends = (max(position - width + 1, 0) for position in range(len(self)))
        below = (low | (1 << end) - 1 for low, end in zip(self.below, ends, strict=True))
        return PartialOrder(self.nodes, tuple(below))


def topological_order(
    n: int, edges: Iterable[Edge], name: str, first: Literal["lowest", "newest"] = "lowest"
) -> list[int]:
    """Return the nodes 0..n-1, each after all that it reads.

    Of the nodes that are ready, the first is the one of the lowest number, or the newest: that
    which became ready last, which follows a branch to its end before the next one is begun.

    Raises:
        MatchingError: calling the graph `name`, for an edge out of range and for a cycle.
    """
    consumers: list[list[int]] = [[] for _ in range(n)]
    waiting = [0] * n
    for source, target in edges:
        if not (0 <= source < n and 0 <= target < n):
            raise MatchingError(
                f"graph {name}: the edge ({source}, {target}) names a node outside 0..{n - 1}; "
                "number the nodes from 0"
            )
        consumers[source].append(target)
        waiting[target] += 1
    # Heap rank: the node's number, or a falling counter so that the newest comes first.
    ready = [(node, node) for node in range(n) if not waiting[node]]
    ranks = count(0, -1)
    order: list[int] = []
    while ready:
        _, node = heapq.heappop(ready)
        order.append(node)
        for consumer in reversed(consumers[node]):
            waiting[consumer] -= 1
            if not waiting[consumer]:
                rank = consumer if first == "lowest" else next(ranks)
                heapq.heappush(ready, (rank, consumer))
    if len(order) < n:
        stuck = next(node for node in range(n) if waiting[node])
        raise MatchingError(
            f"graph {name}: node {stuck} lies on a cycle or behind one; "
            "a network's graph must be acyclic"
        )
    return order


def partial_order(order: Sequence[int], edges: Iterable[Edge], kept: Iterable[int]) -> PartialOrder:
    """Return the order that reachability gives the kept nodes, at positions as in `order`."""
    chosen = set(kept)
    nodes = tuple(node for node in order if node in chosen)
    bit = {node: 1 << position for position, node in enumerate(nodes)}
    sources: dict[int, list[int]] = {}
    for source, target in edges:
        sources.setdefault(target, []).append(source)
    below: dict[int, int] = {}
    for node in order:
        mask = 0
        for source in sources.get(node, ()):
            mask |= below[source] | bit.get(source, 0)
        below[node] = mask
    return PartialOrder(nodes, tuple(below[node] for node in nodes))


def is_acyclic(
    n_a: int,
    edges_a: Iterable[Edge],
    n_b: int,
    edges_b: Iterable[Edge],
    pairs: Iterable[Edge],
) -> bool:
    """Return whether the union of both graphs has no cycle once the nodes of every pair are one.

    Arguments are as in `maximum_acyclic_matching`; pairs are (node of A, node of B).

    Raises:
        MatchingError: when a pair names no node, or a node is in two pairs.
    """
    label_b = list(range(n_a, n_a + n_b))
    used: set[int] = set()
    for i, j in pairs:
        if not (0 <= i < n_a and 0 <= j < n_b):
            raise MatchingError(
                f"pair ({i}, {j}) names a node outside 0..{n_a - 1} or 0..{n_b - 1}; "
                "give it as (node of A, node of B)"
            )
        if i in used or n_a + j in used:
            raise MatchingError(f"pair ({i}, {j}) reuses a node; each may be in one pair at most")
        used |= {i, n_a + j}
        label_b[j] = i
    merged = [*edges_a, *((label_b[s], label_b[t]) for s, t in edges_b)]
    try:
        topological_order(n_a + n_b, merged, "merged")
    except MatchingError:
        return False
    return True


def _bits(positions: Iterable[int]) -> int:
    return sum(1 << position for position in positions)


def _members(mask: int) -> Iterable[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
