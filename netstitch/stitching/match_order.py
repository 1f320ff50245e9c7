"""An order in which the graph with merged matches can be computed."""

import heapq
from collections.abc import Sequence

from netstitch.errors import StitchingError
from netstitch.networks.graph import WEIGHT, Graph


def sort_matches(
    graphs: Sequence[Graph], matches: Sequence[dict[int, str]]
) -> tuple[dict[int, str], ...]:
    """The matches in a topological order of the graph in which their points are merged.

    Where the order leaves a choice, the earlier point of the first network comes first.

    Raises StitchingError when the merged graph has a cycle.
    """
    merged: dict[tuple[int, str], int] = {}
    for index, match in enumerate(matches):
        for place in match.items():
            merged[place] = index
    count = len(matches)
    first: dict[int, tuple[int, int]] = {}  # position and network of a group's earliest node
    for network, graph in enumerate(graphs):
        for position, node in enumerate(graph.nodes):
            if node.operation == WEIGHT:
                continue
            place = (network, node.name)
            if place not in merged:
                merged[place] = count
                count += 1
            first.setdefault(merged[place], (position, network))
    following: list[set[int]] = [set() for _ in range(count)]
    waiting = [0] * count
    for network, graph in enumerate(graphs):
        for node in graph.nodes:
            if node.operation == WEIGHT:
                continue
            after = merged[network, node.name]
            for name in node.inputs:
                before = merged.get((network, name))  # weights are not in it
                if before is not None and before != after and after not in following[before]:
                    following[before].add(after)
                    waiting[after] += 1
    ready = [(first[group], group) for group in range(count) if not waiting[group]]
    heapq.heapify(ready)
    order: list[int] = []
    while ready:
        _, group = heapq.heappop(ready)
        order.append(group)
        for after in following[group]:
            waiting[after] -= 1
            if not waiting[after]:
                heapq.heappush(ready, (first[after], after))
    if len(order) < count:
        stuck = next(index for index in range(count) if waiting[index])
        name = "/".join(matches[stuck].values()) if stuck < len(matches) else "a node"
        raise StitchingError(
            f"the matching has a cycle (through {name}); expected one whose merged graph is "
            "acyclic, as ns.match gives"
        )
    return tuple(matches[group] for group in order if group < len(matches))
