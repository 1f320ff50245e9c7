"""Batching by shared work: the pending genotypes that share the most are computed together.

A value is shared where all that goes into it is equal. So two genotypes share what lies before the
first switch in which they differ, about. That is read off the genotypes alone; the schedule of
those that are chosen then finds all that they truly share.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netstitch.networks.graph import Graph
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet

LEAST = 1e-6
"""Added to the work behind any switch, so that equal subnetworks are closest."""

UNUSED = -1
"""Stands for the choice of a switch that is not active."""


class SharedWork:
    """Chooses genotypes of a supernet that share their work; see `Choose`."""

    def __init__(self, supernet: Supernet) -> None:
        self._active = supernet.wiring.active
        behind = [work_behind(graph) for graph in supernet.graphs]
        places = [switch.place for switch in supernet.switches]
        # Which outputs are averaged is next to no work; what that needs shows in active switches.
        shares = [behind[place.network][place.point] for place in places]
        self._behind = np.array([*shares, 0.0]) + LEAST

    def __call__(self, waiting: Sequence[Genotype], count: int) -> list[int]:
        """Return the indices of the first genotype, and of those closest to one chosen before.

        Args:
            waiting: The genotypes to choose from.
            count: How many to choose, at most.
        """
        if count >= len(waiting):
            return list(range(len(waiting)))
        rows = np.stack([np.where(self._active(one), one, UNUSED) for one in waiting])
        chosen: list[int] = []
        distances = np.full(len(rows), np.inf)  # to the closest that is chosen
        while len(chosen) < count:
            chosen.append(int(distances.argmin()))
            distances = np.minimum(distances, self._distances(rows, chosen[-1]))
            distances[chosen] = np.inf
        return sorted(chosen)

    def _distances(self, rows: NDArray[np.int64], index: int) -> NDArray[np.float64]:
        """Return (n,) the most work behind a switch in which rows differ from one of them."""
        found: NDArray[np.float64] = ((rows != rows[index]) * self._behind).max(axis=1)
        return found


def work_behind(graph: Graph) -> dict[str, float]:
    """Return, by node, the share of the graph's operations that depend on it, 0 to 1."""
    works = np.array([node.multiply_adds + node.elementwise for node in graph.nodes], np.float64)
    numbers = {node.name: number for number, node in enumerate(graph.nodes)}
    readers: list[list[int]] = [[] for _ in graph.nodes]
    for number, node in enumerate(graph.nodes):
        for name in node.inputs:
            readers[numbers[name]].append(number)
    depends = np.zeros((len(works), len(works)), dtype=np.bool_)  # the second on the first
    for number in reversed(range(len(works))):
        for reader in readers[number]:
            depends[number] |= depends[reader]
            depends[number, reader] = True
    shares = depends @ works / max(1.0, works.sum())
    return {node.name: float(shares[number]) for number, node in enumerate(graph.nodes)}
