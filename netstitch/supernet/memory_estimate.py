"""The memory of a supernet, estimated before its stitches are made."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from netstitch.errors import StitchingError
from netstitch.matching.matches import Matching
from netstitch.networks.graph import Node
from netstitch.networks.network import Network
from netstitch.text import listed, unit_and_scale

FITTED = 2
"""Copies of the stitches' weights while they are fitted: the layers, and what takes their place."""
REFINED = 7
"""Copies while they are refined: the layers, those that are trained and those that this began with,
the same in coordinates of their own, its gradient, and Adam's two moments."""
BYTES = 4
"""The size of a weight, in float32."""


@dataclass(frozen=True)
class MatchWidths:
    """The channels of a match's points by network, and its directions (None for all)."""

    widths: Mapping[int, int]
    directions: tuple[tuple[int, int], ...] | None = None

    def bytes(self, sources: int | None, without: Collection[int]) -> int:
        """Return the bytes of a match's stitches, taking the `sources` cheapest to each point."""
        total, rest = 0, [network for network in self.widths if network not in without]
        for target in rest:
            inputs = sorted(
                self.widths[source]
                for source in rest
                if source != target
                and (self.directions is None or (source, target) in self.directions)
            )
            total += sum((size + 1) * self.widths[target] for size in inputs[:sources])
        return BYTES * total


@dataclass(frozen=True)
class MemoryEstimate:
    """The sizes that decide the bytes of a supernet.

    Attributes:
        names: The networks' names.
        networks: The bytes of each network's weights.
        matches: The matches.
        sources: The most stitches to each point; None for all.
    """

    names: tuple[str, ...]
    networks: tuple[int, ...]
    matches: tuple[MatchWidths, ...]
    sources: int | None = None

    def stitches(self, without: Collection[int] = ()) -> int:
        """Return the bytes of all stitches, without some networks."""
        return sum(match.bytes(self.sources, without) for match in self.matches)

    def total(self, copies: int, without: Collection[int] = ()) -> int:
        """Return the bytes of networks and `copies` times the stitches, without some networks."""
        alone = sum(size for index, size in enumerate(self.networks) if index not in without)
        return alone + copies * self.stitches(without)

    def to_leave_out(self, copies: int, budget: int) -> list[int]:
        """Return the networks to leave out so that at least two fit; all where no two do.

        Each time the network is left out whose absence saves the most.
        """
        without: list[int] = []
        rest = list(range(len(self.networks)))
        while self.total(copies, without) > budget:
            if len(rest) == 2:
                return list(range(len(self.networks)))
            largest = min(rest, key=lambda one: self.total(copies, [*without, one]))
            rest.remove(largest)
            without.append(largest)
        return without

    def check(self, copies: int, budget: int) -> None:
        """Raise StitchingError, with what to leave out, where it takes more than a budget."""
        total = self.total(copies)
        if total <= budget:
            return
        without = self.to_leave_out(copies, budget)
        kept = self.total(copies, without)
        fewer = f"leave out {listed([self.names[one] for one in without])}, for {_bytes(kept)}"
        if len(without) == len(self.names):
            fewer = "no two of them take less"
        raise StitchingError(
            f"a supernet of {listed(self.names)} takes about {_bytes(total)} of memory "
            f"({copies} copies of {_bytes(self.stitches())} of stitches, and "
            f"{_bytes(sum(self.networks))} of networks), and memory_budget is {_bytes(budget)}: "
            f"{fewer}; or let fewer stitches go to a point (sources), or raise memory_budget"
        )


def memory_estimate(
    names: Sequence[str],
    networks: Sequence[Network],
    matching: Matching,
    sources: int | None = None,
) -> MemoryEstimate:
    """Return the sizes of a supernet of a matching, with at most `sources` stitches to a point."""
    matches = []
    for match in matching:
        nodes = {one: networks[one].graph.by_name[name] for one, name in match.members.items()}
        widths = {one: _width(node) for one, node in nodes.items()}
        matches.append(MatchWidths(widths, match.directions))
    alone = (sum(t.nbytes for t in network.weights.values()) for network in networks)
    return MemoryEstimate(tuple(names), tuple(alone), tuple(matches), sources)


def _width(node: Node) -> int:
    assert node.layout is not None  # it is a point
    assert node.shape is not None
    return int(node.shape[node.layout.channels])


def _bytes(number: int) -> str:
    unit, scale = unit_and_scale(number)
    return f"{number / scale:.3g} {unit}B"
