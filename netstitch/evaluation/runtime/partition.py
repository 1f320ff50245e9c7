"""Where networks are cut into units: which nodes are roots, and for which root the others are."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node
from netstitch.networks.interpreter import text_of
from netstitch.stitching.switches import Switchboard

Item = tuple[int, str]
"""A node of a network."""


class Partition:
    """Which nodes are roots, and which root every other node is computed for.

    same: for each node but weights, the first one that computes the same from the same values.
    members: for each such first one, all that are the same.
    """

    def __init__(self, names: Sequence[str], graphs: Sequence[Graph], board: Switchboard) -> None:
        self.names, self.graphs = names, graphs
        places = [(switch.place.network, switch.place.point) for switch in board.switches]
        self.switch = {place: index for index, place in enumerate(places)}
        self.same = self._equal_nodes()
        self.members: dict[Item, tuple[Item, ...]] = {}
        for item, first in self.same.items():
            self.members[first] = (*self.members.get(first, ()), item)
        self.input = self.same[0, graphs[0].input.name]
        ends = [(i, name) for i, graph in enumerate(graphs) for _, name in graph.outputs]
        marked = {self.same[place] for place in [*places, *ends]} | {self.input}
        self.owner = self._owners(marked)
        self.roots = [item for item in self.members if self.owner.get(item) == item]

    def node(self, item: Item) -> Node:
        return self.graphs[item[0]].by_name[item[1]]

    def read(self, network: int, name: str) -> Item | int:
        """What a node's reference stands for: another node, or -1 - s for switch s."""
        switch = self.switch.get((network, name))
        return self.same[network, name] if switch is None else -1 - switch

    def _equal_nodes(self) -> dict[Item, Item]:
        """Each node but weights with the first that has its content, whatever switches choose."""
        first: dict[str, Item] = {}
        same: dict[Item, Item] = {}
        for i, graph in enumerate(self.graphs):
            texts: dict[str, str] = {}
            for node in graph.nodes:
                texts[node.name] = text = self._content(i, node, texts)
                if node.operation != WEIGHT:
                    same[i, node.name] = first.setdefault(text, (i, node.name))
                switch = self.switch.get((i, node.name))
                if switch is not None:
                    texts[node.name] = f"switch {switch}"
        return same

    def _content(self, network: int, node: Node, texts: Mapping[str, str]) -> str:
        if node.operation == WEIGHT:
            return f"weight {self.names[network]}.{node.path}"
        if node.operation == INPUT:
            return "input"
        return blake2b(text_of(node, texts).encode(), digest_size=16).hexdigest()

    def _owners(self, marked: set[Item]) -> dict[Item, Item]:
        """The root that each node is computed for; nodes that no marked one needs are left out."""
        wanted: dict[Item, set[Item]] = {item: {item} for item in marked}
        owner: dict[Item, Item] = {}
        for item in reversed(self.members):  # what reads comes before what is read
            owners = wanted.get(item, set())
            if not owners:
                continue
            owner[item] = item if item in marked or len(owners) > 1 else next(iter(owners))
            for name in self.node(item).inputs:
                if self.node((item[0], name)).operation == WEIGHT:
                    continue
                read = self.read(item[0], name)
                if not isinstance(read, int):
                    wanted.setdefault(read, set()).add(owner[item])
        return owner
