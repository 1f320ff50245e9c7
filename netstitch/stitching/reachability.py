"""Activity and cost of genotypes, without running a tensor.

Between switches a supernet is fixed: each choice stands for a *segment*, the nodes that are
computed for it and the switches that those nodes read. A genotype is followed segment by segment,
from the output back (the paper's section 4), so its active switches and its cost need no walk over
nodes. A search needs both for each genotype, so the walk is compiled, and unites sets of nodes 64
at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from netstitch.networks.graph import Graph
from netstitch.stitching.signature import Signature, digest_of, signature_of
from netstitch.stitching.switches import Switchboard

Genotype = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Selection:
    """The active switches (l,), computed nodes (nodes,) and cost of a genotype."""

    genotype: bytes
    active: NDArray[np.bool_]
    computed: NDArray[np.bool_]
    multiply_adds: int
    elementwise: int


class Reachability:
    """Precomputed segments of a supernet's switches, for any number of networks."""

    def __init__(self, graphs: Sequence[Graph], board: Switchboard) -> None:
        self.board = board
        self._graphs = tuple(graphs)
        nodes = [(i, node) for i, graph in enumerate(graphs) for node in graph.nodes]
        self._index = {(i, node.name): index for index, (i, node) in enumerate(nodes)}
        self._costs = np.array(
            [(node.multiply_adds, node.elementwise) for _, node in nodes], dtype=np.int64
        )
        self._switch = {
            (switch.place.network, switch.place.point): index
            for index, switch in enumerate(board.switches)
        }
        self._last: _Selection | None = None
        segments = []  # per switch and choice, the output's last
        costs = []
        for switch in board.switches:
            for index in switch.stitches:
                stitch = None if index is None else board.stitches[index]
                place = switch.place if stitch is None else stitch.source
                segments.append(self._segment([(place.network, place.point)]))
                costs.append(0 if stitch is None else stitch.multiply_adds)
        for subset in board.outputs:
            ends = [(i, name) for i in subset for _, name in graphs[i].outputs]
            segments.append(self._segment(ends))
            costs.append(0)
        self._first = offsets(board.cardinalities)[:-1]
        self._read_starts = offsets([len(reads) for _, reads in segments])
        self._reads = np.array([s for _, reads in segments for s in reads], dtype=np.int64)
        self._stitch_costs = np.array(costs, dtype=np.int64)
        self._sets = np.stack([_as_words(computed, len(nodes)) for computed, _ in segments])

    def _segment(self, targets: list[tuple[int, str]]) -> tuple[list[int], list[int]]:
        """Return the nodes computed and the switches read for the originals of `targets`."""
        computed: set[int] = set()
        reads: set[int] = set()
        pending = list(targets)
        while pending:
            network, name = pending.pop()
            index = self._index[network, name]
            if index in computed:
                continue
            computed.add(index)
            for source in self._graphs[network].by_name[name].inputs:
                switch = self._switch.get((network, source))
                if switch is None:
                    pending.append((network, source))
                else:
                    reads.add(switch)
        return sorted(computed), sorted(reads)

    def _follow(self, genotype: Genotype) -> _Selection:
        key = genotype.tobytes()
        last = self._last
        if last is None or key != last.genotype:  # activity and cost are read one by one
            active, computed, cost, elementwise = _follow(
                np.ascontiguousarray(genotype, dtype=np.int64),
                *(self._first, self._read_starts, self._reads, self._sets),
                *(self._stitch_costs, self._costs),
            )
            self._last = last = _Selection(key, active, computed, int(cost), int(elementwise))
        return last

    def active(self, genotype: Genotype) -> NDArray[np.bool_]:
        """Return (l,) which switches the output depends on; the output switch always is active."""
        return self._follow(genotype).active.copy()

    def signature(self, genotype: Genotype) -> Signature:
        """Return the (switch, choice) pairs of active switches: equal ones, equal subnetworks."""
        return signature_of(genotype, self._follow(genotype).active)

    def digest(self, genotype: Genotype) -> bytes:
        """Return 16 bytes that stand for the signature, for keeping very many of them."""
        return digest_of(genotype, self._follow(genotype).active)

    def computed(self, genotype: Genotype) -> NDArray[np.bool_]:
        """Return (nodes,) which nodes of the basis networks, one after the other, are run."""
        return self._follow(genotype).computed.copy()

    def multiply_adds(self, genotype: Genotype) -> int:
        """Return the multiply-adds of one image, stitches included."""
        return self._follow(genotype).multiply_adds

    def elementwise(self, genotype: Genotype) -> int:
        """Return the elements that activations, norms, pooling and sums touch for one image."""
        return self._follow(genotype).elementwise


def offsets(counts: Sequence[int]) -> NDArray[np.int64]:
    """Return (n + 1,) where each of n rows begins in a flat array, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _as_words(members: Sequence[int], count: int) -> NDArray[np.uint64]:
    """Return a set as bits, the lowest first: (ceil(count / 64),)."""
    bits = np.zeros(-(-count // 64) * 64, dtype=np.uint8)
    bits[members] = 1
    return np.packbits(bits, bitorder="little").view(np.uint64)


@njit(cache=True, nogil=True)
def _follow(
    genotype: Genotype,
    first: NDArray[np.int64],  # (l,) each switch's first segment
    read_starts: NDArray[
        np.int64
    ],  # (segments + 1,) where each segment's switches begin in `reads`
    reads: NDArray[np.int64],
    sets: NDArray[np.uint64],  # (segments, words) nodes computed, as bits
    stitch_costs: NDArray[np.int64],  # (segments,) multiply-adds
    costs: NDArray[np.int64],  # (nodes, 2) multiply-adds and elementwise operations
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int, int]:
    """Return active switches, computed nodes, multiply-adds and elementwise operations.

    Switches stand in a topological order, so one that is read comes before its reader: going from
    the last to the first, each is met once all its readers were.
    """
    active = np.zeros(len(genotype), np.bool_)
    active[-1] = True
    words = np.zeros(sets.shape[1], np.uint64)
    cost = 0
    for switch in range(len(genotype) - 1, -1, -1):
        if active[switch]:
            segment = first[switch] + genotype[switch]
            for index in range(read_starts[segment], read_starts[segment + 1]):
                active[reads[index]] = True
            for word in range(len(words)):
                words[word] |= sets[segment, word]
            cost += stitch_costs[segment]
    computed = np.zeros(len(costs), np.bool_)
    elementwise = 0
    for node in range(len(costs)):
        if (words[node >> 6] >> np.uint64(node & 63)) & np.uint64(1):
            computed[node] = True
            cost += costs[node, 0]
            elementwise += costs[node, 1]
    return active, computed, cost, elementwise
