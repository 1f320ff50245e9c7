"""What a genotype makes of a supernet, without running a tensor.

Between switches a supernet is fixed: each choice stands for a *segment*, the nodes that are computed
for it and the switches that those nodes read. A genotype is followed segment by segment, from the
output back (the paper's section 4), so its active switches and its cost need no walk over nodes.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from netstitch.networks.graph import Graph
from netstitch.stitching.switches import Switchboard

Signature = tuple[tuple[int, int], ...]
"""The (switch, choice) pairs of the active switches, in order of the switches."""

Genotype = NDArray[np.int64]


class Wiring:
    """Precomputed segments of a supernet's switches."""

    def __init__(self, graphs: Sequence[Graph], board: Switchboard) -> None:
        self.board = board
        self._offsets = np.cumsum([0, *(len(graph.nodes) for graph in graphs)])
        self._index = [
            {node.name: i for i, node in enumerate(graph.nodes)} for graph in graphs
        ]
        nodes = [node for graph in graphs for node in graph.nodes]
        self._multiply_adds = np.array([node.multiply_adds for node in nodes], dtype=np.int64)
        self._elementwise = np.array([node.elementwise for node in nodes], dtype=np.int64)
        self._switch_of = {
            (switch.place.network, switch.place.point): index
            for index, switch in enumerate(board.switches)
        }
        # Per switch and choice: which nodes it computes, which switches they read, stitch's cost.
        self._computed: list[list[NDArray[np.bool_]]] = []
        self._reads: list[list[tuple[int, ...]]] = []
        self._stitch_cost: list[list[int]] = []
        for switch in board.switches:
            segments = []
            for stitch in switch.stitches:
                place = switch.place if stitch is None else board.stitches[stitch].source
                segments.append(self._segment(graphs, [(place.network, place.point)]))
            self._append(
                segments,
                [0 if s is None else board.stitches[s].multiply_adds for s in switch.stitches],
            )
        choices = [
            self._segment(graphs, [(i, name) for i in subset for _, name in graphs[i].outputs])
            for subset in board.outputs
        ]
        self._append(choices, [0] * len(choices))

    def _append(
        self, segments: list[tuple[NDArray[np.bool_], tuple[int, ...]]], costs: list[int]
    ) -> None:
        self._computed.append([computed for computed, _ in segments])
        self._reads.append([reads for _, reads in segments])
        self._stitch_cost.append(costs)

    def _segment(
        self, graphs: Sequence[Graph], targets: list[tuple[int, str]]
    ) -> tuple[NDArray[np.bool_], tuple[int, ...]]:
        """Nodes computed for the originals of `targets`, and the switches that they read."""
        computed = np.zeros(int(self._offsets[-1]), dtype=np.bool_)
        reads: set[int] = set()
        pending = list(targets)
        while pending:
            network, name = pending.pop()
            index = int(self._offsets[network]) + self._index[network][name]
            if computed[index]:
                continue
            computed[index] = True
            for source in graphs[network].by_name[name].inputs:
                switch = self._switch_of.get((network, source))
                if switch is None:
                    pending.append((network, source))
                else:
                    reads.add(switch)
        return computed, tuple(sorted(reads))

    def active(self, genotype: Genotype) -> NDArray[np.bool_]:
        """(l,) whether the output depends on each switch; the output switch always is active."""
        choices = genotype.tolist()
        last = len(choices) - 1
        found = np.zeros(len(choices), dtype=np.bool_)
        found[last] = True
        pending = [last]
        while pending:
            switch = pending.pop()
            for read in self._reads[switch][choices[switch]]:
                if not found[read]:
                    found[read] = True
                    pending.append(read)
        return found

    def signature(self, genotype: Genotype) -> Signature:
        """Equal signatures select equal subnetworks."""
        indices = np.flatnonzero(self.active(genotype))
        return tuple(zip(indices.tolist(), genotype[indices].tolist(), strict=True))

    def digest(self, genotype: Genotype) -> bytes:
        """16 bytes that stand for the signature, for keeping very many of them."""
        chosen = np.where(self.active(genotype), genotype + 1, 0).astype(np.uint16)
        return blake2b(chosen.tobytes(), digest_size=16).digest()

    def computed(self, genotype: Genotype) -> NDArray[np.bool_]:
        """(nodes,) which nodes of the basis networks, one network after the other, are run."""
        active = np.flatnonzero(self.active(genotype))
        rows = [self._computed[switch][genotype[switch]] for switch in active]
        union: NDArray[np.bool_] = np.logical_or.reduce(rows)
        return union

    def multiply_adds(self, genotype: Genotype) -> int:
        """Of one image, stitches included."""
        active = np.flatnonzero(self.active(genotype)).tolist()
        stitches = sum(self._stitch_cost[switch][genotype[switch]] for switch in active)
        return int(self._multiply_adds[self.computed(genotype)].sum()) + stitches

    def elementwise(self, genotype: Genotype) -> int:
        """Elements that activations, norms, pooling and sums touch for one image."""
        return int(self._elementwise[self.computed(genotype)].sum())
