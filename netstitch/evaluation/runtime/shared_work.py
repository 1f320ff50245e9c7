"""Which of the genotypes that wait share the most work, so that they are computed together.

All that a value is made of must be equal for it to be shared. So two genotypes share what lies
before the first switch in which they differ, about, and do apart what lies behind it. That is told
from the genotypes alone, without a plan; the schedule of those that are chosen then finds all that
they truly share.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from netstitch.networks.graph import Graph
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet

LEAST = 1e-6
"""What any difference counts, so that equal subnetworks are closest."""

UNUSED = -1
"""In the place of the choice of a switch that is not active."""


class SharedWork:
    """Chooses genotypes of a supernet that share their work, see `Choose`."""

    def __init__(self, supernet: Supernet) -> None:
        self._active = supernet.wiring.active
        behind = [work_behind(graph) for graph in supernet.graphs]
        places = [switch.place for switch in supernet.switches]
        # Which outputs are averaged is next to no work; what that needs shows in active switches.
        shares = [behind[place.network][place.point] for place in places]
        self._behind = np.array([*shares, 0.0]) + LEAST

    def __call__(self, waiting: Sequence[Genotype], count: int) -> list[int]:
        """Indices of `count` or fewer, from the first on: each is the closest to one before it."""
        if count >= len(waiting):
            return list(range(len(waiting)))
        rows = np.stack([np.where(self._active(one), one, UNUSED) for one in waiting])
        chosen: list[int] = []
        apart = np.full(len(rows), np.inf)  # from the closest that is chosen
        while len(chosen) < count:
            chosen.append(int(apart.argmin()))
            apart = np.minimum(apart, self._apart(rows, chosen[-1]))
            apart[chosen] = np.inf
        return sorted(chosen)

    def _apart(self, rows: NDArray[np.int64], index: int) -> NDArray[np.float64]:
        """(n,) the most work behind a switch in which rows differ from one of them."""
        apart: NDArray[np.float64] = ((rows != rows[index]) * self._behind).max(axis=1)
        return apart


def work_behind(graph: Graph) -> dict[str, float]:
    """By node, the share of the graph's operations that depend on it, 0 to 1."""
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
