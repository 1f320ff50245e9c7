"""What a genotype makes of a supernet, without running a tensor.

Between switches a supernet is fixed: each choice stands for a *segment*, the nodes that are
computed for it and the switches that those nodes read. A genotype is followed segment by segment,
from the output back (the paper's section 4), so its active switches and its cost need no walk over
nodes. Sets of nodes and of switches are Python integers, one bit a member, which unite faster than
arrays of this size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from netstitch.networks.graph import Graph
from netstitch.stitching.switches import Switchboard

Signature = tuple[tuple[int, int], ...]
"""The (switch, choice) pairs of the active switches, in order of the switches."""

Genotype = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Segment:
    """What a choice brings: nodes computed and switches read (as bits), a stitch's cost."""

    computed: int
    reads: int
    cost: int


class Wiring:
    """Precomputed segments of a supernet's switches."""

    def __init__(self, graphs: Sequence[Graph], board: Switchboard) -> None:
        self.board = board
        self._graphs = tuple(graphs)
        nodes = [(i, node) for i, graph in enumerate(graphs) for node in graph.nodes]
        self._bit = {(i, node.name): 1 << index for index, (i, node) in enumerate(nodes)}
        self._multiply_adds = np.array([node.multiply_adds for _, node in nodes], dtype=np.int64)
        self._elementwise = np.array([node.elementwise for _, node in nodes], dtype=np.int64)
        self._switch_bit = {
            (switch.place.network, switch.place.point): 1 << index
            for index, switch in enumerate(board.switches)
        }
        self._last: tuple[bytes, tuple[int, int, int]] = b"", (0, 0, 0)
        self._segments: list[list[_Segment]] = []  # per switch and choice, the output's last
        for switch in board.switches:
            choices = []
            for index in switch.stitches:
                stitch = None if index is None else board.stitches[index]
                place = switch.place if stitch is None else stitch.source
                cost = 0 if stitch is None else stitch.multiply_adds
                choices.append(self._segment([(place.network, place.point)], cost))
            self._segments.append(choices)
        self._segments.append(
            [
                self._segment([(i, name) for i in subset for _, name in graphs[i].outputs], 0)
                for subset in board.outputs
            ]
        )

    def _segment(self, targets: list[tuple[int, str]], cost: int) -> _Segment:
        """What is computed and read for the originals of `targets`."""
        computed, reads = 0, 0
        pending = list(targets)
        while pending:
            network, name = pending.pop()
            bit = self._bit[network, name]
            if computed & bit:
                continue
            computed |= bit
            for source in self._graphs[network].by_name[name].inputs:
                switch = self._switch_bit.get((network, source))
                if switch is None:
                    pending.append((network, source))
                else:
                    reads |= switch
        return _Segment(computed, reads, cost)

    def _follow(self, genotype: Genotype) -> tuple[int, int, int]:
        """The active switches and the computed nodes, as bits, and the cost of the stitches.

        Switches stand in a topological order, so one that is read comes before its reader: going
        from the last to the first, each is met once all its readers were.
        """
        asked = genotype.tobytes()
        if asked == self._last[0]:  # activity and cost are asked one after the other
            return self._last[1]
        choices: list[int] = genotype.tolist()
        waiting = active = 1 << (len(choices) - 1)
        computed = cost = 0
        while waiting:
            switch = waiting.bit_length() - 1
            segment = self._segments[switch][choices[switch]]
            waiting = waiting & ~(1 << switch) | segment.reads
            active |= segment.reads
            computed |= segment.computed
            cost += segment.cost
        self._last = asked, (active, computed, cost)
        return self._last[1]

    def active(self, genotype: Genotype) -> NDArray[np.bool_]:
        """(l,) whether the output depends on each switch; the output switch always is active."""
        return _members(self._follow(genotype)[0], len(genotype))

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
        return _members(self._follow(genotype)[1], len(self._multiply_adds))

    def multiply_adds(self, genotype: Genotype) -> int:
        """Of one image, stitches included."""
        _, computed, cost = self._follow(genotype)
        run = _members(computed, len(self._multiply_adds))
        return int(self._multiply_adds[run].sum()) + cost

    def elementwise(self, genotype: Genotype) -> int:
        """Elements that activations, norms, pooling and sums touch for one image."""
        return int(self._elementwise[self.computed(genotype)].sum())


def _members(bits: int, count: int) -> NDArray[np.bool_]:
    """(count,) which bits are set, the lowest first."""
    content = np.frombuffer(bits.to_bytes((count + 7) // 8, "little"), dtype=np.uint8)
    return np.unpackbits(content, count=count, bitorder="little").astype(np.bool_)
