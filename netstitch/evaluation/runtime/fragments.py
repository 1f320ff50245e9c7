"""The pieces of a supernet between its decisions: the same in every subnetwork.

A *unit* is the nodes that are computed for one value alone, its *root*: what a switch or a stitch
reads, a stitch, a network's output, the average of some, or a node that several roots need. A
unit reads values of other units, or what a switch chose, and every node of the networks that an
output can depend on is in exactly one. So what a genotype computes is a list of units, and what a
unit computes depends only on itself and on the values that it reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b

from netstitch.evaluation.runtime.partition import Item, Partition
from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node, rename
from netstitch.networks.interpreter import sample_bytes, text_of
from netstitch.stitching.stitch import Stitch
from netstitch.stitching.subgraph import Averaging, add_average, add_stitch
from netstitch.stitching.switches import Switchboard

Read = int
"""What a unit reads: the index of a unit, or -1 - s for what switch s chose."""

THE_INPUT = 0
"""The index of the unit that is the task's input."""


@dataclass(frozen=True)
class Fragment:
    """Nodes that are computed together.

    graph: the nodes as a graph of their own, whose INPUT nodes stand for `reads` in their order;
        weights go by the keys that they have in subnetworks. Nothing else is named as anywhere.
    reads: in the order in which a walk from the root meets them, so that units of equal content
        read equal values in equal order.
    members: the networks' nodes that it holds, weights left out, the root last. Nodes that compute
        the same from the same values are one node, and stand here side by side.
    """

    graph: Graph
    reads: tuple[Read, ...]
    members: tuple[Item, ...] = ()

    @cached_property
    def root(self) -> Node:
        return self.graph.by_name[self.graph.outputs[0][1]]

    @cached_property
    def slots(self) -> tuple[Node, ...]:
        """The nodes that stand for what is read."""
        return tuple(node for node in self.graph.nodes if node.operation == INPUT)

    @cached_property
    def size(self) -> int:
        """Bytes of its value for one sample."""
        return sample_bytes(self.root)


@dataclass(frozen=True)
class Fragments:
    """All units of a supernet; the first is the input.

    choices: for each switch, the unit behind each choice.
    results: for each choice of the output switch, (output key, unit) pairs.
    """

    units: tuple[Fragment, ...]
    choices: tuple[tuple[int, ...], ...]
    results: tuple[tuple[tuple[str | None, int], ...], ...]


def make_fragments(
    names: Sequence[str], graphs: Sequence[Graph], board: Switchboard, averaging: Averaging
) -> Fragments:
    """The units of a supernet's networks, stitches and ensembles.

    names: of the networks, as in the keys of their weights.
    """
    cut = Partition(names, graphs, board)
    units = [Fragment(_input_graph(graphs[0]), (), cut.members[cut.input])]
    roots = [root for root in cut.roots if root != cut.input]
    index = {cut.input: THE_INPUT} | {root: number for number, root in enumerate(roots, 1)}
    units += [_unit(cut, root, index) for root in roots]
    originals = {item: index[first] for item, first in cut.same.items() if first in index}
    behind: list[int] = []  # the unit of each stitch
    for stitch in board.stitches:
        behind.append(len(units))
        units.append(_stitch_unit(names, graphs, stitch, originals))
    choices = [
        tuple(
            originals[switch.place.network, switch.place.point]
            if number is None
            else behind[number]
            for number in switch.stitches
        )
        for switch in board.switches
    ]
    results = []
    for subset in board.outputs:
        pairs = []
        for key in graphs[subset[0]].output_keys:
            ends = [(network, dict(graphs[network].outputs)[key]) for network in subset]
            if len(subset) == 1:
                pairs.append((key, originals[ends[0]]))
            else:
                pairs.append((key, len(units)))
                units.append(_average_unit(names, graphs, averaging, key, ends, originals))
        results.append(tuple(pairs))
    return Fragments(tuple(units), tuple(choices), tuple(results))


def _stitch_unit(
    names: Sequence[str], graphs: Sequence[Graph], stitch: Stitch, originals: Mapping[Item, int]
) -> Fragment:
    drawing, source, target = _Drawing(), stitch.source, stitch.target
    slot = drawing.slot(graphs[source.network].by_name[source.point])
    like = graphs[target.network].by_name[target.point]
    root = add_stitch(drawing.append, names, stitch, slot, like)
    return Fragment(drawing.graph(root), (originals[source.network, source.point],))


def _average_unit(
    names: Sequence[str],
    graphs: Sequence[Graph],
    averaging: Averaging,
    key: str | None,
    ends: Sequence[Item],
    originals: Mapping[Item, int],
) -> Fragment:
    """The average of what some networks end in, under an output key."""
    drawing = _Drawing()
    slots: dict[Read, str] = {}  # networks may end in one value, which is then read once
    for end in ends:
        if originals[end] not in slots:
            slots[originals[end]] = drawing.slot(graphs[end[0]].by_name[end[1]])
    root = add_average(
        drawing.append,
        averaging.rule,
        key,
        [names[network] for network, _ in ends],
        averaging.shares([network for network, _ in ends]),
        [slots[originals[end]] for end in ends],
        graphs[ends[0][0]].by_name[ends[0][1]],
    )
    return Fragment(drawing.graph(root), tuple(slots))


class _Drawing:
    """A unit's graph as it is drawn."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._slots: list[Node] = []
        self._taken: set[str] = set()

    def append(self, node: Node) -> str:
        """Add a node; names that are taken, such as those of several sums, are numbered."""
        number, name = 1, node.name
        while name in self._taken:
            number += 1
            name = f"{node.name}_{number}"
        self._taken.add(name)
        self.nodes.append(node if name == node.name else replace(node, name=name))
        return name

    def slot(self, like: Node) -> str:
        """A new node that stands for a value like that of another node."""
        name = f"slot_{len(self._slots)}"
        self._slots.append(Node(name, INPUT, shape=like.shape, dtype=like.dtype))
        return name

    def graph(self, root: str) -> Graph:
        return Graph((*self._slots, *self.nodes), ((None, root),))


def _unit(cut: Partition, root: Item, index: Mapping[Item, int]) -> Fragment:
    """The nodes that are computed for a root, from the root back."""
    drawing = _Drawing()
    reads: dict[Read, str] = {}
    names: dict[Item, str] = {}  # weights too
    members: list[Item] = []

    def reference(network: int, name: str) -> str:
        node = cut.node((network, name))
        if node.operation == WEIGHT:
            if (network, name) not in names:
                path = f"{cut.names[network]}.{node.path}"
                names[network, name] = f"weight_{len(names)}"
                weight = Node(names[network, name], WEIGHT, (), {}, node.shape, node.dtype, path)
                drawing.append(weight)
            return names[network, name]
        found = cut.read(network, name)
        if not isinstance(found, int) and cut.owner[found] == root and found != root:
            return names[found]
        read = found if isinstance(found, int) else index[found]
        if read not in reads:
            reads[read] = drawing.slot(node)
        return reads[read]

    # Depth first without recursion, since networks are deep: a node is drawn when it is met again.
    pending = [(root, False)]
    while pending:
        item, again = pending.pop()
        if item in names:
            continue
        node = cut.node(item)
        if not again:
            pending.append((item, True))
            inner = [
                found
                for name in reversed(node.inputs)
                if cut.node((item[0], name)).operation != WEIGHT
                for found in [cut.read(item[0], name)]
                if not isinstance(found, int) and cut.owner[found] == root
            ]
            pending += [(found, False) for found in inner]
            continue
        local = {name: reference(item[0], name) for name in node.inputs}
        names[item] = f"value_{len(names)}"
        members += cut.members[item]
        drawing.append(
            Node(
                names[item],
                node.operation,
                tuple(rename(argument, local) for argument in node.args),
                {key: rename(argument, local) for key, argument in node.kwargs.items()},
                node.shape,
                node.dtype,
                multiply_adds=node.multiply_adds,
                elementwise=node.elementwise,
            )
        )
    return Fragment(drawing.graph(names[root]), tuple(reads), tuple(members))


def _input_graph(graph: Graph) -> Graph:
    return Graph((Node("input", INPUT, shape=graph.input.shape),), ((None, "input"),))


def content(unit: Fragment) -> bytes:
    """16 bytes that stand for what a unit computes: operations, arguments, weights' keys.

    Two units have equal content where they compute the same from equal values in equal order.
    """
    texts: dict[str, str] = {}
    for index, node in enumerate(unit.slots):
        texts[node.name] = f"slot {index}"
    for node in unit.graph.nodes:
        if node.operation == WEIGHT:
            texts[node.name] = f"weight {node.path!r}"
        elif node.operation != INPUT:
            texts[node.name] = blake2b(text_of(node, texts).encode(), digest_size=16).hexdigest()
    text = f"{len(unit.reads)} {texts[unit.root.name]}"
    return blake2b(text.encode(), digest_size=16).digest()
