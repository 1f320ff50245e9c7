"""Fragments: the pieces of a supernet between its decisions, the same in every subnetwork.

A fragment is the nodes that are computed for one value alone, its *root*: what a switch or a stitch
reads, a stitch, a network's output, the average of some, or a node that several roots need. It
reads values of other fragments, or what a switch chose, and every node of the networks that an
output can depend on is in exactly one. So a genotype computes a list of fragments, and a fragment's
value depends only on itself and on the values that it reads.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from netstitch.networks.content import INPUT_KEY, digest, renamed, sample_bytes, text_of
from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node
from netstitch.stitching.subgraph import Append, add_average, add_stitch
from netstitch.supernet.supernet import Supernet

Read = int
"""The index of a fragment that is read, or -1 - s for what switch s chose."""

Item = tuple[int, str]
"""A node of a network."""

THE_INPUT = 0
"""The index of the fragment that is the networks' input."""


@dataclass(frozen=True)
class Fragment:
    """Nodes that are computed together.

    Attributes:
        graph: The nodes as a graph of their own, with an INPUT node for each of `reads`, in order;
            weights have the keys that they have in subnetworks.
        reads: In the order in which a walk from the root meets them, so that fragments of equal
            content read equal values in equal order.
        members: The networks' nodes that it holds, without weights, the root last. Nodes that
            compute the same from the same values are one node, and stand here side by side.
    """

    graph: Graph
    reads: tuple[Read, ...]
    members: tuple[Item, ...] = ()

    @cached_property
    def root(self) -> Node:
        """The node whose value is the fragment's."""
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
    """All fragments of a supernet; the first is the input.

    Attributes:
        every: The fragments.
        choices: For each switch, the fragment behind each choice.
        results: For each choice of the output switch, (output key, fragment) pairs.
    """

    every: tuple[Fragment, ...]
    choices: tuple[tuple[int, ...], ...]
    results: tuple[tuple[tuple[str | None, int], ...], ...]


def make_fragments(supernet: Supernet) -> Fragments:
    """Return the fragments of a supernet's networks, stitches and ensembles."""
    names, graphs, board = supernet.names, supernet.graphs, supernet.board
    nodes, keys = _joined(supernet)
    places = [(switch.place.network, switch.place.point) for switch in board.switches]
    ends = [(i, name) for i, graph in enumerate(graphs) for _, name in graph.outputs]
    owners = _owners(nodes, {keys[item] for item in [*places, *ends]})
    roots = [INPUT_KEY, *(key for key in nodes if owners.get(key) == key != INPUT_KEY)]
    index = {_switch(s): -1 - s for s in range(len(places))}
    index |= {root: number for number, root in enumerate(roots)}
    items: dict[str, list[Item]] = {}
    for item, key in keys.items():
        items.setdefault(key, []).append(item)
    every = [_fragment(nodes, owners, items, root, index) for root in roots]

    def drawn(reads: Sequence[str], draw: Callable[[Append], str]) -> int:
        """Add a fragment that is no node of a network; return its index."""
        slots = [_slot(nodes[key]) for key in dict.fromkeys(reads)]
        own: list[Node] = []

        def append(node: Node) -> str:
            own.append(replace(node, name=f"{node.name}_{len(own)}"))
            return own[-1].name

        root = draw(append)
        graph = Graph((*slots, *own), ((None, root),))
        every.append(Fragment(graph, tuple(index[slot.name] for slot in slots)))
        return len(every) - 1

    behind = []  # the fragment of each stitch
    for stitch in board.stitches:
        source = keys[stitch.source.network, stitch.source.point]
        target = graphs[stitch.target.network].by_name[stitch.target.point]
        layer = partial(add_stitch, names=names, stitch=stitch, source=source, target=target)
        behind.append(drawn([source], layer))
    choices = [
        tuple(
            index[keys[place]] if number is None else behind[number] for number in switch.stitches
        )
        for place, switch in zip(places, board.switches, strict=True)
    ]
    results = []
    for subset in board.outputs:
        pairs = []
        for output in graphs[subset[0]].output_keys:
            reads = [keys[network, dict(graphs[network].outputs)[output]] for network in subset]
            average = partial(
                add_average,
                rule=supernet.averaging.rule,
                key=output,
                names=[names[network] for network in subset],
                shares=supernet.averaging.shares(subset),
                outputs=reads,
                like=nodes[reads[0]],
            )
            pairs.append((output, index[reads[0]] if len(subset) == 1 else drawn(reads, average)))
        results.append(tuple(pairs))
    return Fragments(tuple(every), tuple(choices), tuple(results))


def _joined(supernet: Supernet) -> tuple[dict[str, Node], dict[Item, str]]:
    """Return the networks' nodes by content key, equal ones once, and the key of each node.

    What a switch chose is an INPUT node of its own, so that content does not depend on genotypes.
    """
    places = [switch.place for switch in supernet.switches]
    switches = {(one.network, one.point): _switch(number) for number, one in enumerate(places)}
    nodes: dict[str, Node] = {}
    keys: dict[Item, str] = {}
    for network, graph in enumerate(supernet.graphs):
        reads: dict[str, str] = {}
        for node in graph.nodes:
            if node.operation == WEIGHT:
                path = f"{supernet.names[network]}.{node.path}"
                key, node = f"weight {path}", replace(node, path=path)
            else:
                key = INPUT_KEY if node.operation == INPUT else digest(text_of(node, reads))
                keys[network, node.name] = key
            if key not in nodes:
                nodes[key] = renamed(node, key, reads)
            reads[node.name] = key
            switch = switches.get((network, node.name))
            if switch is not None:
                reads[node.name] = switch
                nodes[switch] = replace(_slot(node), name=switch)
    return nodes, keys


def _switch(number: int) -> str:
    """Return the content key of what a switch chose."""
    return f"switch {number}"


def _owners(nodes: dict[str, Node], marked: set[str]) -> dict[str, str]:
    """Return the root that each node is computed for, of nodes that a root needs.

    Those that are marked, and the input, are roots in any case; so is what several roots need.
    """
    wanted = {key: {key} for key in marked | {INPUT_KEY}}
    owners: dict[str, str] = {}
    for key, node in reversed(nodes.items()):
        readers = wanted.get(key, set())
        inner = node.operation not in (INPUT, WEIGHT) or key == INPUT_KEY
        if readers and inner:
            [*_, one] = readers
            owners[key] = key if key in readers or len(readers) > 1 else one
            for read in node.inputs:
                wanted.setdefault(read, set()).add(owners[key])
    return owners


def _fragment(
    nodes: Mapping[str, Node],
    owners: Mapping[str, str],
    items: Mapping[str, list[Item]],
    root: str,
    index: Mapping[str, Read],
) -> Fragment:
    """Return the nodes that are computed for a root."""
    slots: list[Node] = []
    own: list[Node] = []
    placed: set[str] = set()
    # Depth first without recursion, since networks are deep: a node is placed when met again.
    pending = [(root, False)]
    while pending:
        key, again = pending.pop()
        node = nodes[key]
        if key in placed:
            continue
        if not again and node.inputs and owners.get(key) == root:
            pending.append((key, True))
            pending += [(read, False) for read in reversed(node.inputs)]
            continue
        placed.add(key)
        if node.operation == WEIGHT or owners.get(key) == root:
            own.append(node)
        else:
            slots.append(_slot(node))
    members = [item for node in own for item in items.get(node.name, [])]
    reads = tuple(index[slot.name] for slot in slots)
    return Fragment(Graph((*slots, *own), ((None, root),)), reads, tuple(members))


def _slot(like: Node) -> Node:
    """Return a node that stands for a value like that of another, under the same name."""
    return Node(like.name, INPUT, shape=like.shape, dtype=like.dtype)


def content(fragment: Fragment) -> str:
    """Return a digest of what a fragment computes: operations, arguments, weights' keys.

    Two fragments have equal content where they compute the same from equal values in equal order.
    """
    texts = {node.name: f"slot {index}" for index, node in enumerate(fragment.slots)}
    for node in fragment.graph.nodes:
        if node.operation == WEIGHT:
            texts[node.name] = f"weight {node.path!r}"
        elif node.operation != INPUT:
            texts[node.name] = digest(text_of(node, texts))
    return digest(f"{len(fragment.reads)} {texts[fragment.root.name]}")
